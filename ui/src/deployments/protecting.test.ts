import assert from "node:assert/strict";
import { test } from "node:test";
import { callOf, draftOf, problems, readDraft, writeDraft } from "./draft";
import { fieldOf, NEW_WINDOW, PROTECTED, protectedPhases, protectionOf, type Protection, readProtection, settingsOf, wrongIn, writeProtection } from "./protecting";
import { sizesOf } from "./states";
import type { Deployment, RolloutSettings } from "./types";

const protect = (change: Partial<Protection>): Protection => ({ ...PROTECTED, ...change });

test("a protection is kept in the address, which has only what was changed", () => {
  assert.equal(writeProtection(undefined), "");
  assert.equal(writeProtection(PROTECTED), "{}");
  const changed = protect({ success: "80", abort: true, windows: [{ days: ["sat"], start: "22:00", hours: "6" }] });
  assert.deepEqual(readProtection(writeProtection(changed)), changed);
  assert.deepEqual(readDraft({ protect: String(writeDraft(readDraft({ protect: "{}" })).protect) }).protection, PROTECTED);
});

test("an address that somebody has edited protects by the defaults", () => {
  assert.equal(readProtection("["), undefined);
  assert.deepEqual(readProtection('{"success":95,"unknown":"1","windows":[null,{"days":["sat","someday"],"start":3}]}'), protect({ windows: [NEW_WINDOW, { ...NEW_WINDOW, days: ["sat"] }] }));
});

test("the usual protection becomes a gate and a stop, without phases a stop", () => {
  const stop = { max_failures_percent: 5, minimum_reports: 20 };
  assert.deepEqual(settingsOf(PROTECTED, true), { gate: { success_percent: 95, soak: "PT3600S" }, stop });
  assert.deepEqual(settingsOf(PROTECTED, false), { stop });
  assert.equal(settingsOf(protect({ gate: false, stop: false }), true), undefined);
});

test("what the API was given comes back for another deployment", () => {
  const settings: RolloutSettings = {
    gate: { success_percent: 90, minimum_devices: 3, soak: "PT5400S" },
    stop: { max_failures: 2, max_failures_percent: 10, minimum_reports: 30, per: "phase", action: "abort" },
    windows: [{ days: ["mon", "fri"], start_time: "22:00", duration: "PT21600S" }],
    time_zone: "Europe/Oslo", device_time_zone: "tz", retry_after: true, maximum_per_minute: 50, jitter: "PT900S", when_paused: "skip",
  };
  assert.deepEqual(settingsOf(protectionOf(settings), true), settings);
  assert.equal(protectionOf({}).gate, false);
});

test("numbers that the server would refuse are told at their fields", () => {
  const wrong = (change: Partial<Protection>, phased = true): string[] => Object.keys(wrongIn(protect(change), phased));
  assert.deepEqual(wrong({}), []);
  assert.deepEqual(wrong({ success: "0", least: "x", soakHours: "721" }), ["success", "least", "soakHours"]);
  assert.deepEqual(wrong({ success: "0" }, false), []);
  assert.deepEqual(wrong({ failedPercent: "", failed: "" }), ["failedPercent"]);
  assert.deepEqual(wrong({ failedPercent: "", failed: "3" }), []);
  assert.deepEqual(wrong({ rate: "60001", jitterMinutes: "1441" }), ["rate", "jitterMinutes"]);
  assert.deepEqual(wrong({ windows: [{ ...NEW_WINDOW, start: "25:00" }] }), ["windows"]);
  assert.deepEqual(wrong({ windows: [{ ...NEW_WINDOW, hours: "0" }] }), ["windows"]);
  assert.deepEqual(wrong({ windows: [{ ...NEW_WINDOW, hours: "1" }], jitterMinutes: "60" }), ["jitterMinutes"]);
});

test("the phases of a protected fleet all have devices", () => {
  for (const total of [2, 3, 4, 7, 19, 20, 48, 1000]) {
    const { unit, sizes } = protectedPhases(total);
    const counts = sizesOf(sizes.map((size) => ({ [unit]: Number(size) })), total);
    assert.ok(counts.every((count) => count > 0), `${total}: ${counts}`);
  }
  assert.deepEqual(protectedPhases(1).sizes, [""]);
});

test("behind a gate, phases need no time of their own", () => {
  const draft = readDraft({ release: "r", to: "all", phases: "5@,25@,@", protect: "{}" });
  assert.equal(problems(draft, 100).rollout, undefined);
  assert.deepEqual(callOf(draft, "n").body, {
    name: "n", artifact_name: "r", all_devices: true, phases: [{ batch_size: 5 }, { batch_size: 25 }, {}], rollout: settingsOf(PROTECTED, true),
  });
  assert.match(problems(readDraft({ release: "r", to: "all", phases: "5@,@", protect: '{"gate":false}' }), 100).rollout ?? "", /needs a start time/);
  assert.match(problems(readDraft({ release: "r", to: "all", protect: '{"rate":"x"}' }), 100).rollout ?? "", /Correct the protection/);
});

test("a protected deployment is made again with its gate, and without times that it never had", () => {
  const at = "2026-06-01T12:00:00Z";
  const deployment: Deployment = {
    id: "d", name: "May", artifact_name: "os-2", created: at, status: "finished", device_count: 0, max_devices: 10,
    statistics: { status: {}, total_size: 0 }, type: "software", artifacts: [], filter: { id: "", name: "", terms: [] },
    phases: [{ id: "1", start_ts: at, device_count: 1, batch_size: 10 }, { id: "2", start_ts: at, device_count: 0, batch_size: 90 }],
    rollout: { state: "ended", settings: { gate: { success_percent: 95 } } },
  };
  const draft = draftOf(deployment, Date.parse(at) + 3_600_000);
  assert.deepEqual(draft.phases, [{ size: "10", start: "" }, { size: "", start: "" }]);
  assert.deepEqual([draft.protection?.gate, draft.protection?.stop], [true, false]);
});

test("a refusal is told at the field that it is about", () => {
  assert.equal(fieldOf("Validating request body: rollout: time_zone: Moon/Crater is not a time zone"), "zone");
  assert.equal(fieldOf("Expected `int` >= 1 - at `$.rollout.gate.success_percent`"), "success");
  assert.equal(fieldOf("Validating request body: rollout: gate: soak must be between PT0S and P30D"), "soakHours");
  assert.equal(fieldOf("Validating request body: rollout: jitter must be shorter than each window"), "jitterMinutes");
  assert.equal(fieldOf("Validating request body: phase 2 has no start_ts"), undefined);
});
