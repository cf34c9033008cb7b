/** Why devices of a deployment failed, by how many did; each reason lists its devices below. */
import { useState } from "preact/hooks";
import { format } from "../app/format";
import { pathTo, useQuery } from "../app/router";
import { Card, Details, KeyValues, Link, Name, Progress } from "../parts";
import { DeviceLinks } from "./DeviceLinks";
import type { Deployment, FailureReason, Outcomes } from "./types";

/** More than a reader takes in; what is rarer is counted together. */
const SHOWN = 8;

export function Failures({ deployment, outcomes }: { deployment: Deployment; outcomes: Outcomes }) {
  const { reasons, failed, failed_read: read } = outcomes;
  const lead = read < failed ? `Counted from the first ${format.number(read)} of ${format.count(failed, "device")} that failed.` : undefined;
  return <FailureList deployment={deployment.id} reasons={reasons} {...(lead ? { lead } : {})} />;
}

export function FailureList({ deployment, reasons, lead }: { deployment: string; reasons: readonly FailureReason[]; lead?: string }) {
  const [chosen] = useQuery("reason");
  const shown = reasons.slice(0, SHOWN);
  const rest = reasons.slice(SHOWN);
  if (reasons.length === 0) return null;
  const most = Math.max(...reasons.map((each) => each.count));
  return (
    <Card title="Why devices failed" lead={lead}>
      <ul class="deployments-reasons">
        {shown.map((each) => (
          <li key={each.id}>
            <Link to={pathTo("deployments", deployment)} query={{ reason: each.id }} {...(chosen === each.id ? { "aria-current": "true" as const } : {})}>
              <Name wrap>{each.reason}</Name>
            </Link>
            <span class="numbers">{format.count(each.count, "device")}</span>
            <Progress thin label={`Failed: ${each.reason}`} segments={[{ is: "danger", value: each.count, label: "devices" }]} total={most} />
            <Examples of={each} />
          </li>
        ))}
      </ul>
      {rest.length > 0 && (
        <p class="muted small">
          {format.count(rest.reduce((all, each) => all + each.count, 0), "more device")} failed for {format.count(rest.length, "other reason")}.
        </p>
      )}
    </Card>
  );
}

/** Some of the devices, and what one of them said. Their names are fetched when somebody looks. */
function Examples({ of: { reason, state, example, devices } }: { of: FailureReason }) {
  const [open, setOpen] = useState(false);
  return (
    <div class="deployments-examples small">
      <Details summary={<span>Examples <span class="seen-by-readers">of {reason}</span></span>} open={open} onToggle={setOpen}>
        <KeyValues
          items={[
            state !== undefined && state !== reason && ["State", <Name wrap>{state}</Name>],
            example !== undefined && ["Error", <Name wrap mono>{example}</Name>],
            ["Devices", open && <DeviceLinks ids={devices} />],
          ]}
        />
      </Details>
    </div>
  );
}
