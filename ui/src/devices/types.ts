/** Devices as the inventory has them. */
import type { Shape } from "../api/calls";

export type Device = Shape<"InventoryDevice">;
export type Attribute = Shape<"Attribute">;
export type Value = Attribute["value"];

export type DeviceStatus = Shape<"DevauthDevice">["status"];

export const STATUSES: readonly { id: DeviceStatus; label: string; is: "ok" | "waiting" | "danger" | "neutral" }[] = [
  { id: "accepted", label: "Accepted", is: "ok" },
  { id: "pending", label: "Pending", is: "waiting" },
  { id: "preauthorized", label: "Preauthorized", is: "neutral" },
  { id: "rejected", label: "Rejected", is: "danger" },
  { id: "noauth", label: "No auth sets", is: "neutral" },
];

/** The tab of accepted devices that were not heard of for a while (as long as the overview has it): no status of the API. */
export const SILENT = "silent";
export const SILENT_HOURS = 48;

export function valueOf(device: Device, scope: string, name: string): Value | undefined {
  return device.attributes.find((attribute) => attribute.scope === scope && attribute.name === name)?.value;
}

export const shown = (value: Value | undefined): string => (value === undefined ? "" : Array.isArray(value) ? value.join(", ") : String(value));

export const statusOf = (device: Device): DeviceStatus => (shown(valueOf(device, "identity", "status")) || "noauth") as DeviceStatus;

/** What people call a device: its tag `name`, else its serial number, MAC address or another part of its identity, else its id. */
export function nameOf(device: Device): string {
  const tag = shown(valueOf(device, "tags", "name"));
  if (tag) return tag;
  const identity = device.attributes.filter((attribute) => attribute.scope === "identity" && attribute.name !== "status");
  for (const wanted of ["serial", "serial_number", "sn", "mac"]) {
    const found = identity.find((attribute) => attribute.name.toLowerCase() === wanted);
    if (found) return shown(found.value);
  }
  return shown(identity[0]?.value) || device.id;
}
