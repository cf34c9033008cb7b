import assert from "node:assert/strict";
import { test } from "node:test";
import { boundsOf, callOf, curlOf, exampleOf, grouped, kindOf, membersOf, type Operation, type Raw, read, search, untried } from "./description";

const raw: Raw = {
  info: { version: "1" },
  paths: {
    "/management/v1/things/{id}": {
      put: {
        operationId: "saveThingV1", tags: ["Things"], summary: "Save a thing", security: [{ user: [] }, { session: [] }], "x-permission": "things:manage",
        parameters: [{ name: "id", in: "path", required: true, schema: { type: "string" } }, { $ref: "#/components/parameters/tag" } as never],
        requestBody: { content: { "application/json": { schema: { $ref: "#/components/schemas/Thing" } } } },
        responses: { 204: { description: "Done." }, 404: { $ref: "#/components/responses/NotFound" } },
      },
    },
    "/devices/v1/next": { get: { operationId: "deviceNextV1", tags: ["Things (devices)"], summary: "Ask", security: [{ device: [] }], responses: { 200: { description: "It." } } } },
  },
  components: {
    parameters: { tag: { name: "tag", in: "query", schema: { type: "array", items: { type: "string" } } } },
    responses: { NotFound: { description: "There is none.", content: { "application/json": { schema: { type: "object" } } } } },
    schemas: {
      Thing: {
        type: "object", required: ["name"],
        properties: { name: { type: "string", maxLength: 9 }, parts: { type: "array", items: { $ref: "#/components/schemas/Part" } }, by: { type: "object", additionalProperties: { type: "integer" } } },
        examples: [{ name: "it's" }],
      },
      Part: { type: "object", properties: { size: { type: ["integer", "null"], minimum: 1, maximum: 5 }, whole: { $ref: "#/components/schemas/Thing" } } },
    },
  },
};
const { operations, schemas } = read(raw);
const [save, next] = operations as [Operation, Operation];

test("an operation comes with what it refers to", () => {
  assert.deepEqual(save.parameters.map(({ name }) => name), ["id", "tag"]);
  assert.deepEqual(save.answers[1], { status: "404", description: "There is none.", headers: [], contents: [{ media: "application/json", schema: { type: "object" } }] });
  assert.deepEqual(save.callers, ["user", "session"]);
});

test("operations are found by all words, and those for devices come last", () => {
  assert.deepEqual(search(operations, "PUT thing").map(({ id }) => id), ["saveThingV1"]);
  assert.deepEqual(search(operations, "nothing"), []);
  assert.deepEqual(grouped([next, save]).map(([tag]) => tag), ["Things", "Things (devices)"]);
});

test("a shape is told member by member, and one that contains itself ends", () => {
  const members = membersOf({ $ref: "#/components/schemas/Thing" }, schemas);
  assert.deepEqual(members.map(({ name }) => name), ["name", "parts", "by"]);
  assert.deepEqual(members[1]?.members.map(({ name, kind, members: below }) => [name, kind, below]), [["size", "whole number or null", []], ["whole", "Thing", []]]);
  assert.equal(kindOf({ type: "array", items: { $ref: "#/x/Part" } }), "list of Part");
  assert.equal(kindOf({ type: ["string", "null"], enum: ["a", "b"] }), "text or null: a, b");
  assert.equal(boundsOf({ minimum: 1, maximum: 5, default: 2 }), "1 to 5; default 2");
  assert.deepEqual(exampleOf({ type: "array", items: { $ref: "#/x/Thing" } }, schemas), [{ name: "it's" }]);
});

test("parameters become a call, and the call a line for a shell", () => {
  const call = callOf(save, { id: "a/b", tag: "x, y" });
  assert.deepEqual(call, { path: "/management/v1/things/a%2Fb", query: { tag: ["x", "y"] }, headers: {}, missing: [] });
  assert.deepEqual(callOf(save, {}).missing, ["id"]);
  const line = curlOf(save, call, `{"name":"it's"}`, "application/json");
  assert.match(line, /^curl -X PUT 'http.*\/api\/management\/v1\/things\/a%2Fb\?tag=x&tag=y' \\\n {2}-H "Authorization: Bearer \$TOKEN"/);
  assert.ok(line.endsWith(`-d '{"name":"it'\\''s"}'`), line);
});

test("what only devices call is not tried", () => {
  assert.equal(untried(save), undefined);
  assert.match(untried(next) ?? "", /Only devices/);
});
