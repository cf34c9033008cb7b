/** Pause a deployment, resume it, or open its next phase by hand. */
import { useState } from "preact/hooks";
import { api } from "../api/client";
import { format, now } from "../app/format";
import { toast } from "../app/toasts";
import { ConfirmDialog, EditDialog, Input } from "../parts";
import { failed, phasesOf } from "./states";
import { type Deployment, deploymentPath } from "./types";

interface Props {
  deployment: Deployment;
  /** Which dialog is open: `pause`, `resume` or `phase`; others are not here. */
  open: string;
  onClose: () => void;
  onDone: () => Promise<void>;
}

const MAX_REASON = 256;
const rolloutPath = (id: string) => `${deploymentPath(id)}/rollout` as const;

export function RolloutDialogs({ open, ...props }: Props) {
  switch (open) {
    case "pause":
      return <PauseDialog {...props} />;
    case "resume":
      return <ResumeDialog {...props} />;
    case "phase":
      return <PhaseDialog {...props} />;
    default:
      return null;
  }
}

type DialogProps = Omit<Props, "open">;

function PauseDialog({ deployment, onClose, onDone }: DialogProps) {
  const [reason, setReason] = useState("");
  const save = async (): Promise<string> => {
    await api.post(rolloutPath(deployment.id), { action: "pause", reason: reason.trim() });
    return "The deployment is paused.";
  };
  return (
    <EditDialog title="Pause this deployment?" action="Pause" ready save={save} onDone={onDone} onClose={onClose}>
      <p>No further device begins until the deployment is resumed, and no phase opens. Devices that have begun go on.</p>
      <Input label="Reason" optional maxLength={MAX_REASON} hint="Shown to everybody who looks at the deployment, and in the audit log." value={reason} onInput={setReason} />
    </EditDialog>
  );
}

function ResumeDialog({ deployment, onClose, onDone }: DialogProps) {
  const failures = failed(deployment.statistics.status);
  const resume = async (): Promise<void> => {
    await api.post(rolloutPath(deployment.id), { action: "resume" });
    toast.ok("The deployment is resumed.");
    await onDone();
  };
  return (
    <ConfirmDialog open kind="primary" title="Resume this deployment?" action="Resume" onClose={onClose} onConfirm={resume}>
      <p>Devices begin again when they next poll. Phases that have not opened yet open as much later as the deployment was paused.</p>
      {deployment.rollout?.settings?.stop && failures > 0 && (
        <p>
          The {format.count(failures, "failure")} so far no longer {failures === 1 ? "counts" : "count"}: only new failures stop it again.
        </p>
      )}
    </ConfirmDialog>
  );
}

function PhaseDialog({ deployment, onClose, onDone }: DialogProps) {
  // The number stays as it was when somebody asked: the call opens no other phase, even if this one opens meanwhile.
  const phases = phasesOf(deployment, now.value);
  const [phase] = useState(phases.findIndex((each) => !each.open) + 1);
  const size = phases[phase - 1]?.size ?? 0;
  const open = async (): Promise<void> => {
    await api.post(rolloutPath(deployment.id), { action: "open_phase", phase });
    toast.ok(`Phase ${phase} is open.`);
    await onDone();
  };
  return (
    <ConfirmDialog open kind="primary" title={`Open phase ${phase} for ${format.count(size, "device")} now?`} action={`Open for ${format.count(size, "device")}`} onClose={onClose} onConfirm={open}>
      <p>{format.count(size, "more device")} may begin at their next poll, whatever the gate or the start of the phase says. A phase cannot be closed again, but the deployment can be paused.</p>
    </ConfirmDialog>
  );
}
