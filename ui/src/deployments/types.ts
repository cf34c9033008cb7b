/** Deployments as the API has them. */
export type DeviceStatus =
  | "failure" | "aborted" | "pause_before_installing" | "pause_before_committing" | "pause_before_rebooting" | "downloading" | "installing"
  | "rebooting" | "pending" | "success" | "noartifact" | "already-installed" | "decommissioned";

export type Numbers = Partial<Record<DeviceStatus, number>>;

export interface ServerPhase {
  id: string;
  start_ts: string;
  /** Devices that began while this was the last open phase. */
  device_count: number;
  batch_size?: number;
  batch_size_devices?: number;
}

export type ControlAction = "continue" | "force_continue" | "pause" | "fail";

export interface ControlState {
  action?: ControlAction;
  on_map_expire?: ControlAction;
  on_action_executed?: ControlAction;
}

export interface ControlMap {
  id?: string;
  priority?: number;
  states?: Partial<Record<ControlPlace, ControlState>>;
}

export type ControlPlace = "ArtifactInstall_Enter" | "ArtifactReboot_Enter" | "ArtifactCommit_Enter";

export interface Term {
  scope: string;
  attribute: string;
  type: string;
  value: unknown;
}

export interface Deployment {
  id: string;
  name: string;
  artifact_name: string;
  created: string;
  finished?: string;
  status: "scheduled" | "pending" | "inprogress" | "finished";
  /** Devices that have polled. */
  device_count: number;
  /** Its size; of a dynamic deployment the limit, 0: none. */
  max_devices: number;
  statistics: { status: Numbers; total_size: number };
  type: "software" | "configuration";
  filter: { id: string; name: string; terms?: Term[] };
  groups?: string[];
  force_installation?: boolean;
  retries?: number;
  phases?: ServerPhase[];
  update_control_map?: ControlMap;
  dynamic?: boolean;
  initial_device_count?: number;
}

/** A device in a deployment, from its first poll on. */
export interface Row {
  id: string;
  status: DeviceStatus;
  created: string;
  log: boolean;
  started?: string;
  finished?: string;
  substate?: string;
  attempts?: number;
  phase_id?: string;
  device_type?: string;
}

export const DEPLOYMENTS = "/management/v1/deployments/deployments";
export const DEPLOYMENTS_V2 = "/management/v2/deployments/deployments";
export const SEARCH = "/management/v2/inventory/filters/search";

export const deploymentPath = (id: string): string => `${DEPLOYMENTS}/${encodeURIComponent(id)}`;
