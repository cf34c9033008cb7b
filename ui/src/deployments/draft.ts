/** A deployment that is being made: kept in the URL, so that a reload, the back button and a colleague find it again. */
import type { Query, QueryChange } from "../app/router";
import type { ControlAction, ControlMap, ControlPlace, ControlState, Deployment, RetriedStatus } from "./types";
import { type Protection, protectionOf, readProtection, settingsOf, wrongIn, writeProtection } from "./protecting";
import { devicesWith, isForAll, RETRIED, sizesOf } from "./states";

/** `retry`: the devices of an earlier deployment with some results. */
export type Whom = "" | "devices" | "group" | "filter" | "all" | "retry";
export type Unit = "percent" | "devices";

export interface DraftPhase {
  /** In percent or devices, as typed; of the last phase it does not count. */
  size: string;
  /** RFC 3339; empty: at once, or for a later phase, which needs a gate then, after the phase before. */
  start: string;
}

export interface Draft {
  release: string;
  whom: Whom;
  devices: readonly string[];
  group: string;
  filter: string;
  /** Most devices of a filter, as typed; empty: no limit. */
  max: string;
  /** Of a retry: the earlier deployment, and the results of the devices that are updated again. */
  parent: string;
  statuses: readonly RetriedStatus[];
  unit: Unit;
  phases: readonly DraftPhase[];
  /** What protects the fleet; none: as in Mender. */
  protection: Protection | undefined;
  retries: string;
  force: boolean;
  map: ControlMap | undefined;
  /** As typed; empty: {@link suggestedName}. */
  name: string;
}

export const ONCE: readonly DraftPhase[] = [{ size: "", start: "" }];
export const MAX_PHASES = 100;
const MAX_RETRIES = 100;
const MAX_NAME = 256;

/** The draft of a URL. `devices`, `group` or `filter` alone also say whom it is for. */
export function readDraft(query: Query): Draft {
  const devices = (query.devices ?? "").split(",").filter(Boolean);
  const named: Whom = devices.length ? "devices" : query.group ? "group" : query.filter ? "filter" : "";
  const whom = query.to ?? "";
  return {
    release: query.release ?? "",
    whom: whom === "devices" || whom === "group" || whom === "filter" || whom === "all" || whom === "retry" ? whom : named,
    devices,
    group: query.group ?? "",
    filter: query.filter ?? "",
    max: query.max ?? "",
    parent: query.parent ?? "",
    statuses: RETRIED.filter((each) => query.statuses?.split(",").includes(each)),
    unit: query.unit === "devices" ? "devices" : "percent",
    phases: readPhases(query.phases ?? ""),
    protection: readProtection(query.protect ?? ""),
    retries: query.retries ?? "",
    force: query.force === "true",
    map: readMap(query.map ?? ""),
    name: query.name ?? "",
  };
}

export function writeDraft(draft: Draft): QueryChange {
  const { devices, phases, protection, map, whom, unit, statuses, ...rest } = draft;
  const plain = phases.length === 1 && !phases[0]?.start;
  return {
    ...rest,
    to: whom,
    devices: devices.join(","),
    statuses: statuses.join(","),
    unit: unit === "percent" ? "" : unit,
    phases: plain ? "" : phases.map(({ size, start }) => `${size}@${start}`).join(","),
    protect: writeProtection(protection),
    map: map ? JSON.stringify(map) : "",
  };
}

function readPhases(text: string): readonly DraftPhase[] {
  if (!text) return ONCE;
  return text.split(",").slice(0, MAX_PHASES).map((each) => {
    const cut = each.indexOf("@");
    const start = cut < 0 ? "" : each.slice(cut + 1);
    return { size: cut < 0 ? each : each.slice(0, cut), start: Number.isNaN(Date.parse(start)) ? "" : start };
  });
}

function readMap(text: string): ControlMap | undefined {
  if (!text) return undefined;
  try {
    const found: unknown = JSON.parse(text);
    return typeof found === "object" && found !== null && !Array.isArray(found) ? (found as ControlMap) : undefined;
  } catch {
    return undefined;
  }
}

