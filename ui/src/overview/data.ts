/** The answer of `GET console/overview` (`chalicelib/overview/shapes.py`), and what of it needs attention. */

export interface Brief {
  id: string;
  name: string;
  seen?: string;
}

export interface Some {
  count: number;
  devices: Brief[];
}

export interface Devices {
  by_status: Partial<Record<"accepted" | "pending" | "rejected" | "preauthorized" | "noauth", number>>;
  alerting: Some;
  silent: Some;
  silent_hours: number;
  software: { name: string; count: number }[];
  other_software: number;
}

export interface Deployment {
  id: string;
  name: string;
  artifact_name: string;
  created: string;
  finished?: string;
  status: string;
  device_count: number;
  max_devices: number;
  statistics: { status: Record<string, number>; total_size: number };
  phases?: { id: string; start_ts: string }[];
}

export interface Deployments {
  open: Deployment[];
  open_count: number;
  failed: Deployment[];
  days: { day: string; deployments: number; success: number; failure: number }[];
}

/** A part that the user may not read is left out. */
export interface Overview {
  devices?: Devices | undefined;
  deployments?: Deployments | undefined;
}

const sum = (deployment: Deployment, ...statuses: string[]): number =>
  statuses.reduce((all, status) => all + (deployment.statistics.status[status] ?? 0), 0);

export const failures = (deployment: Deployment): number => sum(deployment, "failure");
export const successes = (deployment: Deployment): number => sum(deployment, "success", "already-installed");
export const finished = (deployment: Deployment): number =>
  sum(deployment, "success", "already-installed", "failure", "noartifact", "aborted", "decommissioned");

/** Devices of every status. */
export const total = (devices: Devices): number => Object.values(devices.by_status).reduce((all, count) => all + count, 0);

export interface Need {
  kind: "failing" | "alerting" | "silent" | "pending";
  count: number;
  deployment?: Deployment;
  some?: Some;
}

/** The most urgent first: rollouts that fail now, alerts, silent devices, rollouts that failed, those who wait. */
export function needs({ devices, deployments }: Overview): Need[] {
  const failing = (some: Deployment[] = []): Need[] =>
    some.filter((each) => failures(each) > 0).map((deployment) => ({ kind: "failing", count: failures(deployment), deployment }));
  const about = (kind: "alerting" | "silent", some: Some | undefined): Need[] => (some?.count ? [{ kind, count: some.count, some }] : []);
  const pending = devices?.by_status.pending ?? 0;
  return [
    ...failing(deployments?.open),
    ...about("alerting", devices?.alerting),
    ...about("silent", devices?.silent),
    ...failing(deployments?.failed),
    ...(pending ? [{ kind: "pending" as const, count: pending }] : []),
  ];
}
