/** How many devices were done when. */
import { useMemo, useRef } from "preact/hooks";
import { format, now } from "../app/format";
import { useApi } from "../app/resource";
import { Chart, Skeleton } from "../parts";
import { curveOf, parts } from "./states";
import { type Deployment, deploymentPath } from "./types";

/** The largest page of the API. Of larger deployments these rows are a sample, as rows of a status have no order in time. */
const SAMPLE = 500;
const MINUTE = 60_000;

export function ProgressChart({ deployment, wait }: { deployment: Deployment; wait: boolean }) {
  const begun = useRef(false);
  begun.current ||= !wait;
  const numbers = deployment.statistics.status;
  const [updated, failed] = parts(numbers);
  const ended = (updated?.value ?? 0) + (failed?.value ?? 0);
  const all = ended <= SAMPLE;
  const sample = useApi(
    begun.current && ended > 0
      ? { path: `${deploymentPath(deployment.id)}/devices/list`, query: { status: all ? ["success", "already-installed", "failure"] : ["success"], per_page: SAMPLE } }
      : null,
  );
  const end = deployment.finished ? Date.parse(deployment.finished) : Math.floor(now.value / MINUTE) * MINUTE;
  const start = Date.parse(deployment.phases?.[0]?.start_ts ?? deployment.created);
  const curve = useMemo(() => sample.data && curveOf(sample.data, numbers, start, end), [sample.data, JSON.stringify(numbers), start, end]);
  if (ended === 0) {
    return <p class="muted">No device is done yet. A curve appears here with the first one.</p>;
  }
  if (!begun.current || sample.error) return null;
  if (!curve) return sample.data ? null : <Skeleton block />;
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
          ...(all ? [{ label: "Failed", is: "danger" as const, values: curve.failed }] : []),
        ]}
      />
      {!all && (
        <p class="muted small">
          Estimated from the times of {format.number(SAMPLE)} of {format.count(updated?.value ?? 0, "device")}.
        </p>
      )}
    </>
  );
}
