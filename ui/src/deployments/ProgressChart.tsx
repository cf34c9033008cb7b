/** How many devices were done when. */
import { useMemo } from "preact/hooks";
import { format, now } from "../app/format";
import { Chart, Skeleton } from "../parts";
import { curveOf, parts } from "./states";
import type { Deployment, Outcomes } from "./types";

const MINUTE = 60_000;

export function ProgressChart({ deployment, outcomes, none }: { deployment: Deployment; outcomes: Outcomes | undefined; none: boolean }) {
  const numbers = deployment.statistics.status;
  const [updated, failed] = parts(numbers);
  const end = deployment.finished ? Date.parse(deployment.finished) : Math.floor(now.value / MINUTE) * MINUTE;
  const start = Date.parse(deployment.phases?.[0]?.start_ts ?? deployment.created);
  const curve = useMemo(() => outcomes && curveOf(outcomes, numbers, start, end), [outcomes, JSON.stringify(numbers), start, end]);
  if ((updated?.value ?? 0) + (failed?.value ?? 0) === 0) {
    return <p class="muted">No device is done yet. The chart appears with the first one.</p>;
  }
  if (!outcomes) return none ? null : <Skeleton block />;
  if (!curve) return null;
  const known = outcomes.updated_at.length + outcomes.failed_at.length;
  const ended = outcomes.updated + outcomes.failed;
  return (
    <>
      <Chart
        title="Devices that are done, over time"
        summary={`${format.count(updated?.value ?? 0, "device")} updated, ${format.number(failed?.value ?? 0)} failed.`}
        kind="line"
        height={10}
        times={curve.times}
        series={[
          { label: "Updated", is: "ok", values: curve.updated },
          { label: "Failed", is: "danger", values: curve.failed },
        ]}
      />
      {known < ended && (
        <p class="muted small">
          Estimated from the times of {format.number(known)} of {format.count(ended, "device")}.
        </p>
      )}
    </>
  );
}
