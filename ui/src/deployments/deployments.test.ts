import assert from "node:assert/strict";
import { test } from "node:test";
import type { Query } from "../app/router";
import { callOf, draftOf, problems, readDraft, retryOf, sizes, suggestedName, withAction, writeDraft } from "./draft";
import { curveOf, parts, phasesOf, stateOf, unfinished, wasAborted } from "./states";
import { linkedCursor, timeTo } from "./report";
import { evenly, moved, spanOf, ticksOf } from "./timeline";
import type { Deployment } from "./types";

const NOW = Date.parse("2026-06-01T12:00:00Z");
const at = (hours: number): string => new Date(NOW + hours * 3_600_000).toISOString();
const deployment = (more: Partial<Deployment>): Deployment => ({
  id: "d", name: "May", artifact_name: "os-2", created: at(-1), status: "inprogress", device_count: 0, max_devices: 10,
  statistics: { status: {}, total_size: 0 }, type: "software", artifacts: [], filter: { id: "", name: "", terms: [] }, ...more,
});
const throughUrl = (query: Query) => {
  const written = Object.entries(writeDraft(readDraft(query))).filter(([, value]) => value !== "" && value !== false);
  return readDraft(Object.fromEntries(written.map(([name, value]) => [name, String(value)])));
};

test("all that is decided about a deployment is kept in the URL", () => {
  const query = {
    release: "os, 2", group: "lab", unit: "devices", phases: `5@,@${at(5)}`, retries: "2", force: "true", name: "x",
    map: JSON.stringify({ states: { ArtifactReboot_Enter: { action: "pause" } } }),
  };
  assert.deepEqual(throughUrl(query), readDraft({ ...query, to: "group" }));
  assert.equal(readDraft({ devices: "a,b" }).whom, "devices");
  assert.deepEqual(readDraft({ phases: "x@y", map: "[" }).map, undefined);
});

test("a draft becomes the call that the API has for it", () => {
  const group = readDraft({ release: "os-2", group: "a b", phases: `10@,@${at(24)}`, retries: "1" });
  assert.deepEqual(callOf(group, "n"), {
    path: "/management/v1/deployments/deployments/group/a%20b",
    body: { name: "n", artifact_name: "os-2", retries: 1, phases: [{ batch_size: 10 }, { start_ts: at(24) }] },
  });
  assert.deepEqual(callOf(readDraft({ release: "r", filter: "f", max: "5", phases: `@${at(1)}` }), "n").body, {
    name: "n", artifact_name: "r", phases: [{ start_ts: at(1) }], filter_id: "f", max_devices: 5,
  });
  assert.deepEqual(callOf(readDraft({ release: "r", to: "all" }), "n").body, { name: "n", artifact_name: "r", all_devices: true });
});

test("phases that the server would refuse are told before", () => {
  const wrong = (phases: string, total = 100, unit = "") => problems(readDraft({ release: "r", to: "all", phases, unit }), total).rollout ?? "";
  assert.equal(wrong(`10@,@${at(24 * 365 * 10)}`), "");
  assert.match(wrong(`x@,@${at(1)}`), /needs a size/);
  assert.match(wrong(`10@${at(99_999)},20@${at(99_998)},@${at(99_999)}`), /must start after/);
  assert.match(wrong(`60@,40@${at(99_998)},@${at(99_999)}`), /less than 100 %/);
  assert.match(wrong(`10@,@${at(99_999)}`, 5), /Phase 1 would have no device/);
  assert.match(wrong(`5@,@${at(99_999)}`, 5, "devices"), /Phase 2 would have no device/);
  assert.deepEqual(sizes(readDraft({ phases: `5@,20@${at(1)},@${at(2)}` }), 48), [2, 9, 37]);
});

test("a deployment is made again with its phases from now on", () => {
  const draft = draftOf(
    deployment({ groups: ["lab"], phases: [{ id: "1", start_ts: at(-48), device_count: 1, batch_size: 10 }, { id: "2", start_ts: at(-24), device_count: 0, batch_size: 90 }] }),
    NOW,
  );
  assert.equal(draft.whom, "group");
  assert.deepEqual(draft.phases, [{ size: "10", start: "" }, { size: "", start: at(24) }]);
  assert.equal(suggestedName(draft, ""), "os-2 for lab");
});

