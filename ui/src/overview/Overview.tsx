/** What needs attention first, the fleet by software, deployments at work, the last days. */
import { format } from "../app/format";
import { useApi } from "../app/resource";
import { pathTo } from "../app/router";
import { can, session } from "../app/session";
import { isPaused, stateOf } from "../deployments/states";
import { Card, Chart, EmptyState, Icon, type IconName, Link, Loaded, type Meaning, Name, Page, Progress, type Segment, Skeleton, Split, Stack, Stat, Status, Time } from "../parts";
import { type Brief, type Deployment, type Deployments, type Devices, failures, finished, needs, type Overview as Data, type Some, successes, total } from "./data";

const EVERY = 10_000;

export default function Overview() {
  const overview = useApi("/management/v1/console/overview", { every: EVERY });
  return (
    <Page title="Overview">
      <Loaded from={overview} skeleton={<Waiting />}>
        {(found) => <Content {...found} />}
      </Loaded>
    </Page>
  );
}

function Waiting() {
  return (
    <Stack>
      <Skeleton block />
      <Skeleton lines={6} />
    </Stack>
  );
}

function Content({ devices, deployments }: Data) {
  if (devices && total(devices) === 0) return <NoDevices />;
  if (!devices && !deployments) {
    return (
      <EmptyState icon="lock" title="Nothing to see with your rights">
        <p>This page shows devices and deployments. Ask an administrator of your organization for a role that may read them.</p>
      </EmptyState>
    );
  }
  return (
    <Stack>
      <Attention devices={devices} deployments={deployments} />
      <Numbers devices={devices} deployments={deployments} />
      <Split side={devices && <Software devices={devices} />}>
        <Stack>
          {deployments && <AtWork deployments={deployments} />}
          {deployments && <LastDays deployments={deployments} />}
        </Stack>
      </Split>
    </Stack>
  );
}

function NoDevices() {
  const may = can("devices:manage");
  return (
    <EmptyState
      icon="device"
      title="No device yet"
      action={
        may && (
          <Link to="/start" button="primary">
            Connect a first device
          </Link>
        )
      }
    >
      <p>This page will show what needs attention, your fleet by software, and deployments in progress. Start by connecting a device: its first update takes five minutes.</p>
    </EmptyState>
  );
}

function Numbers({ devices, deployments }: Data) {
  const accepted = devices?.by_status.accepted ?? 0;
  const pending = devices?.by_status.pending ?? 0;
  const success = deployments?.days.reduce((sum, day) => sum + day.success, 0) ?? 0;
  const failure = deployments?.days.reduce((sum, day) => sum + day.failure, 0) ?? 0;
  const days = deployments?.days.length ?? 0;
  return (
    <div class="overview-numbers">
      {devices && <Stat label="Devices" value={format.number(accepted)} note="accepted" to="/devices" />}
      {devices && <Stat label="Pending" value={format.number(pending)} note={pending ? "wait for your decision" : "nobody waits"} to="/devices" query={{ status: "pending" }} {...(pending ? { is: "waiting" } : {})} />}
      {deployments && <Stat label="At work" value={format.number(deployments.open_count)} note={deployments.open_count === 1 ? "deployment" : "deployments"} to="/deployments" />}
      {deployments && (
        <Stat
          label="Success"
          value={success + failure ? format.percent(success / (success + failure)) : "–"}
          note={success + failure ? `of ${format.count(success + failure, "update")} in ${days} days` : `no update in ${days} days`}
        />
      )}
    </div>
  );
}

function Attention({ devices, deployments }: Data) {
  const found = needs({ devices, deployments }, can("deployments:approve") ? session.value?.user.id : "");
  if (found.length === 0) {
    return (
      <Card>
        <div class="overview-well">
          <Status is="ok">Nothing needs your attention</Status>
          <span class="muted small">No alerts, no silent devices, no pending devices, and no deployments with failures in the last days.</span>
        </div>
      </Card>
    );
  }
  return (
    <Card title="Needs attention" flush>
      <ul class="overview-needs">
        {found.map((need) => (
          <Need key={need.kind + (need.deployment?.id ?? "")} {...need} hours={devices?.silent_hours ?? 0} />
        ))}
      </ul>
    </Card>
  );
}

