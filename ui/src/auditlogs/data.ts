/** Entries of the audit log (`chalicelib/auditlogs/shapes.py`) in words, and what one changed. */
import type { Shape } from "../api/calls";
import { pathTo } from "../app/router";
import type { Meaning } from "../parts/basic";

export type Entry = Shape<"AuditLog">;
export type Health = Shape<"Health">;

const ACTIONS: Record<string, [string, Meaning]> = {
  abort: ["Aborted", "warning"],
  auth_method_change: ["Changed sign-in of", "neutral"],
  approve: ["Approved", "ok"],
  close_portforward: ["Closed a port of", "neutral"],
  close_terminal: ["Closed the terminal of", "neutral"],
  create: ["Created", "ok"],
  decommission: ["Decommissioned", "danger"],
  delete: ["Deleted", "danger"],
  deploy_configuration: ["Deployed configuration to", "running"],
  download_file: ["Downloaded a file from", "neutral"],
  open_portforward: ["Opened a port of", "running"],
  open_terminal: ["Opened the terminal of", "running"],
  password_change: ["Changed the password of", "neutral"],
  reject: ["Rejected", "danger"],
  set_configuration: ["Changed configuration of", "neutral"],
  update: ["Updated", "neutral"],
  upload: ["Uploaded", "ok"],
  upload_file: ["Sent a file to", "neutral"],
};

export const TYPES: Record<string, string> = {
  artifact: "Artifact",
  deployment: "Deployment",
  device: "Device",
  filter: "Saved filter",
  integration: "Webhook",
  release: "Release",
  role: "Role",
  settings: "Settings",
  tenant: "Organization",
  trusted_key: "Trusted key",
  user: "User",
  user_access_token: "Access token",
};

/** What was done, as a verb before its object. */
export const verb = (action: string): string => ACTIONS[action]?.[0] ?? action.replaceAll("_", " ");
export const meaning = (action: string): Meaning => ACTIONS[action]?.[1] ?? "neutral";
export const kind = (type: string): string => TYPES[type] ?? type.replaceAll("_", " ");

const NAMES = ["name", "artifact_name", "email", "provider"] as const;

/** What people call the object of an entry; its id where nothing else is known. */
export function objectName(entry: Entry): string {
  const about = entry.object[entry.object.type];
  if (typeof about === "object" && about !== null) {
    for (const key of NAMES) {
      const value = (about as Record<string, unknown>)[key];
      if (typeof value === "string" && value) return value;
    }
    const identity = asJson(String((about as Record<string, unknown>).identity_data ?? ""));
    if (typeof identity === "object" && identity !== null) {
      // What says most: a hardware address only where there is nothing else.
      const [first] = Object.entries(identity).sort(([a], [b]) => Number(a === "mac") - Number(b === "mac") || a.localeCompare(b));
      if (first && typeof first[1] === "string" && first[1]) return first[1];
    }
  }
  return entry.object.id;
}

/** The screen that shows the object, if there is one. */
export function objectPath(entry: Entry): string | undefined {
  switch (entry.object.type) {
    case "deployment":
      return pathTo("deployments", entry.object.id);
    case "device":
      return entry.action === "decommission" ? undefined : pathTo("devices", entry.object.id);
    case "release":
      return entry.action === "delete" ? undefined : pathTo("releases", entry.object.id);
    case "artifact": {
      const name = objectName(entry);
      return entry.action === "delete" || name === entry.object.id ? undefined : pathTo("releases", name);
    }
    default:
      return undefined;
  }
}

/** How an acceptance rule says so in its entry: with its name, and its id in brackets. */
const BY_RULE = /accepted by rule (.*) \([^()]*\)$/s;

/** The acceptance rule that did it, if one did. */
export function ruleName(entry: Entry): string {
  const found = entry.actor.type === "system" && BY_RULE.exec(entry.change ?? "");
  return found ? `rule ${found[1]}` : "";
}

export const actorName = (entry: Entry): string => entry.actor.email || ruleName(entry) || (entry.actor.type === "user" ? entry.actor.id : `${entry.actor.type} ${entry.actor.id}`.trim());

export interface Difference {
  before: unknown;
  after: unknown;
}

const LINE = /^([^:]{1,128}): (.*?) -> (.*)$/;

/** What was and what is, as an entry's text says it (`name: old -> new`, or a pair as JSON); undefined if it is other text. */
export function difference(change: string): Difference | undefined {
  const pair = asJson(change);
  if (Array.isArray(pair) && pair.length === 2) return { before: pair[0], after: pair[1] };
  if (pair !== undefined) return undefined;
  const lines = change.split(/\n|, (?=[^:,]{1,128}: [^\n]*? -> )/);
  const found = lines.map((line) => LINE.exec(line));
  if (lines.length === 0 || found.some((each) => !each)) return undefined;
  const side = (group: 2 | 3): string =>
    found
      .filter((each) => !/^(none|\(none\))$/.test(each?.[group] ?? ""))
      .map((each) => `${each?.[1]}: ${each?.[group]}`)
      .join("\n");
  return { before: side(2), after: side(3) };
}

/** A change that is a document, such as a configuration. */
export function asJson(change: string): unknown {
  if (!/^\s*[[{]/.test(change)) return undefined;
  try {
    return JSON.parse(change) as unknown;
  } catch {
    return undefined;
  }
}

/** A row's own key: entries have no id. */
export const keyOf = (entry: Entry): string => `${entry.time} ${entry.action} ${entry.object.type} ${entry.object.id}`;
