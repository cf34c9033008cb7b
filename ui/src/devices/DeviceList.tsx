/** All devices: one table with search, filters, groups and actions on many. Everything that narrows it is in the URL. */
import { useState } from "preact/hooks";
import type { Shape } from "../api/calls";
import { call } from "../api/client";
import { format } from "../app/format";
import { useLater } from "../app/later";
import { usePages } from "../app/pages";
import { refresh, useApi } from "../app/resource";
import { navigate, pathTo, setQuery, useQuery } from "../app/router";
import { can, has } from "../app/session";
import { toast } from "../app/toasts";
import { Badge, Button, type Column, DataTable, EmptyState, Input, Link, Menu, type MenuItem, Name, nothing, Page, Select, type Selection, Status, type Tab, Tabs, Time, Toolbar } from "../parts";
import { type Action, BulkDialog } from "./BulkDialog";
import { inWords, read, searchBody, UNGROUPED, write } from "./conditions";
import { exportCsv } from "./csv";
import { FilterDrawer } from "./FilterDrawer";
import { GroupDialog } from "./GroupDialog";
import { PreauthorizeDialog } from "./PreauthorizeDialog";
import { type Device, nameOf, shown, SILENT, SILENT_HOURS, STATUSES, statusOf, valueOf } from "./types";

const PER_PAGE = 100;
const SEARCH = "/management/v2/inventory/filters/search";

/** Columns by what they show; those of attributes are `scope/name`, which the server sorts by. */
const columns: Column<Device>[] = [
  {
    id: "name",
    title: "Device",
    always: true,
    min: 11,
    grow: 1.6,
    cell: (device) => (
      <Link to={pathTo("devices", device.id)}>
        <Name>{nameOf(device)}</Name>
      </Link>
    ),
  },
  { id: "identity/status", title: "Status", sort: true, min: 9, grow: 0, cell: (device) => <DeviceStatus device={device} /> },
  attribute("inventory/artifact_name", "Software", 1.3),
  attribute("inventory/device_type", "Device type"),
  attribute("system/group", "Group"),
  { id: "system/check_in_time", title: "Last check-in", sort: true, min: 9, grow: 0, wide: true, cell: (device) => <Time at={timeOf(device, "check_in_time")} /> },
  { id: "system/updated_ts", title: "Inventory", sort: true, hidden: true, min: 9, grow: 0, wide: true, cell: (device) => <Time at={device.updated_ts} /> },
  { id: "system/created_ts", title: "First seen", sort: true, hidden: true, min: 9, grow: 0, wide: true, cell: (device) => <Time at={timeOf(device, "created_ts")} /> },
  attribute("inventory/hostname", "Host name", 1, true),
  attribute("inventory/kernel", "Kernel", 1, true),
  attribute("inventory/os", "Operating system", 1, true),
  attribute("inventory/ipv4_eth0", "IPv4 (eth0)", 1, true),
  attribute("inventory/mender_client_version", "Client version", 1, true),
  { id: "id", title: "Device ID", hidden: true, wide: true, min: 12, cell: (device) => <Name mono>{device.id}</Name> },
];

function attribute(place: string, title: string, grow = 1, hidden = false): Column<Device> {
  const [scope = "", name = ""] = place.split("/");
  return { id: place, title, sort: true, grow, hidden, wide: true, cell: (device) => <Name>{shown(valueOf(device, scope, name)) || "–"}</Name> };
}

const timeOf = (device: Device, name: string): string => shown(valueOf(device, "system", name));

function DeviceStatus({ device }: { device: Device }) {
  const status = STATUSES.find((each) => each.id === statusOf(device)) ?? STATUSES[4];
  return <Status is={status?.is ?? "neutral"}>{status?.label}</Status>;
}

