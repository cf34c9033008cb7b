/** Why devices of a deployment failed, by how many did; each reason lists its devices below. */
import { format } from "../app/format";
import { pathTo, useQuery } from "../app/router";
import { Card, Link, Name, Progress } from "../parts";
import type { Deployment, Outcomes } from "./types";

/** More than a reader takes in; what is rarer is counted together. */
const SHOWN = 8;

export function Failures({ deployment, outcomes }: { deployment: Deployment; outcomes: Outcomes }) {
  const [chosen] = useQuery("reason");
  const { reasons, failed, failed_read: read } = outcomes;
  if (reasons.length === 0) return null;
  const shown = reasons.slice(0, SHOWN);
  const rest = reasons.slice(SHOWN);
  const most = Math.max(...reasons.map((each) => each.count));
  return (
    <Card title="Why devices failed" lead={read < failed ? `Counted from the first ${format.number(read)} of ${format.count(failed, "device")} that failed.` : undefined}>
      <ul class="deployments-reasons">
        {shown.map(({ reason, count }) => (
          <li key={reason}>
            <Link to={pathTo("deployments", deployment.id)} query={{ reason }} {...(chosen === reason ? { "aria-current": "true" as const } : {})}>
              <Name wrap>{reason}</Name>
            </Link>
            <span class="numbers">{format.count(count, "device")}</span>
            <Progress thin label={`Failed: ${reason}`} segments={[{ is: "danger", value: count, label: "devices" }]} total={most} />
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
