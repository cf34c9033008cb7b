/** Why a deployment is paused, or was stopped by its failures. */
import { useState } from "preact/hooks";
import { format } from "../app/format";
import { pathTo } from "../app/router";
import { Banner, Button, Details, Link, Name, Stack, Time } from "../parts";
import { DeviceLinks } from "./DeviceLinks";
import { isPaused } from "./states";
import type { Deployment } from "./types";

export function PauseBanner({ deployment, onResume }: { deployment: Deployment; onResume?: () => void }) {
  const { rollout } = deployment;
  const pause = rollout?.pause;
  if (!pause || rollout.state === "ended") return null;
  const stopped = rollout.state === "stopped";
  const held = isPaused(deployment);
  return (
    <Banner
      is={stopped ? "danger" : "warning"}
      title={
        <>
          {!stopped ? "Paused" : held ? "Stopped by failures" : "Aborted by failures"} <Time at={pause.at} />
        </>
      }
      action={
        held &&
        onResume && (
          <Button icon="resume" onClick={onResume}>
            Resume
          </Button>
        )
      }
    >
      <Stack gap={2}>
        {stopped ? (
          <span>
            {format.number(pause.failures ?? 0)} of {format.count(pause.reports ?? 0, "device")} with a result had failed{pause.phase ? ` in phase ${pause.phase}` : ""}.{" "}
            <Link to={pathTo("deployments", deployment.id)} query={{ status: "failure" }}>
              Show the devices that failed
            </Link>
          </span>
        ) : (
          pause.reason && <Name wrap>{pause.reason}</Name>
        )}
        {held && <span>No further device begins. Those that have begun go on.</span>}
        {(pause.devices ?? []).length > 0 && <Some ids={pause.devices ?? []} />}
      </Stack>
    </Banner>
  );
}

function Some({ ids }: { ids: readonly string[] }) {
  const [open, setOpen] = useState(false);
  return (
    <Details summary="Some of the devices that failed" open={open} onToggle={setOpen}>
      {open && <DeviceLinks ids={ids} />}
    </Details>
  );
}
