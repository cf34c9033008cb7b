/** What a deployment's numbers, phases and devices mean. Nothing here draws. */
import type { Meaning } from "../parts/basic";
import type { Deployment, DeviceStatus, Numbers, Outcomes, RetriedStatus } from "./types";

export const DEVICE_STATUSES: Record<DeviceStatus, { label: string; is: Meaning }> = {
  failure: { label: "Failed", is: "danger" },
  aborted: { label: "Aborted", is: "neutral" },
  pause_before_installing: { label: "Paused before installing", is: "warning" },
  pause_before_committing: { label: "Paused before committing", is: "warning" },
  pause_before_rebooting: { label: "Paused before rebooting", is: "warning" },
  downloading: { label: "Downloading", is: "running" },
  installing: { label: "Installing", is: "running" },
  rebooting: { label: "Rebooting", is: "running" },
  pending: { label: "Pending", is: "waiting" },
  success: { label: "Updated", is: "ok" },
  noartifact: { label: "No fitting artifact", is: "neutral" },
  "already-installed": { label: "Already installed", is: "ok" },
  decommissioned: { label: "Decommissioned", is: "neutral" },
};

export interface Part {
  id: string;
  label: string;
  is: Meaning;
  statuses: readonly DeviceStatus[];
  value: number;
}

/** The numbers of a deployment in the few parts that people tell apart; together they are all of its devices. */
export function parts(numbers: Numbers): Part[] {
  const sum = (...statuses: DeviceStatus[]): Pick<Part, "statuses" | "value"> => ({
    statuses,
    value: statuses.reduce((all, each) => all + (numbers[each] ?? 0), 0),
  });
  return [
    { id: "updated", label: "Updated", is: "ok", ...sum("success", "already-installed") },
    { id: "failed", label: "Failed", is: "danger", ...sum("failure") },
    { id: "running", label: "In progress", is: "running", ...sum("downloading", "installing", "rebooting") },
    { id: "paused", label: "Paused", is: "warning", ...sum("pause_before_installing", "pause_before_committing", "pause_before_rebooting") },
    { id: "waiting", label: "Waiting", is: "waiting", ...sum("pending") },
    { id: "other", label: "Not updated", is: "neutral", ...sum("aborted", "noartifact", "decommissioned") },
  ];
}

const valueOf = (numbers: Numbers, id: string): number => parts(numbers).find((part) => part.id === id)?.value ?? 0;

/** Devices that an abort would concern: those that have not ended. */
export const unfinished = (numbers: Numbers): number => valueOf(numbers, "running") + valueOf(numbers, "paused") + valueOf(numbers, "waiting");

export const failed = (numbers: Numbers): number => numbers.failure ?? 0;

/** The results after which devices can be updated again. */
export const RETRIED: readonly RetriedStatus[] = ["failure", "aborted", "noartifact"];

/** The number of devices with one of these results. */
export const devicesWith = (numbers: Numbers, statuses: readonly RetriedStatus[]): number => statuses.reduce((all, each) => all + (numbers[each] ?? 0), 0);

/** All devices of a deployment that are known so far. */
export const sizeOf = (deployment: Deployment): number =>
  Math.max(deployment.dynamic ? (deployment.max_devices || deployment.device_count) : deployment.max_devices, deployment.device_count);

const ended = (numbers: Numbers): number => parts(numbers).reduce((all, part) => all + part.value, 0) - unfinished(numbers);

/** It ended before all of its devices did. The API has no status for that. */
export function wasAborted(deployment: Deployment): boolean {
  if (deployment.status !== "finished") return false;
  const numbers = deployment.statistics.status;
  return (numbers.aborted ?? 0) > 0 || (deployment.dynamic && deployment.max_devices === 0) || ended(numbers) < deployment.max_devices;
}

/** The server is still listing the devices of a large deployment; none of them gets it before. */
export const isBeingPrepared = ({ preparing, status }: Deployment): boolean => preparing !== undefined && status !== "finished";

/** No device gets it until a second person approves it. */
export const waitsForApproval = ({ approval }: Deployment): boolean => approval?.state === "waiting";

/** No further device begins until somebody resumes it. */
export const isPaused = ({ status, rollout }: Deployment): boolean => status !== "finished" && (rollout?.state === "paused" || rollout?.state === "stopped");