/** A deployment once more. Phases keep their distances, and begin now if the first one is past. */
export function draftOf(deployment: Deployment, now: number): Draft {
  const terms = deployment.filter.terms ?? [];
  const listed = terms.find((term) => term.attribute === "id" && term.type === "$in")?.value;
  // The devices of a retry are not listed if they are many: then they have to be chosen.
  const chosen: Whom = Array.isArray(listed) ? "devices" : isForAll(deployment) ? "all" : "";
  const whom: Whom = deployment.dynamic ? "filter" : deployment.groups?.length ? "group" : chosen;
  const phases = deployment.phases ?? [];
  const first = Date.parse(phases[0]?.start_ts ?? "");
  const shift = first > now ? 0 : now - first;
  const unit: Unit = phases.some((phase) => phase.batch_size_devices !== undefined) ? "devices" : "percent";
  const { id: _id, ...map } = deployment.update_control_map ?? {};
  const settings = deployment.rollout?.settings;
  /** Phases that begin at the same time differ by their gate only. */
  const follows = (index: number): boolean => settings?.gate !== undefined && index > 0 && phases[index]?.start_ts === phases[index - 1]?.start_ts;
  return {
    release: deployment.artifact_name,
    whom,
    devices: Array.isArray(listed) ? listed.map(String) : [],
    group: deployment.groups?.[0] ?? "",
    filter: deployment.dynamic ? deployment.filter.id : "",
    max: deployment.dynamic && deployment.max_devices ? String(deployment.max_devices) : "",
    parent: "",
    statuses: [],
    unit,
    phases: phases.length
      ? phases.map((phase, index) => ({
          size: index === phases.length - 1 ? "" : String(phase.batch_size ?? phase.batch_size_devices ?? ""),
          start: (index === 0 && shift) || follows(index) ? "" : new Date(Date.parse(phase.start_ts) + shift).toISOString(),
        }))
      : ONCE,
    protection: settings && protectionOf(settings),
    retries: deployment.retries ? String(deployment.retries) : "",
    force: deployment.force_installation ?? false,
    map: deployment.update_control_map ? map : undefined,
    name: deployment.name,
  };
}

/** A retry with all that its parent had; its phases only if each of them would have a device. */
export function retryOf(parent: Deployment, { release, statuses }: Pick<Draft, "release" | "statuses">, now: number): Draft {
  const draft: Draft = {
    ...draftOf(parent, now),
    release, statuses, whom: "retry", parent: parent.id, name: "",
    devices: [], group: "", filter: "", max: "", map: undefined,
  };
  const total = devicesWith(parent.statistics.status, statuses);
  return isPhased(draft) && sizes(draft, total).includes(0) ? { ...draft, phases: ONCE } : draft;
}

const wholeNumber = (text: string): number => (/^\d{1,9}$/.test(text.trim()) ? Number(text) : Number.NaN);

/** How many devices each phase takes, of `total`; a size that is no number counts as none. */
export const sizes = (draft: Draft, total: number): number[] =>
  sizesOf(
    draft.phases.map(({ size }) => {
      const value = wholeNumber(size) || 0;
      return draft.unit === "percent" ? { percent: value } : { devices: value };
    }),
    total,
  );

/** What keeps each step from being done. `total`: how many devices it reaches now, where that is known. */
export function problems(draft: Draft, total: number | undefined): Record<"release" | "devices" | "rollout" | "options" | "review", string | undefined> {
  const max = wholeNumber(draft.max);
  const retries = wholeNumber(draft.retries);
  return {
    release: draft.release ? undefined : "Choose a release.",
    devices: whomProblem(draft, total) ?? (draft.whom === "filter" && draft.max && !(max >= 1) ? "The limit must be a whole number of devices." : undefined),
    rollout: phasesProblem(draft, total) ?? protectionProblem(draft),
    options: draft.retries && !(retries >= 0 && retries <= MAX_RETRIES) ? `Retries must be a whole number up to ${MAX_RETRIES}.` : undefined,
    review: draft.name.length > MAX_NAME ? `The name may have up to ${MAX_NAME} characters.` : undefined,
  };
}

function whomProblem(draft: Draft, total: number | undefined): string | undefined {
  if (draft.whom === "") return "Choose which devices get it.";
  if (draft.whom === "devices" && draft.devices.length === 0) return "Add a device.";
  if (draft.whom === "group" && !draft.group) return "Choose a group.";
  if (draft.whom === "filter") return draft.filter ? undefined : "Choose a saved filter.";
  if (draft.whom === "retry") return draft.statuses.length && total !== 0 ? undefined : "Choose which devices are updated again.";
  return total === 0 ? "No accepted device is among them." : undefined;
}

export const isPhased = (draft: Draft): boolean => draft.phases.length > 1;

/** Later phases open after success, so that they need no time of their own. */
export const isGated = (draft: Draft): boolean => isPhased(draft) && draft.protection?.gate === true;

/** A later phase has no time of its own. */
export const isUntimed = (draft: Draft): boolean => draft.phases.some(({ start }, index) => index > 0 && !start);

function protectionProblem(draft: Draft): string | undefined {
  const wrong = draft.protection && Object.keys(wrongIn(draft.protection, isPhased(draft))).length > 0;
  return wrong ? "Correct the protection." : undefined;
}

