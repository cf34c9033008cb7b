/** Deployments by state, with live numbers. */
import { useEffect, useRef } from "preact/hooks";
import { format, now } from "../app/format";
import { useShortcut } from "../app/keys";
import { useLater } from "../app/later";
import { useApi } from "../app/resource";
import { navigate, pathTo, setQuery, usePage, useQuery } from "../app/router";
import { can } from "../app/session";
import { Button, type Column, Count, DataTable, EmptyState, Icon, Input, Link, Name, Page, Progress, Select, StaleNote, Status, Tabs, Time, Toolbar } from "../parts";
import { failed, isPaused, parts, sizeOf, stateOf, targetOf, waitsForApproval } from "./states";
import { type Deployment, DEPLOYMENTS_V2 } from "./types";

const PER_PAGE = 50;
const TABS = [
  { id: "inprogress", label: "In progress", statuses: ["inprogress", "pending"] },
  { id: "scheduled", label: "Scheduled", statuses: ["scheduled"] },
  { id: "finished", label: "Finished", statuses: ["finished"] },
] as const;
const HOUR = 3600;

const name: Column<Deployment> = {
  id: "name",
  title: "Name",
  always: true,
  min: 12,
  grow: 2,
  cell: (deployment) => {
    const { label, is } = stateOf(deployment);
    return (
      <span class="row row--one gap-1">
        {(isPaused(deployment) || waitsForApproval(deployment)) && (
          // Also where there is no room for the status.
          <span class={`status is-${is}`}>
            <Icon name={isPaused(deployment) ? "pause" : "user"} size={14} label={label} />
          </span>
        )}
        <Link to={pathTo("deployments", deployment.id)}>
          <Name>{deployment.name}</Name>
        </Link>
      </span>
    );
  },
};
const release: Column<Deployment> = {
  id: "release",
  title: "Release",
  min: 8,
  grow: 1.3,
  wide: true,
  cell: (deployment) =>
    deployment.type === "configuration" ? (
      <span class="muted">Configuration</span>
    ) : (
      <Link to={pathTo("releases", deployment.artifact_name)}>
        <Name>{deployment.artifact_name}</Name>
      </Link>
    ),
};
const target: Column<Deployment> = { id: "target", title: "For", wide: true, min: 7, grow: 1.2, cell: (deployment) => <Name>{targetOf(deployment)}</Name> };
const state: Column<Deployment> = {
  id: "state",
  title: "Status",
  min: 9,
  grow: 0,
  wide: true,
  cell: (deployment) => {
    const { label, is } = stateOf(deployment);
    return <Status is={is}>{label}</Status>;
  },
};
const progress: Column<Deployment> = {
  id: "progress",
  title: "Progress",
  min: 7,
  grow: 1.3,
  cell: (deployment) => (
    <Progress thin label={`Progress of ${deployment.name}`} segments={parts(deployment.statistics.status)} total={sizeOf(deployment)} />
  ),
};
const devices: Column<Deployment> = {
  id: "devices",
  title: "Devices",
  end: true,
  min: 5.5,
  grow: 0,
  wide: true,
  cell: (deployment) => <Count short value={sizeOf(deployment)} to={pathTo("deployments", deployment.id)} />,
};
const failures: Column<Deployment> = {
  id: "failed",
  title: "Failed",
  end: true,
  min: 5,
  grow: 0,
  cell: (deployment) => {
    const count = failed(deployment.statistics.status);
    return count ? <Count short value={count} to={pathTo("deployments", deployment.id)} query={{ status: "failure" }} /> : <span class="muted">0</span>;
  },
};
const created: Column<Deployment> = { id: "created", title: "Created", min: 7.5, grow: 0, wide: true, cell: (deployment) => <Time at={deployment.created} /> };
const finished: Column<Deployment> = { id: "finished", title: "Finished", min: 7.5, grow: 0, wide: true, cell: (deployment) => <Time at={deployment.finished} /> };
const starts: Column<Deployment> = { id: "starts", title: "Starts", min: 11, cell: (deployment) => (waitsForApproval(deployment) ? state.cell(deployment) : <Time at={deployment.phases?.[0]?.start_ts} />) };
const phases: Column<Deployment> = { id: "phases", title: "Phases", end: true, min: 5, grow: 0, wide: true, cell: (deployment) => format.number(deployment.phases?.length ?? 1) };

const COLUMNS: Record<string, Column<Deployment>[]> = {
  inprogress: [name, release, target, state, progress, devices, failures, created],
  scheduled: [name, release, target, starts, phases, devices, created],
  finished: [name, release, target, state, progress, devices, failures, finished],
};

