import assert from "node:assert/strict";
import { test } from "node:test";
import { fromText, toText } from "./numbers";

test("settings survive the form", () => {
  const settings = { audit_days: 30, device_timeout: 5400, pending_devices: 7, time_zone: "Europe/Oslo" };
  assert.deepEqual(fromText(toText(settings)), { values: settings, wrong: {} });
});

test("what is no number, or beyond the bounds, is told by field", () => {
  const { wrong } = fromText({ audit_days: "3651", device_timeout: "-1", pending_devices: "1.5" });
  assert.deepEqual(Object.keys(wrong).sort(), ["audit_days", "device_timeout", "pending_devices"]);
  assert.deepEqual(fromText({}).values, { audit_days: 0, device_timeout: 0, pending_devices: 0, time_zone: "UTC" });
});
