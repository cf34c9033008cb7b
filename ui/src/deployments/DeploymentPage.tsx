/** One deployment: how far it is, its phases, what failed, and every device. */
import { useEffect, useRef, useState } from "preact/hooks";
import { api } from "../api/client";
import { format } from "../app/format";
import { useApi } from "../app/resource";
import { pathTo, useParam, useQuery } from "../app/router";
import { can } from "../app/session";
import { toast } from "../app/toasts";
import { Button, Card, ConfirmDialog, Grid, Link, Loaded, Name, Page, Progress, Split, Stack, Stat, Status, Time } from "../parts";
import { ApprovalBanner } from "./Approval";
import { ControlMapDialog } from "./ControlMap";
import { DeploymentFacts } from "./DeploymentFacts";
import { DeploymentPhases } from "./DeploymentPhases";
import { DeviceRows } from "./DeviceRows";
import { Failures } from "./Failures";
import { LogDrawer } from "./LogDrawer";
import { PauseBanner } from "./PauseBanner";
import { ProgressChart } from "./ProgressChart";
import { ProtectionCard } from "./ProtectionCard";
import { RetryDialog } from "./RetryDialog";
import { RolloutDialogs } from "./RolloutDialogs";
import { devicesWith, failed, isBeingPrepared, isPaused, parts, RETRIED, sizeOf, stateOf, unfinished, waitsForApproval } from "./states";
import { type Deployment, deploymentPath, type Outcomes } from "./types";

export default function DeploymentPage() {
  const id = useParam("id");
  const [dialog, setDialog] = useQuery("dialog");
  const [log, setLog] = useQuery("log");
  const [over, setOver] = useState(false);
  const live = useApi(deploymentPath(id), { keep: false, ...(over ? {} : { every: 5000 }) });
  const found = live.data;
  // What is finished stays as it is.
  if (found && over !== (found.status === "finished")) setOver(found.status === "finished");
  const outcomes = useOutcomes(found, log !== "");
  const manages = can("deployments:manage");
  const waits = found !== undefined && waitsForApproval(found);
  const left = found ? unfinished(found.statistics.status) : 0;
  const concerned = found?.dynamic && left === 0 ? "this deployment" : format.count(left, "device");
  return (
    <Page
      title={found?.name ?? "Deployment"}
      back={{ to: "/deployments", label: "Deployments" }}
      lead={found && <Lead deployment={found} />}
      actions={
        found &&
        manages && (
          <>
            {!over && !isBeingPrepared(found) && !isPaused(found) && !waits && (
              <Button icon="pause" onClick={() => setDialog("pause")}>
                Pause
              </Button>
            )}
            {!over && (
              <Button icon="stop" onClick={() => setDialog("abort")}>
                Abort
              </Button>
            )}
            {found.type === "software" && devicesWith(found.statistics.status, RETRIED) > 0 && (
              <Button icon="refresh" onClick={() => setDialog("retry")}>
                Retry
              </Button>
            )}
            {found.type === "software" && (
              <Link button="plain" class="button" icon="again" to="/deployments/new" query={{ again: id }}>
                Make again
              </Link>
            )}
          </>
        )
      }
    >
      <Loaded from={live} title="This deployment could not be loaded">
        {(deployment) => (
          <Stack>
            <ApprovalBanner deployment={deployment} onDone={live.reload} />
            <PauseBanner deployment={deployment} {...(manages ? { onResume: () => setDialog("resume") } : {})} />
            <Numbers deployment={deployment} />
            <Split
              side={
                <Stack>
                  <DeploymentFacts deployment={deployment} {...(manages && !over && !waits ? { onControl: () => setDialog("control") } : {})} />
                  <ProtectionCard deployment={deployment} />
                </Stack>
              }
            >
              <Stack>
                <Card
                  title="Progress"
                  actions={
                    <Link button="plain" small icon="file" to={pathTo("deployments", id, "report")}>
                      Report
                    </Link>
                  }
                >
                  <Stack>
                    <Progress label="Devices" segments={parts(deployment.statistics.status)} total={sizeOf(deployment)} />
                    <ProgressChart deployment={deployment} outcomes={outcomes.data} none={outcomes.none} />
                  </Stack>
                </Card>
                {outcomes.data && <Failures deployment={deployment} outcomes={outcomes.data} />}
                <DeploymentPhases deployment={deployment} {...(manages && !over && !waits ? { onOpen: () => setDialog("phase") } : {})} />
              </Stack>
            </Split>
            <DeviceRows deployment={deployment} reasons={outcomes.data?.reasons ?? []} onLog={setLog} />
          </Stack>
        )}
      </Loaded>
      {log && <LogDrawer deployment={id} device={log} onClose={() => setLog("")} />}
      {found && manages && dialog === "retry" && <RetryDialog deployment={found} onClose={() => setDialog("")} />}
      {found && manages && !over && (
        <>
          <RolloutDialogs open={dialog} deployment={found} onClose={() => setDialog("")} onDone={live.reload} />
          <ConfirmDialog
            open={dialog === "abort"}
            title={`Abort ${left ? `for ${concerned}` : concerned}?`}
            action={`Abort ${left ? `for ${concerned}` : concerned}`}
            onClose={() => setDialog("")}
            onConfirm={async () => {
              await api.put(`${deploymentPath(id)}/status`, { status: "aborted" });
              toast.ok("The deployment is aborted.");
              await live.reload();
            }}
          >
            <p>
              Devices that have not begun will not get {found.artifact_name}. Devices that are at work are told to stop when they next report; one that is
              past the download may still finish. Devices that are done keep what they have.
            </p>
            <p>This cannot be undone, but the deployment can be made again.</p>
          </ConfirmDialog>
          {found.update_control_map && (
            <ControlMapDialog open={dialog === "control"} deployment={found} onClose={() => setDialog("")} onSaved={live.reload} />
          )}
        </>
      )}
    </Page>
  );
}

