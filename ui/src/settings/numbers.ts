/** The tenant's settings between the API and the form: numbers in the API's units, texts in the form's. */
import type { Shape } from "../api/calls";

export type Numbers = Shape<"Numbers">;
export type Settings = Record<string, number | string | string[]>;

/** `unit`: how many of the API's units are one of the form's. `min` and `max` in the API's. */
export const FIELDS = [
  { id: "device_timeout", label: "Hours until a silent device fails its deployment", hint: "0: never. Up to a year.", unit: 3600, min: 0, max: 31_536_000 },
  { id: "pending_devices", label: "Most pending devices", hint: "0: the server's own number. Beyond it, a new device replaces a silent pending one.", unit: 1, min: 0, max: 1_000_000 },
  { id: "audit_days", label: "Days to keep the audit log", hint: "0: the server's own number. Existing entries keep their expiry.", unit: 1, min: 0, max: 3650 },
  { id: "approval_devices", label: "Most devices of a deployment without approval", hint: "A deployment to more devices needs the approval of another user. 0: the number of devices does not matter.", unit: 1, min: 0, max: 10_000_000 },
  { id: "approval_hours", label: "Hours that a deployment waits for approval", hint: "Then it is aborted. Up to 30 days.", unit: 1, min: 1, max: 720 },
] as const;

export function toText(settings: Settings): Record<string, string> {
  const numbers = FIELDS.map(({ id, unit }) => [id, String(Number(settings[id] ?? 0) / unit)]);
  const groups = Array.isArray(settings.approval_groups) ? settings.approval_groups : [];
  return { ...Object.fromEntries(numbers), approval_groups: groups.join(", "), time_zone: String(settings.time_zone ?? "UTC") };
}

/** The settings, and what is wrong by field. The server knows which time zones there are. Hours may have a fraction; the API gets whole seconds. */
export function fromText(texts: Record<string, string>): { values: Settings; wrong: Record<string, string> } {
  const groups = new Set((texts.approval_groups ?? "").split(/[\s,]+/).filter(Boolean));
  const values: Settings = { approval_groups: [...groups], time_zone: texts.time_zone?.trim() || "UTC" };
  const wrong: Record<string, string> = {};
  for (const { id, unit, min, max } of FIELDS) {
    const number = Number(texts[id]?.trim() || "0");
    if (!Number.isFinite(number) || number < min || (unit === 1 && !Number.isInteger(number))) wrong[id] = `Enter a ${unit === 1 ? "whole number" : "number"}, ${min} or more.`;
    else if (number * unit > max) wrong[id] = `At most ${max / unit}.`;
    else values[id] = Math.round(number * unit);
  }
  return { values, wrong };
}