/** How a deployment is, in a word; failures have a number of their own beside it. */
export function stateOf(deployment: Deployment): { label: string; is: Meaning } {
  const failures = failed(deployment.statistics.status);
  if (waitsForApproval(deployment)) return { label: "Needs approval", is: "warning" };
  if (isBeingPrepared(deployment)) return { label: "Preparing", is: "running" };
  const stopped = deployment.rollout?.state === "stopped";
  if (stopped) return { label: deployment.status === "finished" ? "Aborted" : "Stopped", is: "danger" };
  if (deployment.rollout?.state === "paused") return { label: "Paused", is: "warning" };
  switch (deployment.status) {
    case "scheduled":
      return { label: "Scheduled", is: "waiting" };
    case "pending":
      return { label: "Waiting", is: "waiting" };
    case "inprogress":
      return { label: "In progress", is: failures ? "warning" : "running" };
    default:
      if (wasAborted(deployment)) return { label: "Aborted", is: "neutral" };
      return { label: "Finished", is: failures ? "danger" : "ok" };
  }
}

/** It is for all accepted devices, unless it is for a group or filter. */
export const isForAll = (deployment: Deployment): boolean => (deployment.filter.terms ?? []).some((term) => term.attribute === "status");

/** Whom a deployment is for, in words. */
export function targetOf(deployment: Deployment): string {
  if (deployment.dynamic) return `Filter ${deployment.filter.name || deployment.filter.id}`;
  if (deployment.groups?.length) return `Group ${deployment.groups.join(", ")}`;
  if (isForAll(deployment)) return "All devices";
  return "Chosen devices";
}

export interface PhaseView {
  start: string;
  /** Devices that it lets begin. */
  size: number;
  begun: number;
  open: boolean;
  is: Meaning;
}

/** The phases of a deployment as they are now; `now` in milliseconds. */
export function phasesOf(deployment: Deployment, now: number): PhaseView[] {
  const given = deployment.phases ?? [];
  const total = deployment.dynamic ? (deployment.initial_device_count ?? 0) : deployment.max_devices;
  const sizes = sizesOf(given.map((phase) => ({ percent: phase.batch_size, devices: phase.batch_size_devices })), total);
  // Time opens phases, unless a gate, a pause, an approval or an operator decides it.
  const opened = waitsForApproval(deployment) ? 0 : deployment.rollout?.opened ?? given.filter((phase) => Date.parse(phase.start_ts) <= now).length;
  return given.map((phase, index) => ({
    start: phase.start_ts,
    size: sizes[index] ?? 0,
    begun: phase.device_count,
    open: index < opened,
    is: deployment.status === "finished" ? "neutral" : index >= opened ? "waiting" : index === opened - 1 ? "running" : "ok",
  }));
}

/** How many devices each phase takes: shares are rounded down, and the last phase takes all others. */
export function sizesOf(phases: readonly { percent?: number | undefined; devices?: number | undefined }[], total: number): number[] {
  let left = total;
  return phases.map((phase, index) => {
    const wanted = index === phases.length - 1 ? left : (phase.devices ?? Math.floor((total * (phase.percent ?? 0)) / 100));
    const size = Math.max(0, Math.min(wanted, left));
    left -= size;
    return size;
  });
}

export interface Curve {
  times: number[];
  updated: number[];
  failed: number[];
}

const POINTS = 60;

/**
 * How many devices had ended at each of up to 60 moments.
 *
 * `outcomes` may tell of a part of them: then each stands for as many as `numbers` says.
 */
export function curveOf(outcomes: Pick<Outcomes, "updated_at" | "failed_at">, numbers: Numbers, start: number, end: number): Curve | undefined {
  const good = outcomes.updated_at.map((at) => Date.parse(at));
  const bad = outcomes.failed_at.map((at) => Date.parse(at));
  if (good.length + bad.length === 0) return undefined;
  const all = [...good, ...bad];
  const from = Math.min(start, ...all);
  const to = Math.max(end, from + 1000, ...all);
  const count = (moments: number[], real: number, at: number): number =>
    moments.length === 0 ? 0 : Math.round((moments.filter((each) => each <= at).length * Math.max(real, moments.length)) / moments.length);
  const steps = Math.min(POINTS, Math.max(2, Math.floor((to - from) / 1000) + 1));
  const curve: Curve = { times: [], updated: [], failed: [] };
  for (let step = 0; step < steps; step++) {
    const at = from + ((to - from) * step) / (steps - 1);
    curve.times.push(at / 1000);
    curve.updated.push(count(good, valueOf(numbers, "updated"), at));
    curve.failed.push(count(bad, failed(numbers), at));
  }
  // Devices may have ended since the outcomes were read.
  curve.updated[steps - 1] = valueOf(numbers, "updated");
  curve.failed[steps - 1] = failed(numbers);
  return curve;
}
