import assert from "node:assert/strict";
import { test } from "node:test";
import { choosing, wants } from "./mails";

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
