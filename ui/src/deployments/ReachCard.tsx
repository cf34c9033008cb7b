/** How many devices a draft reaches, beside every step. */
import { format } from "../app/format";
import { can } from "../app/session";
import { textOf } from "../app/toasts";
import { Banner, Card, Name, Stack, Status } from "../parts";
import type { Draft } from "./draft";
import { sizes } from "./draft";
import type { Reach } from "./reach";

export function ReachCard({ draft, reach }: { draft: Draft; reach: Reach }) {
  const { total, fitting, types } = reach;
  const limit = draft.whom === "filter" ? Number(draft.max) || 0 : 0;
  return (
    <Card title="Reaches">
      <Stack gap={3}>
        <div class="stat__value numbers" role="status">
          {total === undefined ? (
            <span class="muted">–</span>
          ) : (
            format.count(limit ? Math.min(limit, total) : total, "device")
          )}
        </div>
        {draft.whom === "retry" ? (
          <p class="muted small">At most: devices that were decommissioned since, or that your rights do not include, are left out.</p>
        ) : !can("devices:read") ? (
          <p class="muted small">You do not have the right to count devices. The server deploys only to devices that your rights include.</p>
        ) : total === undefined ? (
          <p class="muted small">{draft.whom ? "Complete the choice of devices to see how many it reaches." : "Choose devices to see how many it reaches."}</p>
        ) : (
          <Fit total={total} fitting={fitting} />
        )}
        {types.length > 0 && (
          <p class="muted small">
            The release is for <Name wrap>{types.join(", ")}</Name>.
          </p>
        )}
        {draft.whom === "filter" && total !== undefined && (
          <p class="muted small">Devices that match later are reached too{limit ? `, up to ${format.count(limit, "device")} in all` : ", until the deployment is aborted"}.</p>
        )}
        {draft.phases.length > 1 && total !== undefined && total > 0 && (
          <ol class="deployments-sizes">
            {sizes(draft, total).map((size, index) => (
              <li key={index}>
                <span>Phase {index + 1}</span>
                <span class="numbers">{format.count(size, "device")}</span>
              </li>
            ))}
          </ol>
        )}
        {reach.error ? (
          <Banner is="warning">{textOf(reach.error)}</Banner>
        ) : null}
      </Stack>
    </Card>
  );
}

function Fit({ total, fitting }: { total: number; fitting: number | undefined }) {
  if (fitting === undefined || total === 0) return null;
  if (fitting === total) return <Status is="ok">The release fits all of them</Status>;
  if (fitting === 0) return <Status is="danger">The release fits none of them</Status>;
  return (
    <>
      <Status is="warning">The release fits {format.number(fitting)} of them</Status>
      <p class="muted small">{format.number(total - fitting)} have another device type, or have not reported one. They end as “No fitting artifact”.</p>
    </>
  );
}
