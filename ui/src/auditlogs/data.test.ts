import assert from "node:assert/strict";
import { test } from "node:test";
import { actorName, asJson, difference, type Entry, objectName, objectPath } from "./data";

test("a change in words becomes what was and what is", () => {
  assert.deepEqual(difference("Group: (none) -> lab"), { before: "", after: "Group: lab" });
  assert.deepEqual(difference('name: "a" -> "b", site: (none) -> "pier, 4"'), { before: 'name: "a"', after: 'name: "b"\nsite: "pier, 4"' });
  assert.deepEqual(difference("audit_days: 0 -> 30\nplan: os -> none"), { before: "audit_days: 0\nplan: os", after: "audit_days: 30" });
});

test("a pair of documents is a difference, one document is none", () => {
  assert.deepEqual(difference('[null,{"name":"x"}]'), { before: null, after: { name: "x" } });
  assert.equal(difference('{"timezone":"UTC"}'), undefined);
  assert.deepEqual(asJson('{"timezone":"UTC"}'), { timezone: "UTC" });
  assert.equal(difference("credentials"), undefined);
  assert.equal(difference("[not json"), undefined);
});

const entry = (object: Entry["object"], action: Entry["action"] = "update"): Entry => ({ actor: { id: "1", type: "user" }, time: "2026-01-01T00:00:00Z", action, object });

test("an object has the name that people know, and leads to its screen", () => {
  const device = entry({ id: "d1", type: "device", device: { id: "d1", identity_data: '{"mac":"02:00","serial":"crane-1"}' } });
  assert.equal(objectName(device), "crane-1");
  assert.equal(objectPath(device), "/devices/d1");
  const artifact = entry({ id: "a1", type: "artifact", artifact: { name: "os/2 <b>" } }, "upload");
  assert.equal(objectPath(artifact), "/releases/os%2F2%20%3Cb%3E");
  assert.equal(objectPath(entry({ id: "d1", type: "device" }, "decommission")), undefined);
  assert.equal(objectName(entry({ id: "d1", type: "device", device: { identity_data: "{broken" } })), "d1");
});

test("an acceptance rule is called by its name", () => {
  const by = (actor: Entry["actor"], change: string): string => actorName({ ...entry({ id: "d1", type: "device" }), actor, change });
  assert.equal(by({ id: "r1", type: "system" }, "Authentication set s1: pending -> accepted by rule line (4) (r1)"), "rule line (4)");
  assert.equal(by({ id: "r1", type: "system" }, "Was accepted"), "system r1");
  assert.equal(by({ id: "u1", type: "user" }, "accepted by rule x (r1)"), "u1");
});