function phasesProblem(draft: Draft, total: number | undefined): string | undefined {
  const { phases, unit } = draft;
  if (phases.length === 1) return undefined;
  if (phases.length > MAX_PHASES) return `There may be up to ${MAX_PHASES} phases.`;
  let sum = 0;
  let before = Number.NEGATIVE_INFINITY;
  for (const [index, phase] of phases.entries()) {
    const last = index === phases.length - 1;
    const size = wholeNumber(phase.size);
    if (!last && !(size >= 1)) return `Phase ${index + 1} needs a size: a whole number above zero.`;
    sum += last ? 0 : size;
    const gated = isGated(draft);
    if (index > 0 && !phase.start && !gated) return `Phase ${index + 1} needs a start time.`;
    const start = phase.start ? Date.parse(phase.start) : index === 0 ? Date.now() : before;
    if (gated ? start < before : start <= before) return `Phase ${index + 1} must start after phase ${index}.`;
    before = start;
  }
  if (unit === "percent" && sum >= 100) return "The phases before the last must be less than 100 % together.";
  if (total) {
    const empty = sizes(draft, total).indexOf(0);
    if (empty >= 0) return `Phase ${empty + 1} would have no device: it reaches ${total} in all.`;
  }
  return undefined;
}

/** The call that makes the deployment. */
export function callOf(draft: Draft, name: string) {
  const retries = wholeNumber(draft.retries);
  const max = wholeNumber(draft.max);
  const [only] = draft.phases;
  const phases =
    draft.phases.length === 1
      ? only?.start
        ? [{ start_ts: only.start }]
        : undefined
      : draft.phases.map(({ size, start }, index) => ({
          ...(index < draft.phases.length - 1 ? { [draft.unit === "percent" ? "batch_size" : "batch_size_devices"]: wholeNumber(size) } : {}),
          ...(start ? { start_ts: start } : {}),
        }));
  const rollout = draft.protection && settingsOf(draft.protection, isPhased(draft));
  const common = {
    name,
    artifact_name: draft.release,
    ...(draft.force ? { force_installation: true } : {}),
    ...(retries ? { retries } : {}),
    ...(phases ? { phases } : {}),
    ...(rollout ? { rollout } : {}),
    ...(draft.map ? { update_control_map: draft.map } : {}),
  };
  const v1 = "/management/v1/deployments/deployments" as const;
  switch (draft.whom) {
    case "retry": {
      // What is absent is as in the earlier deployment. The server chooses a name that tells its retries apart.
      const { name: _, update_control_map: __, ...rest } = common;
      const own = draft.name.trim() ? { name: draft.name.trim() } : {};
      const body = { ...rest, ...own, statuses: [...draft.statuses], force_installation: draft.force, retries: retries || 0, rollout: rollout ?? {} };
      return { path: `${v1}/${encodeURIComponent(draft.parent)}/retry` as const, body };
    }
    case "group":
      return { path: `${v1}/group/${encodeURIComponent(draft.group)}` as const, body: common };
    case "filter":
      return { path: "/management/v2/deployments/deployments" as const, body: { ...common, filter_id: draft.filter, ...(max ? { max_devices: max } : {}) } };
    case "devices":
      return { path: v1, body: { ...common, devices: draft.devices } };
    default:
      return { path: v1, body: { ...common, all_devices: true } };
  }
}

export function suggestedName(draft: Draft, filterName: string): string {
  const whom = {
    "": "",
    retry: "",
    all: "all devices",
    group: draft.group,
    filter: filterName,
    devices: draft.devices.length === 1 ? "1 device" : `${draft.devices.length} devices`,
  }[draft.whom];
  return `${draft.release}${whom ? ` for ${whom}` : ""}`.slice(0, MAX_NAME);
}

export const CONTROL_PLACES: readonly { id: ControlPlace; label: string }[] = [
  { id: "ArtifactInstall_Enter", label: "Before installing" },
  { id: "ArtifactReboot_Enter", label: "Before rebooting" },
  { id: "ArtifactCommit_Enter", label: "Before committing" },
];

export const CONTROL_ACTIONS: readonly { value: ControlAction; label: string }[] = [
  { value: "continue", label: "Continue" },
  { value: "force_continue", label: "Continue, whatever other maps say" },
  { value: "pause", label: "Pause" },
  { value: "fail", label: "Fail" },
];

type ExpiryAction = NonNullable<ControlState["on_map_expire"]>;
/** What may happen when the server is not heard: all but to go on waiting. */
export const EXPIRY_ACTIONS = CONTROL_ACTIONS.filter((each): each is { value: ExpiryAction; label: string } => each.value !== "pause");

/** A map with another action at one place; a place that only continues is left out. */
export function withAction(map: ControlMap, where: ControlPlace, change: ControlState): ControlMap {
  const { [where]: old, ...others } = map.states ?? {};
  const state = { ...old, ...change };
  const kept = state.action === "continue" && !state.on_map_expire && !state.on_action_executed ? {} : { [where]: state };
  return { ...map, states: { ...others, ...kept } };
}

export function controlInWords(map: ControlMap): string {
  const words = CONTROL_PLACES.flatMap(({ id, label }) => {
    const action = map.states?.[id]?.action;
    return action ? [`${label.toLowerCase()}: ${CONTROL_ACTIONS.find((each) => each.value === action)?.label.toLowerCase() ?? action}`] : [];
  });
  return words.join("; ") || "continues everywhere";
}
