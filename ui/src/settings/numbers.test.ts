import assert from "node:assert/strict";
import { test } from "node:test";
import { fromText, toText } from "./numbers";

test("settings survive the form", () => {
  const settings = { approval_devices: 50, approval_groups: ["production", "field"], approval_hours: 24, audit_days: 30, device_timeout: 5400, pending_devices: 7, time_zone: "Europe/Oslo" };
  assert.deepEqual(fromText(toText(settings)), { values: settings, wrong: {} });
});

test("what is no number, or beyond the bounds, is told by field", () => {
  const { wrong } = fromText({ approval_hours: "721", audit_days: "3651", device_timeout: "-1", pending_devices: "1.5" });
  assert.deepEqual(Object.keys(wrong).sort(), ["approval_hours", "audit_days", "device_timeout", "pending_devices"]);
  assert.deepEqual(Object.keys(fromText({}).wrong), ["approval_hours"]);
  assert.deepEqual(fromText({}).values, { approval_devices: 0, approval_groups: [], audit_days: 0, device_timeout: 0, pending_devices: 0, time_zone: "UTC" });
});
