import assert from "node:assert/strict";
import { test } from "node:test";
import { wantsAlerts, withAlerts } from "./mails";

test("mails about alerts come unless they were turned off", () => {
  for (const settings of [{}, { notifications: null }, { notifications: [] }, { notifications: { device_alerts: null } }, { notifications: { device_alerts: true } }]) {
    assert.equal(wantsAlerts(settings), true);
    assert.equal(wantsAlerts(withAlerts(settings, false)), false);
  }
});

test("a choice leaves the other settings as they are", () => {
  const settings = { columns: ["a"], notifications: { weekly: true, device_alerts: true } };
  assert.deepEqual(withAlerts(settings, false), { columns: ["a"], notifications: { weekly: true, device_alerts: false } });
});
