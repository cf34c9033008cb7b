import assert from "node:assert/strict";
import { test } from "node:test";
import { groupsOf, inShort, type PermissionSet, problem, type Role, type Scoped, tagsOf, withSet } from "./reach";

const read: Scoped = { name: "ReadDevices", scope: { type: "DeviceGroups", value: ["lab"] } };
const known: PermissionSet[] = [
  { name: "ReadDevices", description: "", action: "", object: "", permissions: null, supported_scope_types: ["DeviceGroups"] },
  { name: "ReadReleases", description: "", action: "", object: "", permissions: null, supported_scope_types: ["ReleaseTags"] },
];

test("a role reaches the groups of all its sets, or every device", () => {
  assert.deepEqual(groupsOf([read, { name: "ReadReleases" }], known), ["lab"]);
  assert.deepEqual(groupsOf([{ name: "ReadReleases" }], known), []);
  assert.equal(groupsOf([{ name: "ReadDevices" }], known), null);
  assert.equal(groupsOf([read, { name: "SuperUser" }], known), null);
  assert.equal(tagsOf([read, { name: "ReadReleases" }], known), null);
  assert.deepEqual(tagsOf([{ name: "ReadReleases", scope: { type: "ReleaseTags", value: ["stable"] } }], known), ["stable"]);
  assert.deepEqual(tagsOf([read], known), []);
});

test("a role in one line", () => {
  const role = (sets: Scoped[], permissions: Role["permissions"] = []) => ({ name: "a", description: "", permissions, permission_sets_with_scope: sets });
  assert.equal(inShort(role([read, { name: "Basic" }], [{ action: "http", object: { type: "GET", value: "/a" } }])), "ReadDevices (devices in lab), 1 by path");
  assert.equal(inShort(role([{ name: "SuperUser" }])), "Everything");
  assert.equal(inShort(role([])), "Only the own account");
});

test("a set that ends nowhere in particular is told before it is sent", () => {
  assert.equal(problem("a", [read]), undefined);
  assert.match(problem("a", [{ name: "ReadDevices", scope: { type: "DeviceGroups", value: [] } }]) ?? "", /at least one group/);
  assert.match(problem(" ", []) ?? "", /name/);
  assert.deepEqual(withSet(withSet([], read, true), read, false), []);
});