const NEEDS: Record<string, { icon: IconName; is: Meaning }> = {
  failing: { icon: "failed", is: "danger" },
  approving: { icon: "user", is: "warning" },
  alerting: { icon: "bell", is: "danger" },
  silent: { icon: "offline", is: "warning" },
  pending: { icon: "waiting", is: "waiting" },
};

function Need({ kind, deployment, some, count, hours }: ReturnType<typeof needs>[number] & { hours: number }) {
  const look = NEEDS[kind] ?? { icon: "info" as const, is: "neutral" as const };
  return (
    <li class="overview-need">
      <span class={`overview-need__icon is-${look.is}`}>
        <Icon name={look.icon} size={18} />
      </span>
      <div class="overview-need__text">
        {kind === "failing" && deployment && <Failing deployment={deployment} />}
        {kind === "approving" && deployment && <Approving deployment={deployment} />}
        {kind === "alerting" && some && <Named some={some} query={{ status: "accepted", filters: ALERTING }} title={`${format.count(some.count, "device")} with an alert`} />}
        {kind === "silent" && some && <Named some={some} query={{ status: "silent" }} title={`${format.count(some.count, "device")} silent for ${format.duration(hours * 3600)}`} seen />}
        {kind === "pending" && (
          <Link to="/devices" query={{ status: "pending" }} class="overview-need__title">
            {format.count(count, "pending device")}
          </Link>
        )}
      </div>
    </li>
  );
}

function Title({ deployment }: { deployment: Deployment }) {
  return (
    <Link to={pathTo("deployments", deployment.id)} class="overview-need__title">
      <Name>{deployment.name}</Name>
    </Link>
  );
}

function Failing({ deployment }: { deployment: Deployment }) {
  return (
    <>
      <Title deployment={deployment} />
      <span class="muted small">
        {format.count(failures(deployment), "failure")} of {format.count(deployment.max_devices || deployment.device_count, "device")}
        {deployment.finished ? (
          <>
            , ended <Time at={deployment.finished} />
          </>
        ) : (
          `, ${isPaused(deployment) ? "paused" : "still going on"}`
        )}
      </span>
    </>
  );
}

function Approving({ deployment }: { deployment: Deployment }) {
  return (
    <>
      <Title deployment={deployment} />
      <span class="muted small">
        Waits for your approval, or that of another user, until <Time at={deployment.approval?.expires} absolute />
      </span>
    </>
  );
}

/** Devices with an alert that is not over, as a condition of the list of devices. */
const ALERTING = JSON.stringify([{ scope: "monitor", attribute: "alerts", type: "$eq", value: true }]);

/** The first of some devices, and a link to the list of all of them. */
function Named({ some, title, query, seen }: { some: Some; title: string; query: Record<string, string>; seen?: boolean }) {
  return (
    <>
      <Link to="/devices" query={query} class="overview-need__title">
        {title}
      </Link>
      <span class="overview-need__names small">
        {some.devices.map((device: Brief) => (
          <span key={device.id}>
            <Link to={pathTo("devices", device.id)}>
              <Name>{device.name}</Name>
            </Link>
            {seen && device.seen && (
              <span class="muted">
                {" "}
                <Time at={device.seen} />
              </span>
            )}
          </span>
        ))}
        {some.count > some.devices.length && <span class="muted">and {format.number(some.count - some.devices.length)} more</span>}
      </span>
    </>
  );
}

function AtWork({ deployments }: { deployments: Deployments }) {
  const more = deployments.open_count - deployments.open.length;
  return (
    <Card title="Deployments at work" flush actions={<Link to="/deployments">All deployments</Link>}>
      {deployments.open.length === 0 ? (
        <EmptyState
          small
          icon="deployment"
          title="No deployment is at work"
          action={
            can("deployments:manage") && (
              <Link to="/deployments/new" button="plain" icon="add">
                New deployment
              </Link>
            )
          }
        />
      ) : (
        <ul class="overview-list">
          {deployments.open.map((deployment) => (
            <AtWorkOne key={deployment.id} deployment={deployment} />
          ))}
          {more > 0 && <li class="overview-list__one muted small">and {format.count(more, "older one")}</li>}
        </ul>
      )}
    </Card>
  );
}

