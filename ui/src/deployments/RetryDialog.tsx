/** Deploy again to the devices that failed, with the same release or a fixed one. */
import { useState } from "preact/hooks";
import { call } from "../api/client";
import { format } from "../app/format";
import { refresh } from "../app/resource";
import { navigate, pathTo } from "../app/router";
import { can } from "../app/session";
import { toast } from "../app/toasts";
import { ConfirmDialog, Name, Stack } from "../parts";
import { ReleaseField } from "./ReleaseStep";
import { failed } from "./states";
import { type Deployment, deploymentPath } from "./types";

export function RetryDialog({ open, deployment, onClose }: { open: boolean; deployment: Deployment; onClose: () => void }) {
  const [release, setRelease] = useState(deployment.artifact_name);
  const devices = format.count(failed(deployment.statistics.status), "device");
  const retry = async (): Promise<void> => {
    const made = await call("POST", `${deploymentPath(deployment.id)}/retry`, { body: { artifact_name: release } });
    const id = made.headers.get("location")?.split("/").pop() ?? "";
    toast.ok("The deployment to the devices that failed is created.");
    void refresh("/deployments");
    navigate(id ? pathTo("deployments", id) : "/deployments");
  };
  return (
    <ConfirmDialog open={open} kind="primary" title={`Retry ${devices}?`} action={`Deploy to ${devices}`} onClose={onClose} onConfirm={retry}>
      <Stack>
        <p>
          A new deployment brings <Name>{release}</Name> to the devices that failed{deployment.status === "finished" ? "" : " so far"}. Those that were
          decommissioned since are left out. All of them may begin at once{deployment.rollout ? ", as far as the windows and the rate of this deployment allow" : ""}.
        </p>
        {can("releases:read") && <ReleaseField value={release} hint="The same release, or one in which the fault is fixed." onChange={setRelease} />}
      </Stack>
    </ConfirmDialog>
  );
}