test("a retry takes over what its parent had, and changes what is absent from its call", () => {
  const failing = deployment({
    phases: [{ id: "1", start_ts: at(-48), device_count: 1, batch_size: 10 }, { id: "2", start_ts: at(-24), device_count: 0, batch_size: 90 }],
    rollout: { settings: { maximum_per_minute: 5 } } as NonNullable<Deployment["rollout"]>, retries: 2, statistics: { status: { failure: 12, aborted: 3 }, total_size: 0 },
  });
  const draft = retryOf(failing, { release: "os-3", statuses: ["failure", "aborted"] }, NOW);
  assert.deepEqual(draft.phases, [{ size: "10", start: "" }, { size: "", start: at(24) }]);
  assert.deepEqual(callOf(draft, "not used"), {
    path: "/management/v1/deployments/deployments/d/retry",
    body: {
      artifact_name: "os-3", statuses: ["failure", "aborted"], force_installation: false, retries: 2, rollout: { maximum_per_minute: 5 },
      phases: [{ batch_size: 10 }, { start_ts: at(24) }],
    },
  });
  const few = retryOf(failing, { release: "os-3", statuses: ["aborted"] }, NOW);
  assert.deepEqual(few.phases, [{ size: "", start: "" }]);
  assert.deepEqual(callOf({ ...few, protection: undefined, retries: "" }, "").body, { artifact_name: "os-3", statuses: ["aborted"], force_installation: false, retries: 0, rollout: {} });
  assert.match(problems({ ...few, statuses: [] }, 0).devices ?? "", /Choose which/);
  const url = { to: "retry", parent: "d", statuses: "failure,noartifact", release: "r" };
  assert.deepEqual(throughUrl(url), readDraft(url));
});

test("the devices of a retry that are not listed are not all devices", () => {
  assert.equal(draftOf(deployment({}), NOW).whom, "");
  const accepted = { scope: "identity", attribute: "status", type: "$eq", value: "accepted" } as const;
  assert.equal(draftOf(deployment({ filter: { id: "", name: "", terms: [accepted] } }), NOW).whom, "all");
});

test("every device is counted in one part, and an abort concerns those that have not ended", () => {
  const numbers = { success: 3, failure: 1, rebooting: 1, pause_before_committing: 1, pending: 4, noartifact: 2, "already-installed": 1 };
  assert.equal(parts(numbers).reduce((sum, part) => sum + part.value, 0), 13);
  assert.equal(unfinished(numbers), 6);
  const ended = deployment({ status: "finished", max_devices: 2, statistics: { status: { success: 2 }, total_size: 0 } });
  assert.equal(wasAborted(ended), false);
  assert.equal(stateOf({ ...ended, max_devices: 3 }).label, "Aborted");
  const preparing = { found: 1, expected: 3 };
  assert.equal(stateOf(deployment({ status: "pending", preparing })).label, "Preparing");
  assert.equal(stateOf({ ...ended, max_devices: 3, preparing }).label, "Aborted");
});

test("a phase is open from its start, and the last one takes the rest", () => {
  const phases = phasesOf(
    deployment({ phases: [{ id: "1", start_ts: at(-1), device_count: 3, batch_size: 25 }, { id: "2", start_ts: at(1), device_count: 0, batch_size: 75 }] }),
    NOW,
  );
  assert.deepEqual(phases.map(({ size, open }) => [size, open]), [[2, true], [8, false]]);
});

test("a part of the outcomes stands for all devices", () => {
  const curve = curveOf({ updated_at: [at(1), at(2)], failed_at: [] }, { success: 20 }, NOW, NOW + 4 * 3_600_000);
  assert.equal(curve?.updated[0], 0);
  assert.equal(curve?.updated.at(-1), 20);
  assert.equal(curveOf({ updated_at: [], failed_at: [] }, {}, NOW, NOW), undefined);
});

test("a start moves in round steps and stays between its neighbours", () => {
  const starts = [NOW, NOW + 3_600_000, NOW + 7_200_000];
  const span = spanOf(starts, NOW);
  assert.equal(moved(starts, 1, NOW + 3_600_000 + 130_000, span, NOW), NOW + 3_600_000);
  assert.equal(moved(starts, 1, NOW + 9_000_000, span, NOW), NOW + 7_140_000);
  assert.equal(moved(starts, 1, NOW - 9_000_000, span, NOW), NOW + 60_000);
  assert.ok(ticksOf(span).length >= 2 && ticksOf(span).length <= 6);
  assert.deepEqual(evenly(2, 24, "", NOW), ["", at(24)]);
});

test("a step that only continues needs no entry in the control map", () => {
  const paused = withAction({}, "ArtifactInstall_Enter", { action: "pause" });
  assert.deepEqual(withAction(paused, "ArtifactInstall_Enter", { action: "continue" }), { states: {} });
});

test("an export goes on at the cursor of its link", () => {
  assert.equal(linkedCursor('</api/management/v1/deployments/deployments/d/devices/export?cursor=a-b_c&format=csv>; rel="next"'), "a-b_c");
  assert.equal(linkedCursor(null), undefined);
  assert.equal(linkedCursor('</api/x?cursor=a>; rel="first"'), undefined);
  assert.deepEqual([timeTo(4200), timeTo(undefined)], ["1 h 10 min", "–"]);
});
