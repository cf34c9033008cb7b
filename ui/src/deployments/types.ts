/** Deployments as the API has them. */
import type { Shape } from "../api/calls";

export type Deployment = Shape<"Deployment">;
export type ServerPhase = Shape<"Phase">;
/** A device in a deployment, from its first poll on. */
export type Row = Shape<"DeploymentDevice">;
export type DeviceStatus = Row["status"];
export type Numbers = Deployment["statistics"]["status"];
export type ControlMap = Shape<"ControlMap">["update_control_map"];
export type ControlPlace = keyof NonNullable<ControlMap["states"]>;
export type ControlState = NonNullable<NonNullable<ControlMap["states"]>[ControlPlace]>;
export type ControlAction = NonNullable<ControlState["action"]>;
export type Term = Deployment["filter"]["terms"][number];

/** How the devices fared that failed or were updated; `*_at` and `reasons` are of as many as the server reads. */
export type Outcomes = Shape<"Outcomes">;

export type FailureReason = Shape<"FailureReason">;

/** The course and the results of a deployment. */
export type Report = Shape<"Report">;
export type ReportPart = Shape<"ReportPart">;

/** A result after which a device can be updated again by a retry. */
export type RetriedStatus = NonNullable<Shape<"NewRetry">["statuses"]>[number];

/** What was requested to protect a deployment. */
export type RolloutSettings = Shape<"Rollout">;
export type Gate = Shape<"Gate">;
export type Stop = Shape<"Stop">;
export type Window = Shape<"Window">;

/** What the server says of a device that said nothing. */
export const NO_REASON = "no reason given";

export const DEPLOYMENTS = "/management/v1/deployments/deployments";
export const DEPLOYMENTS_V2 = "/management/v2/deployments/deployments";
export const SEARCH = "/management/v2/inventory/filters/search";

export const RELEASES = "/management/v2/deployments/deployments/releases";

export const deploymentPath = (id: string) => `${DEPLOYMENTS}/${encodeURIComponent(id)}` as const;