/** How devices fared, from the moment that any has ended; again when more have failed. `wait`: something else is loaded first, and nothing is shown. */
function useOutcomes(deployment: Deployment | undefined, wait: boolean): { data: Outcomes | undefined; none: boolean } {
  const begun = useRef(false);
  begun.current ||= !wait;
  const numbers = deployment?.statistics.status ?? {};
  const failures = failed(numbers);
  const ended = failures > 0 || (numbers.success ?? 0) + (numbers["already-installed"] ?? 0) > 0;
  const live = useApi(deployment && begun.current && ended ? { path: deploymentPath(deployment.id), query: { outcomes: true } } : null, { keep: false });
  useEffect(() => {
    if (live.at !== undefined) void live.reload();
  }, [failures]);
  return { data: live.data?.outcomes, none: live.error !== undefined || !begun.current };
}

function Lead({ deployment }: { deployment: Deployment }) {
  const { label, is } = stateOf(deployment);
  return (
    <span class="row gap-3">
      <Status is={is}>{label}</Status>
      {deployment.type === "software" ? (
        <Link to={pathTo("releases", deployment.artifact_name)}>
          <Name>{deployment.artifact_name}</Name>
        </Link>
      ) : (
        <span>Configuration</span>
      )}
      <span>
        {deployment.finished ? "Finished " : "Created "}
        <Time at={deployment.finished ?? deployment.created} />
      </span>
    </span>
  );
}

/** The number of devices in each part, each a link to those devices below. */
function Numbers({ deployment }: { deployment: Deployment }) {
  const to = pathTo("deployments", deployment.id);
  return (
    <Grid min="xs" gap={3}>
      {parts(deployment.statistics.status)
        .filter((part) => part.value > 0 || part.id === "updated" || part.id === "failed" || part.id === "waiting")
        .map((part) => (
          <Stat
            key={part.id}
            label={part.label}
            value={format.number(part.value)}
            {...(part.value ? { is: part.is } : {})}
            note={sizeOf(deployment) ? format.percent(part.value / sizeOf(deployment)) : ""}
            to={to}
            query={{ status: part.statuses.join(",") }}
          />
        ))}
    </Grid>
  );
}
