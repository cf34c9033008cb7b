import assert from "node:assert/strict";
import { test } from "node:test";
import { cutAtTimes, gateInWords, protection, secondsOf, stopInWords, windowInWords } from "./rollout";
import { isPaused, phasesOf, stateOf } from "./states";
import type { Deployment } from "./types";

const at = (hours: number): string => new Date(Date.parse("2026-06-01T12:00:00Z") + hours * 3_600_000).toISOString();
const deployment = (more: Partial<Deployment>): Deployment => ({
  id: "d", name: "May", artifact_name: "os-2", created: at(-1), status: "inprogress", device_count: 0, max_devices: 10,
  statistics: { status: {}, total_size: 0 }, type: "software", artifacts: [], filter: { id: "", name: "", terms: [] }, ...more,
});

test("durations are read as the server writes them", () => {
  assert.deepEqual(["PT3600S", "P1DT7200S", "P7D", "PT1H30M", "P0D", "PT90.5S", "", "soon", undefined].map(secondsOf), [3600, 93_600, 604_800, 5400, 0, 90.5, 0, 0, 0]);
});

test("a gate and a stop are told in a sentence each", () => {
  assert.equal(gateInWords({}), "A phase opens when all devices of the phase before have succeeded.");
  assert.equal(gateInWords({ success_percent: 95, minimum_devices: 10, soak: "PT7200S" }), "A phase opens when 95 % of the devices of the phase before (at least 10) have succeeded, and that has been so for 2 h.");
  assert.equal(stopInWords({ max_failures: 1 }), "It is paused when 1 device has failed.");
  assert.equal(
    stopInWords({ max_failures: 3, max_failures_percent: 5, minimum_reports: 20, per: "phase", action: "abort" }),
    "It is aborted when 3 devices have failed, or when 5 % of the devices with a result have failed, once there are 20 results. Each phase is counted on its own.",
  );
});

test("windows name their days in the order of the week", () => {
  assert.equal(windowInWords({ start_time: "02:00", duration: "PT4H", days: ["sun", "sat"] }), "Saturday, Sunday from 02:00, for 4 h");
  assert.equal(windowInWords({ start_time: "00:00", duration: "P1D" }), "every day from 00:00, for 1 d");
});

test("only what was requested is listed", () => {
  assert.deepEqual(protection({}), []);
  assert.deepEqual(protection({ maximum_per_minute: 1, jitter: "PT900S", when_paused: "skip" }).map(([name]) => name), ["Rate", "Jitter", "When paused"]);
  assert.deepEqual(protection({ windows: [{ start_time: "02:00", duration: "PT1H" }], time_zone: "Europe/Oslo", device_time_zone: "tz", retry_after: true }), [
    ["Windows", "Devices begin every day from 02:00, for 1 h (in the time zone of each device (tz), otherwise Europe/Oslo). Devices that poll at another time are told when to come back."],
  ]);
});

test("times in the server's texts are told apart", () => {
  assert.deepEqual(cutAtTimes("phase 2 opens at 2026-12-01T02:00:00Z if it holds"), ["Phase 2 opens at ", "2026-12-01T02:00:00Z", " if it holds."]);
  assert.deepEqual(cutAtTimes("not before 2026-12-01T02:00:00.123Z"), ["Not before ", "2026-12-01T02:00:00.123Z", "."]);
});

test("the server knows which phases are open, and whether it is paused", () => {
  const phases = [{ id: "1", start_ts: at(-1), device_count: 3, batch_size: 25 }, { id: "2", start_ts: at(-1), device_count: 0, batch_size: 75 }];
  const gated = deployment({ phases, rollout: { state: "running", opened: 1 } });
  assert.deepEqual(phasesOf(gated, Date.parse(at(0))).map(({ open }) => open), [true, false]);
  assert.equal(stateOf(gated).label, "In progress");
  const stopped = deployment({ rollout: { state: "stopped" } });
  assert.deepEqual([stateOf(stopped).label, isPaused(stopped)], ["Stopped", true]);
  const aborted: Deployment = { ...stopped, status: "finished" };
  assert.deepEqual([stateOf(aborted).label, isPaused(aborted)], ["Aborted", false]);
  assert.equal(stateOf(deployment({ rollout: { state: "paused" } })).label, "Paused");
});