function AtWorkOne({ deployment }: { deployment: Deployment }) {
  const { label, is } = stateOf(deployment);
  const next = deployment.phases?.find((phase) => Date.parse(phase.start_ts) > Date.now());
  return (
    <li class="overview-list__one">
      <div class="overview-list__head">
        <Link to={pathTo("deployments", deployment.id)}>
          <Name>{deployment.name}</Name>
        </Link>
        <Status is={is}>{label}</Status>
      </div>
      <Progress label={`Devices of ${deployment.name}`} segments={segments(deployment)} total={deployment.max_devices || deployment.device_count} />
      <div class="overview-list__foot muted small">
        <span>
          <Name>{deployment.artifact_name}</Name>
        </span>
        <span class="numbers">
          {format.number(finished(deployment))} of {format.count(deployment.max_devices || deployment.device_count, "device")} done
        </span>
        {next && (
          <span>
            next phase <Time at={next.start_ts} />
          </span>
        )}
      </div>
    </li>
  );
}

function segments(deployment: Deployment): Segment[] {
  const success = successes(deployment);
  const failure = failures(deployment);
  const running = Math.max(0, deployment.device_count - finished(deployment));
  return [
    { is: "ok", value: success, label: "succeeded" },
    { is: "danger", value: failure, label: "failed" },
    { is: "running", value: running, label: "at work" },
  ];
}

function LastDays({ deployments }: { deployments: Deployments }) {
  const days = deployments.days;
  const success = days.map((day) => day.success);
  const failure = days.map((day) => day.failure);
  const ended = days.reduce((sum, day) => sum + day.deployments, 0);
  return (
    <Card title={`Last ${days.length} days`} lead="Devices of the deployments that ended on each day">
      {ended === 0 ? (
        <EmptyState small icon="calendar" title="No deployment ended in these days" />
      ) : (
        <Chart
          title="Devices updated by day"
          kind="bars"
          times={days.map((day) => Date.parse(`${day.day}T12:00:00Z`) / 1000)}
          series={[
            { label: "Devices", is: "ok", values: success.map((count, index) => count + (failure[index] ?? 0)) },
            { label: "Of these failed", is: "danger", values: failure },
          ]}
          summary={`${format.count(ended, "deployment")} ended, with ${format.count(failure.reduce((a, b) => a + b, 0), "failure")}.`}
        />
      )}
    </Card>
  );
}

const FILLS: Segment["is"][] = ["accent", "running", "ok", "waiting", "warning", "neutral"];

function Software({ devices }: { devices: Devices }) {
  const all = devices.software.reduce((sum, each) => sum + each.count, 0) + devices.other_software;
  const rows = [...devices.software.map((each) => ({ name: each.name || "Not reported", count: each.count })), ...(devices.other_software ? [{ name: "Other", count: devices.other_software }] : [])];
  return (
    <Card title="Fleet by software">
      {all === 0 ? (
        <EmptyState small icon="software" title="No accepted device yet" />
      ) : (
        <Stack gap={3}>
          <Progress label="Accepted devices by software" segments={rows.map((row, index) => ({ is: FILLS[index % FILLS.length] ?? "neutral", value: row.count, label: row.name }))} />
          <ul class="overview-software">
            {rows.map((row, index) => (
              <li key={row.name}>
                <span class={`legend__dot fill-${FILLS[index % FILLS.length]}`} />
                <Name>{row.name}</Name>
                <span class="numbers">{format.number(row.count)}</span>
                <span class="numbers muted">{format.percent(row.count / all)}</span>
              </li>
            ))}
          </ul>
        </Stack>
      )}
    </Card>
  );
}