export default function DeviceList() {
  const [status] = useQuery("status");
  const [group] = useQuery("group");
  const [text] = useQuery("q");
  const [filters] = useQuery("filters");
  const [sort] = useQuery("sort");
  const [open, setOpen] = useQuery("open");
  const [selection, setSelection] = useState<Selection>(nothing);
  const [action, setAction] = useState<Action | "">("");
  const typed = useLater(text, (value) => setQuery({ q: value }));
  const conditions = read(filters);
  const wanted = { status, group, text, conditions, sort };
  const body = searchBody(wanted, 1, PER_PAGE);
  const key = JSON.stringify(wanted);
  const pages = usePages<Device>(key, PER_PAGE, (page, signal) => call("POST", SEARCH, { body: searchBody(wanted, page, PER_PAGE), signal }));
  const overview = useApi("/management/v1/console/overview", { every: 10_000 });
  const counts = overview.data?.devices;
  const groups = useApi("/management/v1/inventory/groups");
  const saved = useApi(has("dynamic_groups") ? { path: "/management/v2/inventory/filters", query: { per_page: 100 } } : null);
  const manages = can("devices:manage");
  const narrowed = Boolean(status || group || text || conditions.length);
  const changed = (): void => {
    setSelection(nothing);
    pages.reload();
    void overview.reload();
    void refresh("/devauth/devices");
    void groups.reload();
  };
  const [by, order] = sort.split(":");
  const allRows = (): void => setQuery({ status: "", group: "", q: "", filters: "" });
  return (
    <Page
      title="Devices"
      lead={pages.total === undefined ? undefined : <span class="numbers">{format.count(pages.total, "device")}{narrowed ? " found" : ""}</span>}
      actions={
        <>
          <Menu
            label="More"
            kind="quiet"
            items={[
              { label: "Export as CSV", icon: "download", onSelect: () => void download(body, pages.total ?? 0) },
              ...(manages ? [{ label: "Preauthorize a device", icon: "key" as const, onSelect: () => setOpen("preauthorize") }] : []),
              ...(group && group !== UNGROUPED && manages ? [{ label: `Delete group ${group}`, icon: "delete" as const, danger: true, onSelect: () => setOpen("group") }] : []),
            ]}
          />
          <Link button="primary" icon="add" to="/start">
            Connect a device
          </Link>
        </>
      }
    >
      <Tabs
        label="Devices by status"
        name="status"
        value={status}
        tabs={tabsOf(counts).filter((each) => each.id !== "noauth" || each.id === status || (each.count ?? 0) > 0)}
      />
      <Toolbar
        end={
          <Button icon="filter" onClick={() => setOpen("filter")}>
            Filter{conditions.length > 0 && ` (${conditions.length})`}
          </Button>
        }
      >
        <Input label="Search" hideLabel type="search" icon="search" placeholder="Name, ID or value" value={typed.value} onInput={typed.change} clearable />
        <Select
          label="Group"
          hideLabel
          value={group}
          onChange={(value) => setQuery({ group: value })}
          options={[
            { value: "", label: "All groups" },
            ...[...new Set([...(groups.data ?? []), ...(group && group !== UNGROUPED ? [group] : [])])].map((each) => ({ value: each, label: each })),
            { value: UNGROUPED, label: "Without a group" },
          ]}
        />
        {(saved.data?.length ?? 0) > 0 && (
          <Select
            label="Saved filter"
            hideLabel
            value={saved.data?.find((each) => write(each.terms) === filters)?.id ?? ""}
            onChange={(id) => setQuery({ filters: write(saved.data?.find((each) => each.id === id)?.terms ?? []) })}
            options={[{ value: "", label: "Saved filters" }, ...(saved.data ?? []).map((each) => ({ value: each.id, label: each.name }))]}
          />
        )}
      </Toolbar>
      {conditions.length > 0 && (
        <div class="row gap-2" role="group" aria-label="Conditions">
          {conditions.map((condition, index) => (
            <Badge key={index} is="accent" removeLabel={`Remove ${inWords(condition)}`} onRemove={() => setQuery({ filters: write(conditions.filter((_, other) => other !== index)) })}>
              {inWords(condition)}
            </Badge>
          ))}
        </div>
      )}
      <DataTable
        name="devices"
        label="Devices"
        fill
        columns={columns}
        rowAt={pages.rowAt}
        onRange={pages.onRange}
        total={pages.total}
        rowKey={(device) => device.id}
        sort={sort ? { column: by ?? "", descending: order === "desc" } : undefined}
        onSort={(next) => setQuery({ sort: `${next.column}:${next.descending ? "desc" : "asc"}` })}
        onOpen={(device) => navigate(pathTo("devices", device.id))}
        selectAll
        {...(manages || can("deployments:manage") ? { selection, onSelection: setSelection } : {})}
        actions={(chosen) => <BulkActions manages={manages} selection={chosen} group={group} onAction={setAction} />}
        error={pages.error}
        onRetry={pages.reload}
        empty={
          narrowed ? (
            <EmptyState icon="search" title="No device fits" action={<Button onClick={allRows}>Show all devices</Button>}>
              {status === SILENT && !text ? `All accepted devices have called in the last ${SILENT_HOURS} hours.` : text ? "The search looks for each word in names, IDs, groups, tags and inventory. Try fewer letters, or a filter." : "Try fewer or other conditions."}
            </EmptyState>
          ) : (
            <EmptyState
              icon="devices"
              title="No devices yet"
              action={
                <Link button="primary" icon="add" to="/start">
                  Connect a device
                </Link>
              }
            >
              A device is listed here after its first call to the server. Accept it, and it can be updated.
            </EmptyState>
          )
        }
      />
      {action && <BulkDialog action={action} selection={selection} total={pages.total ?? 0} body={body} group={group} groups={groups.data ?? []} onClose={() => setAction("")} onDone={changed} />}
      <FilterDrawer open={open === "filter"} conditions={conditions} saved={saved.data ?? []} onSaved={saved.reload} onApply={(next) => setQuery({ filters: write(next), open: "" })} onClose={() => setOpen("")} />
      <PreauthorizeDialog open={open === "preauthorize"} onClose={() => setOpen("")} onDone={changed} />
      <GroupDialog open={open === "group" && Boolean(group)} group={group} onClose={() => setOpen("")} onDone={() => {
          setQuery({ group: "", open: "" });
          void groups.reload();
        }} />
    </Page>
  );
}

