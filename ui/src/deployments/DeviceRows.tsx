/** Every device of a deployment that has asked for it, failures first. */
import { useEffect } from "preact/hooks";
import { format } from "../app/format";
import { useApi } from "../app/resource";
import { navigate, pathTo, setQuery, usePage, useQuery } from "../app/router";
import { can } from "../app/session";
import { Badge, Button, Card, type Column, DataTable, EmptyState, Link, Name, Select, Status, Time } from "../parts";
import { useNames } from "./names";
import { DEVICE_STATUSES, failed, parts } from "./states";
import { type Deployment, deploymentPath, type DeviceStatus, type FailureReason, NO_REASON, type Row } from "./types";

const PER_PAGE = 50;

export function DeviceRows({ deployment, reasons, onLog }: { deployment: Deployment; reasons: readonly FailureReason[]; onLog: (device: string) => void }) {
  const [status] = useQuery("status");
  const [reason] = useQuery("reason");
  const [page, goTo] = usePage();
  const numbers = deployment.statistics.status;
  const wanted = status.split(",").filter((each) => each in DEVICE_STATUSES);
  const rows = useApi({ path: `${deploymentPath(deployment.id)}/devices/list`, query: { ...(reason ? { reason } : { status: wanted }), page, per_page: PER_PAGE } });
  // The rows are as old as the numbers: they are asked for again when a number has changed.
  const version = JSON.stringify(numbers);
  useEffect(() => {
    if (rows.at !== undefined) void rows.reload();
  }, [version]);
  const names = useNames((rows.data ?? []).map((row) => row.id));
  const unseen = deployment.status === "finished" ? 0 : Math.max(0, deployment.max_devices - deployment.device_count);
  const failures = failed(numbers);
  const options = [
    { value: "", label: "All statuses" },
    ...parts(numbers).map((part) => ({ value: part.statuses.join(","), label: `${part.label} (${format.number(part.value)})` })),
  ];
  if (status && !options.some((option) => option.value === status)) {
    options.push({ value: status, label: wanted.map((each) => DEVICE_STATUSES[each as DeviceStatus].label).join(", ") || status });
  }
  return (
    <Card
      flush
      title="Devices"
      lead={unseen > 0 ? `${format.count(unseen, "device")} ${unseen === 1 ? "has" : "have"} not polled yet, and will be listed here when they do.` : undefined}
      actions={
        <>
          {failures > 0 && wanted.join() !== "failure" && !reason && (
            <Button small icon="failed" onClick={() => setQuery({ status: "failure", page: "" })}>
              Show {format.count(failures, "failure")}
            </Button>
          )}
          <Select label="Status" hideLabel value={status} options={options} onChange={(value) => setQuery({ status: value, reason: "", page: "" })} />
        </>
      }
    >
      {reason && (
        <p class="deployments-filter">
          <Badge is="danger" removeLabel="Show devices that failed for any reason" onRemove={() => setQuery({ status: "failure", reason: "", page: "" })}>
            Failed: <Name wrap>{reasons.find((each) => each.id === reason)?.reason ?? reason}</Name>
          </Badge>
        </p>
      )}
      <DataTable
        name="deployment-devices"
        label="Devices of this deployment"
        columns={columnsOf(deployment, rows.data ?? [], names, onLog)}
        rows={rows.data}
        rowKey={(row) => row.id}
        total={rows.total}
        stale={rows.stale}
        error={rows.error}
        onRetry={rows.reload}
        {...(can("devices:read") ? { onOpen: (row: Row) => navigate(pathTo("devices", row.id)) } : {})}
        page={page}
        perPage={PER_PAGE}
        onPage={goTo}
        empty={
          reason ? (
            <EmptyState small icon="search" title="No device failed for this reason" action={<Button onClick={() => setQuery({ reason: "", page: "" })}>Show all devices</Button>}>
              Devices may have sent another log since, or succeeded in another attempt.
            </EmptyState>
          ) : wanted.length ? (
            <EmptyState small icon="search" title="No device has this status" action={<Button onClick={() => setQuery({ status: "", page: "" })}>Show all devices</Button>}>
              Devices that have not polled yet are counted as waiting, but are not listed.
            </EmptyState>
          ) : deployment.status === "scheduled" ? (
            <EmptyState small icon="clock" title="Not started yet">
              Devices are listed here from their first poll on, once the deployment has started.
            </EmptyState>
          ) : deployment.status === "finished" ? (
            <EmptyState small icon="devices" title="No device asked">
              The deployment ended before any device polled for it.
            </EmptyState>
          ) : (
            <EmptyState small icon="devices" title="No device has asked yet">
              Devices poll for updates by themselves, by default every 30 minutes. Each is listed here from its first poll on.
            </EmptyState>
          )
        }
      />
    </Card>
  );
}

function columnsOf(deployment: Deployment, rows: readonly Row[], names: ReadonlyMap<string, string>, onLog: (device: string) => void): Column<Row>[] {
  const phases = new Map((deployment.phases ?? []).map((phase, index) => [phase.id, index + 1]));
  return [
    {
      id: "device",
      title: "Device",
      always: true,
      min: 10,
      grow: 2,
      cell: (row) =>
        can("devices:read") ? (
          <Link to={pathTo("devices", row.id)}>
            <Name>{names.get(row.id) ?? row.id}</Name>
          </Link>
        ) : (
          <Name>{row.id}</Name>
        ),
    },
    {
      id: "status",
      title: "Status",
      min: 9,
      grow: 1.5,
      cell: (row) => {
        const { label, is } = DEVICE_STATUSES[row.status] ?? { label: row.status, is: "neutral" as const };
        const text = row.downgrade && row.status === "noartifact" ? "Refused" : row.substate && row.reason === undefined ? `${label}: ${row.substate}` : label;
        return (
          <Status is={is}>
            <span title={text}>{text}</span>
          </Status>
        );
      },
    },
    ...(failed(deployment.statistics.status)
      ? [{ id: "reason", title: "Reason", wide: true, grow: 2, cell: (row: Row) => (row.reason && row.reason !== NO_REASON ? <Name>{row.reason}</Name> : <span class="muted">–</span>) }]
      : []),
    ...(rows.some((row) => row.downgrade)
      ? [{ id: "downgrade", title: "Older software", min: 8, grow: 2, cell: (row: Row) => <span title={row.downgrade}>{row.downgrade?.replace(/^\S+ /, "") ?? "–"}</span> }]
      : []),
    {
      id: "log",
      title: "Log",
      min: 6,
      grow: 0,
      cell: (row) =>
        row.log ? (
          <Button small kind="quiet" icon="audit" aria-label={`Log of ${names.get(row.id) ?? row.id}`} onClick={() => onLog(row.id)}>
            Log
          </Button>
        ) : (
          <span class="muted">–</span>
        ),
    },
    { id: "type", title: "Device type", wide: true, cell: (row) => <Name>{row.device_type ?? "–"}</Name> },
    ...(phases.size > 1 ? [{ id: "phase", title: "Phase", end: true, wide: true, min: 5, grow: 0, cell: (row: Row) => phases.get(row.phase_id ?? "") ?? "–" }] : []),
    { id: "attempts", title: "Attempts", end: true, wide: true, hidden: !deployment.retries, min: 6, grow: 0, cell: (row) => format.number(row.attempts ?? 0) },
    { id: "started", title: "Started", wide: true, min: 8, grow: 0, cell: (row) => <Time at={row.started} /> },
    { id: "finished", title: "Finished", wide: true, min: 8, grow: 0, cell: (row) => <Time at={row.finished} /> },
  ];
}
