/** A device's deployments, newest first, with their logs. */
import { useEffect, useRef } from "preact/hooks";
import { api } from "../api/client";
import { refresh, useApi } from "../app/resource";
import { pathTo, setQuery, usePage, useQuery } from "../app/router";
import { can, canFor } from "../app/session";
import { toast } from "../app/toasts";
import { NO_REASON } from "../deployments/types";
import { Button, Card, CodeBlock, type Column, ConfirmDialog, DataTable, Drawer, EmptyState, Link, Loaded, Name, Row, Stack, Status, Time } from "../parts";
import type { TabProps } from "./DevicePage";
import { Upcoming } from "./Upcoming";
import { Why } from "./Why";
import { groupOf, type HistoryRow, isUnfinished, meaningOf, paths, statusInWords } from "./types";

const PER_PAGE = 20;

const columns: Column<HistoryRow>[] = [
  {
    id: "name",
    title: "Deployment",
    always: true,
    grow: 1.4,
    cell: (row) => (
      <Link to={pathTo("deployments", row.deployment.id)}>
        <Name>{row.deployment.name}</Name>
      </Link>
    ),
  },
  { id: "release", title: "Release", wide: true, cell: (row) => <Name>{row.deployment.artifact_name || "Configuration"}</Name> },
  { id: "status", title: "Status", min: 10, grow: 0, cell: (row) => <Status is={meaningOf(row.device.status)}>{statusInWords(row.device.status)}</Status> },
  { id: "reason", title: "Reason", wide: true, grow: 1.4, cell: (row) => (row.device.reason && row.device.reason !== NO_REASON ? <Name>{row.device.reason}</Name> : <span class="muted">–</span>) },
  { id: "started", title: "Started", wide: true, min: 8, grow: 0, cell: (row) => <Time at={row.device.started} /> },
  { id: "finished", title: "Finished", wide: true, min: 8, grow: 0, cell: (row) => <Time at={row.device.finished} /> },
  {
    id: "log",
    title: "Log",
    min: 5,
    grow: 0,
    cell: (row) =>
      row.device.log ? (
        <Button small kind="quiet" aria-label={`Log of ${row.deployment.name}`} onClick={() => setQuery({ log: row.deployment.id })}>
          Log
        </Button>
      ) : (
        <span class="muted">–</span>
      ),
  },
];

export function Deployments({ device }: TabProps) {
  const [page, goTo] = usePage();
  const [log, setLog] = useQuery("log");
  const [open, setOpen] = useQuery("open");
  const history = useApi({ path: paths.deployments(device.id), query: { page, per_page: PER_PAGE } }, { every: 10_000 });
  const upcoming = useApi(paths.upcoming(device.id));
  // What comes next changes when the device begins or ends something.
  const seen = useRef("");
  const version = history.data ? JSON.stringify(history.data.map((row) => [row.id, isUnfinished(row)])) : "";
  useEffect(() => {
    if (version && seen.current) void upcoming.reload();
    seen.current ||= version;
  }, [version]);
  return (
    <Stack>
      <Upcoming device={device} upcoming={upcoming} onWhy={() => setOpen("why")} />
      {open === "why" && <Why device={device.id} onClose={() => setOpen("")} />}
      <Card
        title="So far"
        lead="Deployments that the device has polled for."
        flush={history.data?.length !== 0}
        actions={
          (upcoming.data?.length ?? 0) > 0 &&
          canFor("deployments:manage", [groupOf(device)]) && (
            <Button small icon="stop" onClick={() => setOpen("abort")}>
              Abort for this device
            </Button>
          )
        }
      >
        <DataTable
          name="device-deployments"
          label="Deployments of the device"
          plain
          columns={columns}
          rows={history.data}
          rowKey={(row) => row.id}
          page={page}
          perPage={PER_PAGE}
          total={history.total}
          onPage={goTo}
          error={history.error}
          onRetry={history.reload}
          empty={
            <EmptyState
              icon="deployments"
              title="No deployments yet"
              action={
                can("deployments:manage") && (
                  <Link button="primary" icon="deployments" to="/deployments/new" query={{ devices: device.id }}>
                    Deploy to this device
                  </Link>
                )
              }
            >
              A deployment is listed here when the device first polls for it.
            </EmptyState>
          }
        />
        {log && <Log deployment={log} device={device.id} name={history.data?.find((row) => row.deployment.id === log)?.deployment.name ?? "deployment"} onClose={() => setLog("")} />}
        <ConfirmDialog
          open={open === "abort"}
          title="Abort all unfinished deployments of this device?"
          action="Abort for 1 device"
          onConfirm={async () => {
            await api.del(paths.deployments(device.id));
            toast.ok("The device's deployments are aborted.");
            await refresh(paths.deployments(device.id));
          }}
          onClose={() => setOpen("")}
        >
          <p>The device is withdrawn from all its unfinished deployments, also from those it has not polled for yet. Other devices are not affected.</p>
        </ConfirmDialog>
      </Card>
    </Stack>
  );
}

function Log({ deployment, device, name, onClose }: { deployment: string; device: string; name: string; onClose: () => void }) {
  const log = useApi(paths.log(deployment, device), { keep: false });
  return (
    <Drawer open title={<>Log of <bdi>{name}</bdi></>} onClose={onClose} actions={<Row><Button onClick={onClose}>Close log</Button></Row>}>
      <Loaded from={log}>{(text) => <CodeBlock label="Log" wrap>{text}</CodeBlock>}</Loaded>
    </Drawer>
  );
}
