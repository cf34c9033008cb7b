/** The phases of a deployment: which are open, how full they are, and when the next one opens. */
import { format, now } from "../app/format";
import { Card, Phases, Time } from "../parts";
import { phasesOf } from "./states";
import type { Deployment } from "./types";

export function DeploymentPhases({ deployment }: { deployment: Deployment }) {
  const phases = phasesOf(deployment, now.value);
  if (phases.length === 0) return null;
  const next = deployment.status === "finished" ? -1 : phases.findIndex((phase) => !phase.open);
  const total = phases.reduce((all, phase) => all + phase.size, 0) || 1;
  return (
    <Card
      title="Phases"
      lead={
        next >= 0 ? (
          <>
            Phase {next + 1} of {phases.length} opens <Time at={phases[next]?.start} />, at <Time at={phases[next]?.start} absolute />.
          </>
        ) : deployment.status === "finished" ? undefined : (
          "All phases are open."
        )
      }
    >
      <Phases
        label="Phases"
        phases={phases.map((phase, index) => ({
          label: `Phase ${index + 1}: ${format.count(phase.size, "device")}`,
          share: phase.size / total,
          is: phase.is,
          done: Math.min(1, phase.begun / Math.max(1, phase.size)),
          note: phase.open ? (
            `${format.number(phase.begun)} began`
          ) : (
            <>
              opens <Time at={phase.start} absolute />
            </>
          ),
        }))}
      />
    </Card>
  );
}
