/** A device as the features of the API have it, and where they are asked. */
import type { Attribute, Device, DeviceStatus, Value } from "../devices/types";
import { shown, valueOf } from "../devices/types";
import type { Meaning } from "../parts";

export interface AuthSet {
  id: string;
  pubkey: string;
  status: DeviceStatus;
  ts: string;
  tier?: string;
}

export interface AuthDevice {
  id: string;
  status: DeviceStatus;
  identity_data: Record<string, unknown>;
  auth_sets: AuthSet[] | null;
  created_ts: string;
  decommissioning?: boolean;
  check_in_time?: string;
}

export interface Connection {
  status: "connected" | "disconnected" | "unknown";
  updated_ts: string;
}

export interface Configuration {
  configured: Record<string, string>;
  reported: Record<string, string>;
  deployment_id?: string;
  updated_ts?: string;
  reported_ts?: string;
}

interface Line {
  line_number: number;
  data: string;
}

export interface Alert {
  id: string;
  name: string;
  level: "OK" | "CRITICAL";
  timestamp: string;
  subject: {
    name: string;
    type: string;
    status: string;
    details?: { description?: string; lines_before?: Line[]; lines_after?: Line[]; line_matching?: Line; log_file_path?: string };
  };
}

export interface HistoryRow {
  id: string;
  deployment: { id: string; name: string; artifact_name: string; status: string; type: string; created: string };
  device: { id: string; status: string; substate?: string; created: string; started?: string; finished?: string; log: boolean; attempts?: number };
}

const part = encodeURIComponent;
export const paths = {
  inventory: (id: string): string => `/management/v1/inventory/devices/${part(id)}`,
  auth: (id: string): string => `/management/v2/devauth/devices/${part(id)}`,
  authSet: (id: string, set: string): string => `/management/v2/devauth/devices/${part(id)}/auth/${part(set)}`,
  connection: (id: string): string => `/management/v1/deviceconnect/devices/${part(id)}`,
  configuration: (id: string): string => `/management/v1/deviceconfig/configurations/device/${part(id)}`,
  alerts: (id: string): string => `/management/v1/devicemonitor/devices/${part(id)}/alerts`,
  deployments: (id: string): string => `/management/v1/deployments/deployments/devices/${part(id)}`,
  log: (deployment: string, id: string): string => `/management/v1/deployments/deployments/${part(deployment)}/devices/${part(id)}/log`,
  recording: (session: string): string => `/management/v1/deviceconnect/sessions/${part(session)}/recording`,
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
  "already-installed": "Already installed",
  noartifact: "No fitting artifact",
  pause_before_installing: "Paused before installing",
  pause_before_rebooting: "Paused before rebooting",
  pause_before_committing: "Paused before committing",
};

export const statusInWords = (status: string): string => WORDS[status] ?? status.charAt(0).toUpperCase() + status.slice(1);

/** The words of a deployment that has not ended for the device. */
export const isUnfinished = (row: HistoryRow): boolean => !["success", "already-installed", "failure", "aborted", "noartifact", "decommissioned"].includes(row.device.status);
