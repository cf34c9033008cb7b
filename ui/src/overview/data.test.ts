import assert from "node:assert/strict";
import { test } from "node:test";
import { type Deployment, type Devices, needs, type Some } from "./data";

const none: Some = { count: 0, devices: [] };
const devices = (more: Partial<Devices> = {}): Devices => ({ by_status: { accepted: 2 }, alerting: none, silent: none, silent_hours: 48, software: [], other_software: 0, ...more });
const deployment = (id: string, failure: number): Deployment => ({
  id, name: id, artifact_name: "os", created: "", status: "inprogress", device_count: 1, max_devices: 1, artifacts: [], type: "software", filter: { id: "", name: "", terms: [] }, statistics: { status: { failure }, total_size: 0 },
});
const kinds = (...given: Parameters<typeof needs>): string[] => needs(...given).map((need) => need.deployment?.id ?? need.kind);

test("nothing needs attention where all is well", () => {
  assert.deepEqual(kinds({ devices: devices(), deployments: { open: [deployment("a", 0)], open_count: 1, failed: [], days: [] } }), []);
  assert.deepEqual(kinds({}), []);
});

test("a deployment needs the approval of users who may approve it, but for its creator", () => {
  const approval = { state: "waiting", requested_at: "", expires: "", requested_by: { id: "ada", email: "" } } as NonNullable<Deployment["approval"]>;
  const deployments = { open: [{ ...deployment("a", 0), approval }], open_count: 1, failed: [], days: [] };
  assert.deepEqual(["", "ada", "ben"].map((user) => kinds({ deployments }, user)), [[], [], ["a"]]);
});

test("what fails now comes first, those who wait last", () => {
  const some: Some = { count: 1, devices: [{ id: "d", name: "d" }] };
  const found = kinds({
    devices: devices({ by_status: { pending: 1 }, alerting: some, silent: some }),
    deployments: { open: [deployment("fails now", 1)], open_count: 1, failed: [deployment("failed", 2)], days: [] },
  });
  assert.deepEqual(found, ["fails now", "alerting", "silent", "failed", "pending"]);
});
