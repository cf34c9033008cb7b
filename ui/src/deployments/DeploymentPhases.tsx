/** The phases of a deployment: which are open, how full they are, and what the next one waits for. */
import { format, now } from "../app/format";
import { Button, Card, Meter, Phases, Stack, Time } from "../parts";
import { Reason } from "./Reason";
import { secondsOf } from "./rollout";
import { isPaused, type PhaseView, phasesOf, waitsForApproval } from "./states";
import type { Deployment } from "./types";

export function DeploymentPhases({ deployment, onOpen }: { deployment: Deployment; onOpen?: () => void }) {
  const phases = phasesOf(deployment, now.value);
  if (phases.length === 0) return null;
  const next = deployment.status === "finished" ? -1 : phases.findIndex((phase) => !phase.open);
  const total = phases.reduce((all, phase) => all + phase.size, 0) || 1;
  const gated = Boolean(deployment.rollout?.settings?.gate);
  const approval = waitsForApproval(deployment) ? "after the approval" : "";
  return (
    <Card
      title="Phases"
      lead={deployment.status === "finished" ? undefined : next < 0 ? "All phases are open." : <Next deployment={deployment} phases={phases} next={next} />}
      actions={
        next >= 0 &&
        onOpen &&
        !isPaused(deployment) && (
          <Button small icon="play" onClick={onOpen}>
            Open phase {next + 1} now
          </Button>
        )
      }
    >
      <Stack>
        <Gate deployment={deployment} />
        <Phases
          label="Phases"
          phases={phases.map((phase, index) => ({
            label: `Phase ${index + 1}: ${format.count(phase.size, "device")}`,
            share: phase.size / total,
            is: phase.is,
            done: Math.min(1, phase.begun / Math.max(1, phase.size)),
            note: phase.open ? `${format.number(phase.begun)} began` : <Opens start={phase.start} after={index === 0 ? approval : gated ? `after phase ${index}` : ""} />,
          }))}
        />
      </Stack>
    </Card>
  );
}

/** When the next phase opens. With a rollout, the server says what it waits for. */
function Next({ deployment, phases, next }: { deployment: Deployment; phases: readonly PhaseView[]; next: number }) {
  if (waitsForApproval(deployment)) return <>Phase 1 opens when the deployment is approved.</>;
  if (deployment.rollout?.waits) return <Reason>{deployment.rollout.waits.reason}</Reason>;
  const start = phases[next]?.start;
  return (
    <>
      Phase {next + 1} of {phases.length} opens <Time at={start} />, at <Time at={start} absolute />.
    </>
  );
}

/** How many devices have succeeded of those that the gate needs. */
function Gate({ deployment: { rollout } }: { deployment: Deployment }) {
  const { waits, settings } = rollout ?? {};
  if (waits?.needed === undefined || !settings?.gate) return null;
  const { phase, needed, succeeded = 0, failed = 0, began = 0, reached } = waits;
  const soak = secondsOf(settings.gate.soak);
  const left = reached && soak ? Math.max(0, Date.parse(reached) + soak * 1000 - now.value) / 1000 : 0;
  return (
    <Stack gap={2}>
      <Meter calm label={`Succeeded in phase ${phase - 1}`} value={Math.min(succeeded, needed)} max={needed} show={`${format.number(succeeded)} of ${format.number(needed)} needed`} />
      <span class="muted small">
        {format.number(began)} began, {format.number(failed)} failed.
        {left > 0 && ` Enough have succeeded; ${format.duration(left)} to go.`}
      </span>
    </Stack>
  );
}

/** When a phase opens: at its start, or `after` something else too. */
function Opens({ start, after }: { start: string; after: string }) {
  if (after && Date.parse(start) <= now.value) return <>{after}</>;
  return (
    <>
      {after ? `${after}, not before` : "opens"} <Time at={start} absolute />
    </>
  );
}
