/** Deploy again to devices that failed or got nothing, with the same release or a fixed one. */
import { useState } from "preact/hooks";
import { call } from "../api/client";
import { format } from "../app/format";
import { can } from "../app/session";
import { EditDialog, Link, Name } from "../parts";
import { created } from "./created";
import { ReleaseField } from "./ReleaseStep";
import { RetriedField } from "./RetriedField";
import { secondsOf } from "./rollout";
import { devicesWith, RETRIED } from "./states";
import { type Deployment, deploymentPath, type RetriedStatus } from "./types";

export function RetryDialog({ deployment, onClose }: { deployment: Deployment; onClose: () => void }) {
  const numbers = deployment.statistics.status;
  const [release, setRelease] = useState(deployment.artifact_name);
  const [statuses, setStatuses] = useState<RetriedStatus[]>(RETRIED.filter((each) => numbers[each]).slice(0, 1));
  const count = devicesWith(numbers, statuses);
  const { windows = [], maximum_per_minute: rate, jitter } = deployment.rollout?.settings ?? {};
  const paced = windows.length > 0 || Boolean(rate) || secondsOf(jitter) > 0;
  const devices = format.count(count, "device");
  const save = async (): Promise<string> => {
    created(await call("POST", `${deploymentPath(deployment.id)}/retry`, { body: { artifact_name: release, statuses } }));
    return `The deployment to ${devices} is created.`;
  };
  return (
    <EditDialog title={`Retry ${devices}?`} label="Retry" action={`Deploy to ${devices}`} ready={count > 0 && release !== ""} save={save} onDone={() => undefined} onClose={onClose}>
      <p>
        A new deployment brings <Name>{release}</Name> to these devices. Those that were decommissioned since are left out. All of them may begin at
        once{paced ? ", as far as the windows and the rate of this deployment allow" : ""}.
      </p>
      <RetriedField parent={deployment} value={statuses} onChange={setStatuses} />
      {can("releases:read") && <ReleaseField value={release} hint="The same release, or one in which the fault is fixed." onChange={setRelease} />}
      <p>
        <Link to="/deployments/new" query={{ again: deployment.id, to: "retry", statuses: statuses.join(","), release }}>
          Choose phases, protection and options
        </Link>
      </p>
    </EditDialog>
  );
}