/** The statuses that people look for, with the numbers of all devices. */
function tabsOf(counts: Shape<"Devices"> | undefined): Tab[] {
  const by = counts?.by_status;
  const all = by && Object.values(by).reduce((sum, each) => sum + each, 0);
  const statuses = STATUSES.map(({ id, label }) => ({ id, label, count: by && (by[id] ?? 0) }));
  return [
    { id: "", label: "All", count: all },
    ...statuses.filter((each) => each.id !== "noauth"),
    { id: SILENT, label: "Silent", count: counts?.silent.count },
    ...statuses.filter((each) => each.id === "noauth"),
  ];
}

async function download(body: ReturnType<typeof searchBody>, total: number): Promise<void> {
  try {
    if (total > 5000) toast.note(`Collecting ${format.count(total, "device")}; this takes a moment.`);
    await exportCsv(body);
  } catch (error) {
    toast.error(error, "The devices were not exported");
  }
}

function BulkActions({ manages, selection, group, onAction }: { manages: boolean; selection: Selection; group: string; onAction: (action: Action) => void }) {
  const items: MenuItem[] = [
    { label: "Accept", icon: "ok", onSelect: () => onAction("accept") },
    { label: "Reject", icon: "failed", onSelect: () => onAction("reject") },
    { label: "Dismiss", icon: "close", hint: "Delete auth sets that are not accepted", onSelect: () => onAction("dismiss") },
    { label: "Decommission", icon: "delete", danger: true, onSelect: () => onAction("decommission") },
  ];
  return (
    <>
      {can("deployments:manage") && !selection.all && (
        <Link button="plain" small icon="deployments" to="/deployments/new" query={{ devices: [...selection.keys].slice(0, 200).join(",") }}>
          Deploy
        </Link>
      )}
      {manages && (
        <>
          <Button small icon="group" onClick={() => onAction("group")}>
            Group
          </Button>
          {group && group !== UNGROUPED && (
            <Button small onClick={() => onAction("ungroup")}>
              Remove from group
            </Button>
          )}
          <Button small icon="tag" onClick={() => onAction("tag")}>
            Tag
          </Button>
          <Menu label="More actions" small items={items} />
        </>
      )}
    </>
  );
}
