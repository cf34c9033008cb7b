import assert from "node:assert/strict";
import { test } from "node:test";
import type { PermissionSet } from "./reach";
import { callsOf, contents, holdsEverything, isOwn, permissionsOf, wrongPath } from "./sets";

const set = (...permissions: NonNullable<PermissionSet["permissions"]>): PermissionSet => ({ name: "Own", action: "", object: "", description: "", permissions, supported_scope_types: [] });

test("a set's calls come back as they were stored", () => {
  const stored = [{ action: "http", object: { type: "GET", value: "/api/management/v1/inventory/.*" } }];
  assert.deepEqual(callsOf(set(...stored)), [{ method: "GET", path: "/api/management/v1/inventory/.*" }]);
  assert.deepEqual(permissionsOf(callsOf(set(...stored))), stored);
});

test("what a set holds is said in words", () => {
  const builtIn: PermissionSet = { name: "ReadDevices", action: "Read", object: "", description: "See devices", permissions: [], supported_scope_types: null };
  assert.deepEqual(contents(builtIn), ["See devices"]);
  assert.deepEqual(contents(set()), ["Nothing yet"]);
  assert.deepEqual(contents(set({ action: "any", object: { type: "any", value: "any" } })), ["Everything, as SuperUser"]);
  assert.deepEqual(contents(set({ action: "http", object: { type: "any", value: "/api/a" } })), ["Any call /api/a"]);
  assert.deepEqual([holdsEverything(set({ action: "http", object: { type: "ANY", value: ".*" } })), holdsEverything(set()), holdsEverything(builtIn)], [true, false, false]);
  assert.deepEqual([isOwn(builtIn), isOwn(set())], [false, true]);
});

test("a path that no call has is not sent", () => {
  for (const path of ["/api/management/v1/inventory/.*", ".*", "/a.*", " /api/x "]) assert.equal(wrongPath(path), undefined, path);
  assert.match(wrongPath("/management/v1") ?? "", /begin with/);
  assert.match(wrongPath("/api/[a-z]+") ?? "", /wildcard/);
  assert.match(wrongPath(" ") ?? "", /Enter/);
});
