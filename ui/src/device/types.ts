/** A device as the features of the API have it, and where they are asked. */
import type { Shape } from "../api/calls";
import type { Attribute, Device, Value } from "../devices/types";
import { shown, valueOf } from "../devices/types";
import type { Meaning } from "../parts";

export type AuthSet = Shape<"AuthSet">;
export type AuthDevice = Shape<"DevauthDevice">;
export type Connection = Shape<"DeviceconnectDevice">;
export type Configuration = Shape<"DeviceConfiguration">;
export type Alert = Shape<"Alert">;
export type HistoryRow = Shape<"DeviceHistory">;

/** An unfinished deployment that reaches the device; `opens` is when the phase opens for which it waits. */
export type UpcomingRow = Shape<"Upcoming">;

const part = encodeURIComponent;
export const paths = {
  inventory: (id: string) => `/management/v1/inventory/devices/${part(id)}` as const,
  auth: (id: string) => `/management/v2/devauth/devices/${part(id)}` as const,
  authSet: (id: string, set: string) => `/management/v2/devauth/devices/${part(id)}/auth/${part(set)}` as const,
  connection: (id: string) => `/management/v1/deviceconnect/devices/${part(id)}` as const,
  configuration: (id: string) => `/management/v1/deviceconfig/configurations/device/${part(id)}` as const,
  alerts: (id: string) => `/management/v1/devicemonitor/devices/${part(id)}/alerts` as const,
  deployments: (id: string) => `/management/v1/deployments/deployments/devices/${part(id)}` as const,
  upcoming: (id: string) => `/management/v1/deployments/deployments/devices/${part(id)}/upcoming` as const,
  explain: (id: string) => `/management/v1/deployments/deployments/devices/${part(id)}/explain` as const,
  log: (deployment: string, id: string) => `/management/v1/deployments/deployments/${part(deployment)}/devices/${part(id)}/log` as const,
  recording: (session: string) => `/management/v1/deviceconnect/sessions/${part(session)}/recording` as const,
};

/** Attributes of one scope, by name. */
export const ofScope = (device: Device, scope: string): Attribute[] =>
  device.attributes.filter((attribute) => attribute.scope === scope).sort((a, b) => a.name.localeCompare(b.name));

export const groupOf = (device: Device): string => shown(valueOf(device, "system", "group"));

/** What is installed: the artifact first, then everything whose name says that it is a version. */
export function softwareOf(device: Device): [string, string][] {
  const reported = ofScope(device, "inventory");
  const artifact = reported.filter((attribute) => attribute.name === "artifact_name");
  const versions = reported.filter((attribute) => /(\.version|_version|^artifact_group|\.checksum)$/.test(attribute.name));
  return [...artifact, ...versions].map((attribute) => [attribute.name, shown(attribute.value)]);
}

/** Attributes whose name or value contains all words that are typed. */
export function search(attributes: readonly Attribute[], text: string): Attribute[] {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  return attributes.filter((attribute) => {
    const all = `${attribute.name} ${shown(attribute.value)}`.toLowerCase();
    return words.every((word) => all.includes(word));
  });
}

export const textOf = (value: Value | undefined): string => shown(value);

export type Difference = "same" | "waiting" | "only-wanted" | "only-reported";

/** Wanted and reported configuration side by side, one row for each key. */
export function compare({ configured, reported }: Pick<Configuration, "configured" | "reported">): { key: string; wanted: string | undefined; reported: string | undefined; is: Difference }[] {
  return [...new Set([...Object.keys(configured), ...Object.keys(reported)])].sort().map((key) => {
    const [wanted, is] = [configured[key], reported[key]];
    const state = wanted === undefined ? "only-reported" : is === undefined ? "only-wanted" : wanted === is ? "same" : "waiting";
    return { key, wanted, reported: is, is: state };
  });
}

/** What a device's status in a deployment means. */
export function meaningOf(status: string): Meaning {
  if (status === "success" || status === "already-installed") return "ok";
  if (status === "failure" || status === "decommissioned") return "danger";
  if (status === "aborted" || status === "noartifact") return "neutral";
  if (status === "pending" || status.startsWith("pause")) return "waiting";
  return "running";
}

const WORDS: Record<string, string> = {
  success: "Updated",
  failure: "Failed",
  "already-installed": "Already installed",
  noartifact: "No fitting artifact",
  pause_before_installing: "Paused before installing",
  pause_before_rebooting: "Paused before rebooting",
  pause_before_committing: "Paused before committing",
};

export const statusInWords = (status: string): string => WORDS[status] ?? status.charAt(0).toUpperCase() + status.slice(1);

/** The words of a deployment that has not ended for the device. */
export const isUnfinished = (row: HistoryRow): boolean => !["success", "already-installed", "failure", "aborted", "noartifact", "decommissioned"].includes(row.device.status);
