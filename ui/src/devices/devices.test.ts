import assert from "node:assert/strict";
import { test } from "node:test";
import { decided } from "./bulk";
import { inWords, read, searchBody, typed, write } from "./conditions";
import { cell, toCsv } from "./csv";
import { type Attribute, nameOf } from "./types";

test("silent devices are accepted ones that were not heard of for two days", () => {
  const [status, heard] = searchBody({ status: "silent", group: "", text: "", conditions: [], sort: "" }, 1, 100).filters;
  assert.deepEqual([status?.attribute, status?.value], ["status", "accepted"]);
  assert.deepEqual([heard?.scope, heard?.attribute, heard?.type], ["system", "check_in_time", "$lt"]);
  const hours = (Date.now() - Date.parse(String(heard?.value))) / 3_600_000;
  assert.ok(hours >= 48 && hours < 48.1);
});

test("conditions survive the URL, and what is none is left out", () => {
  const conditions = [{ scope: "inventory", attribute: "os", type: "$in" as const, value: ["a", "b"] }];
  assert.deepEqual(read(write(conditions)), conditions);
  assert.deepEqual(read('[{"scope":"inventory"},7,null]'), []);
  assert.deepEqual(read("{"), []);
  assert.equal(inWords(conditions[0] as never), "os is one of a, b");
});

test("values have the type that their operator takes", () => {
  assert.equal(typed("$eq", "42", false), "42");
  assert.equal(typed("$gt", "42", true), 42);
  assert.deepEqual(typed("$nin", "a, b,", false), ["a", "b"]);
  assert.equal(typed("$exists", "false", false), false);
});

test("status, group and sort become parts of a search", () => {
  const body = searchBody({ status: "pending", group: "-", text: " x ", conditions: [], sort: "inventory/a/b:desc" }, 2, 100);
  assert.equal(body.text, "x");
  assert.deepEqual(body.filters.map((filter) => [filter.attribute, filter.type, filter.value]), [["status", "$eq", "pending"], ["group", "$exists", false]]);
  assert.deepEqual(body.sort, [{ scope: "inventory", attribute: "a/b", order: "desc" }]);
});

test("cells of a spreadsheet are text, whatever they hold", () => {
  assert.equal(cell("=1+1"), "'=1+1");
  assert.equal(cell('a "b", c'), '"a ""b"", c"');
  const table = toCsv([{ id: "1", updated_ts: "t", attributes: [{ scope: "tags", name: "site", value: "oslo" }] }, { id: "2", updated_ts: "t", attributes: [] }]);
  assert.equal(table, "id,updated,tags/site\r\n1,t,oslo\r\n2,t,");
});

test("a decision is about the auth set that waits for it", () => {
  const sets = [
    { id: "old", status: "accepted", ts: "2026-01-01" },
    { id: "new", status: "pending", ts: "2026-02-01" },
  ];
  assert.equal(decided({ id: "d", auth_sets: sets }, "accepted"), "new");
  assert.equal(decided({ id: "d", auth_sets: sets }, "rejected"), "old");
  assert.equal(decided({ id: "d", auth_sets: null }, "accepted"), undefined);
});

test("of two auth sets that wait since the same second, the decision is about the newer one", () => {
  const sets = [
    { id: "older", status: "pending", ts: "2026-01-01T00:00:00.4Z" },
    { id: "newer", status: "pending", ts: "2026-01-01T00:00:00.435Z" },
  ];
  assert.equal(decided({ id: "d", auth_sets: sets }, "accepted"), "newer");
});

test("a device is called by its tag, then its serial number, then its id", () => {
  const identity: Attribute = { scope: "identity", name: "mac", value: "00:11" };
  assert.equal(nameOf({ id: "i", updated_ts: "", attributes: [identity, { scope: "tags", name: "name", value: "Lamp" }] }), "Lamp");
  assert.equal(nameOf({ id: "i", updated_ts: "", attributes: [identity] }), "00:11");
  assert.equal(nameOf({ id: "i", updated_ts: "", attributes: [] }), "i");
});
