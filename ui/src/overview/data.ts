/** The answer of `GET console/overview` (`chalicelib/overview/shapes.py`), and what of it needs attention. */
import type { Shape } from "../api/calls";

export type Brief = Shape<"Brief">;
export type Some = Shape<"Some">;
export type Devices = Shape<"Devices">;
export type Deployment = Shape<"Deployment">;
export type Deployments = Shape<"OverviewDeployments">;
/** A part that the user may not read is left out. */
export type Overview = Shape<"Overview">;

type Status = keyof Deployment["statistics"]["status"];
const sum = (deployment: Deployment, ...statuses: Status[]): number =>
  statuses.reduce((all, status) => all + (deployment.statistics.status[status] ?? 0), 0);

export const failures = (deployment: Deployment): number => sum(deployment, "failure");
export const successes = (deployment: Deployment): number => sum(deployment, "success", "already-installed");
export const finished = (deployment: Deployment): number =>
  sum(deployment, "success", "already-installed", "failure", "noartifact", "aborted", "decommissioned");

/** It waits for approval, and not by the user who has created it. */
const canBeApproved = ({ approval }: Deployment, approver: string): boolean => approval?.state === "waiting" && approval.requested_by.id !== approver;

/** Devices of every status. */
export const total = (devices: Devices): number => Object.values(devices.by_status).reduce((all, count) => all + count, 0);

export interface Need {
  kind: "failing" | "approving" | "alerting" | "silent" | "pending";
  count: number;
  deployment?: Deployment;
  some?: Some;
}

/**
 * The most urgent first: rollouts that fail now, those that wait for approval, alerts, silent devices, rollouts that
 * failed, pending devices. `approver`: the user's id, if they may approve deployments.
 */
export function needs({ devices, deployments }: Overview, approver = ""): Need[] {
  const failing = (some: Deployment[] = []): Need[] =>
    some.filter((each) => failures(each) > 0).map((deployment) => ({ kind: "failing", count: failures(deployment), deployment }));
  const about = (kind: "alerting" | "silent", some: Some | undefined): Need[] => (some?.count ? [{ kind, count: some.count, some }] : []);
  const pending = devices?.by_status.pending ?? 0;
  return [
    ...failing(deployments?.open),
    ...(deployments?.open ?? []).filter((each) => approver && canBeApproved(each, approver)).map((deployment) => ({ kind: "approving" as const, count: 1, deployment })),
    ...about("alerting", devices?.alerting),
    ...about("silent", devices?.silent),
    ...failing(deployments?.failed),
    ...(pending ? [{ kind: "pending" as const, count: pending }] : []),
  ];
}
