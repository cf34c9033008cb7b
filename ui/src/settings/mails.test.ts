import assert from "node:assert/strict";
import { test } from "node:test";
import { choicesFor, choosing, wants } from "./mails";

test("mails about alerts come unless they were turned off", () => {
  for (const settings of [{}, { notifications: null }, { notifications: [] }, { notifications: { device_alerts: null } }, { notifications: { device_alerts: true } }]) {
    assert.equal(wants(settings, "device_alerts"), true);
    assert.equal(wants(choosing(settings, "device_alerts", false), "device_alerts"), false);
    assert.equal(wants(choosing(settings, "device_alerts", false), "deployment_approvals"), true);
  }
});

test("a choice leaves the other settings as they are", () => {
  const settings = { columns: ["a"], notifications: { weekly: true, device_alerts: true } };
  assert.deepEqual(choosing(settings, "device_alerts", false), { columns: ["a"], notifications: { weekly: true, device_alerts: false } });
});

test("a user may turn off each kind of mail that the user may get", () => {
  const mails = (monitors: boolean, approves: boolean, manages: boolean): string[] => choicesFor({ monitors, approves, manages }).map(({ mail }) => mail);
  assert.deepEqual(mails(false, false, true), ["deployment_stops"]);
  assert.deepEqual(mails(false, true, false), ["deployment_approvals"]);
  assert.deepEqual(mails(true, true, true), ["device_alerts", "deployment_approvals", "deployment_stops"]);
  assert.deepEqual(mails(false, false, false), []);
});