export default function DeploymentList() {
  const [tab] = useQuery("status", "inprogress");
  const [search] = useQuery("name");
  const [type] = useQuery("type");
  const [days] = useQuery("days");
  const [page, goTo] = usePage();
  const typed = useLater(search, (value) => setQuery({ name: value, page: "" }));
  const shown = TABS.find((each) => each.id === tab) ?? TABS[0];
  // To the hour, so that what is asked for stays the same from one refresh to the next.
  const after = Number(days) > 0 ? Math.floor(now.value / 1000 / HOUR) * HOUR - Number(days) * 24 * HOUR : undefined;
  const filter = { name: search, type, created_after: after, ...(search ? { sort: "match" as const } : {}) };
  const list = useApi({ path: DEPLOYMENTS_V2, query: { ...filter, status: shown.statuses, page, per_page: PER_PAGE } }, { every: 5000 });
  const counts = TABS.map((each) =>
    useApi(each === shown ? null : { path: DEPLOYMENTS_V2, query: { ...filter, status: each.statuses, per_page: 1 } }),
  );
  // Deployments that leave this list go to another one.
  const seen = useRef({ of: "", total: 0 });
  const of = JSON.stringify([shown.id, filter]);
  useEffect(() => {
    if (list.total === undefined || list.stale) return;
    if (seen.current.of === of && seen.current.total !== list.total) for (const count of counts) void count.reload();
    seen.current = { of, total: list.total };
  }, [of, list.total, list.stale]);
  const manages = can("deployments:manage");
  useShortcut("n", "New deployment", () => manages && navigate("/deployments/new"));
  const filtered = Boolean(search || type || days);
  const create = manages && (
    <Link button="primary" icon="add" to="/deployments/new">
      New deployment
    </Link>
  );
  return (
    <Page title="Deployments" lead="Install a release on devices, all at once or in phases." actions={create}>
      <Tabs
        label="Deployments by state"
        name="status"
        value={shown.id}
        tabs={TABS.map((each, index) => ({ id: each.id, label: each.label, count: each === shown ? list.total : counts[index]?.total }))}
      />
      <StaleNote from={list} />
      <Toolbar>
        <Input label="Search by name or release" hideLabel type="search" icon="search" placeholder="Name or release" value={typed.value} onInput={typed.change} clearable />
        <Select
          label="Type"
          hideLabel
          value={type}
          options={[
            { value: "", label: "Any type" },
            { value: "software", label: "Software" },
            { value: "configuration", label: "Configuration" },
          ]}
          onChange={(value) => setQuery({ type: value, page: "" })}
        />
        <Select
          label="Created"
          hideLabel
          value={days}
          options={[
            { value: "", label: "Created at any time" },
            { value: "1", label: "In the last 24 hours" },
            { value: "7", label: "In the last 7 days" },
            { value: "30", label: "In the last 30 days" },
            { value: "90", label: "In the last 90 days" },
          ]}
          onChange={(value) => setQuery({ days: value, page: "" })}
        />
      </Toolbar>
      <DataTable
        name={`deployments-${shown.id}`}
        label={`Deployments: ${shown.label.toLowerCase()}`}
        columns={COLUMNS[shown.id] ?? []}
        rows={list.data}
        rowKey={(deployment) => deployment.id}
        total={list.total}
        stale={list.stale}
        error={list.error}
        onRetry={list.reload}
        onOpen={(deployment) => navigate(pathTo("deployments", deployment.id))}
        page={page}
        perPage={PER_PAGE}
        onPage={goTo}
        empty={
          filtered ? (
            <EmptyState icon="search" title="No deployment fits" action={<Button onClick={() => setQuery({ name: "", type: "", days: "", page: "" })}>Show all deployments</Button>}>
              Try another name, type or time, or look in the other tabs.
            </EmptyState>
          ) : (
            <Empty tab={shown.id} create={create} />
          )
        }
      />
    </Page>
  );
}

function Empty({ tab, create }: { tab: string; create: preact.ComponentChild }) {
  if (tab === "scheduled")
    return (
      <EmptyState icon="clock" title="Nothing is scheduled" action={create}>
        A deployment with a start time is listed here until its first phase opens.
      </EmptyState>
    );
  if (tab === "finished")
    return (
      <EmptyState icon="ok" title="No deployment has finished yet">
        Deployments are listed here when all their devices are done, or when somebody aborts them.
      </EmptyState>
    );
  return (
    <EmptyState icon="deployments" title="Nothing is being deployed" action={create}>
      A deployment brings a release to devices, when they next ask for updates. Choose a release and devices; start with a few of them.
    </EmptyState>
  );
}
