/** Tenants of a service provider: customers with devices and users of their own. */
import { useState } from "preact/hooks";
import { api } from "../api/client";
import type { Tenant } from "../api/types";
import { format } from "../app/format";
import { useApi } from "../app/resource";
import { usePage, useQuery } from "../app/router";
import { can, changeTenant, session } from "../app/session";
import { attempt, toast } from "../app/toasts";
import { actionsColumn, Button, type Column, ConfirmDialog, DataTable, EmptyState, Name, Status, Time } from "../parts";
import { useProof } from "./proof";
import { SettingsPage } from "./SettingsPage";
import { TenantDialog, TENANTS } from "./TenantDialog";

type Child = Tenant & { created_at?: string; removing?: boolean };
type Asked = { child: Child; to: "suspend" | "remove" | "enter" };

const PER_PAGE = 20;
const pathOf = (child: Child) => `${TENANTS}/${encodeURIComponent(child.id)}` as const;

function statusOf(child: Child) {
  if (child.removing) return <Status is="running">Being removed</Status>;
  if (child.status === "active") return <Status is="ok">Active</Status>;
  return <Status is="warning">{child.status === "suspended" ? "Suspended" : (child.status ?? "unknown")}</Status>;
}

export default function Tenants() {
  const [at, goTo] = usePage();
  const [open, show] = useQuery("edit");
  const [asked, ask] = useState<Asked>();
  const { prove, dialog } = useProof();
  const tenants = useApi({ path: TENANTS, query: { page: at, per_page: PER_PAGE } }, { every: 30_000 });
  const manages = can("tenants:manage");
  const mine = session.value?.user.tenant_ids ?? [];
  const setStatus = async (child: Child, status: string, done: string): Promise<void> => {
    if (await attempt(() => api.put(`${pathOf(child)}/status`, { status }), done, "The status was not changed")) await tenants.reload();
  };
  const columns: Column<Child>[] = [
    { id: "name", title: "Tenant", always: true, grow: 2, min: 10, cell: (child) => <Name>{child.name}</Name> },
    { id: "status", title: "Status", cell: statusOf },
    { id: "devices", title: "Devices", cell: (child) => `${format.number(child.device_count ?? 0)} of ${(child.device_limit ?? -1) < 0 ? "any number" : format.number(child.device_limit ?? 0)}` },
    { id: "plan", title: "Plan", wide: true, cell: (child) => child.plan ?? "–" },
    { id: "created", title: "Created", wide: true, cell: (child) => <Time at={child.created_at} /> },
    actionsColumn(
      (child) => child.name,
      (child) =>
        !child.removing && [
          { label: "Work in it", icon: "organization", disabled: child.status !== "active" || !(manages || mine.includes(child.id)), onSelect: () => (mine.includes(child.id) ? void attempt(() => changeTenant(child.id)) : ask({ child, to: "enter" })) },
          manages && { label: "Change name or limit", icon: "edit", onSelect: () => show(child.id) },
          manages && child.status === "active" && { label: "Suspend", icon: "pause", onSelect: () => ask({ child, to: "suspend" }) },
          manages && child.status === "suspended" && { label: "Activate", icon: "play", onSelect: () => setStatus(child, "active", `${child.name} is active again.`) },
          manages && child.status === "suspended" && { label: "Remove", icon: "delete", danger: true, onSelect: () => ask({ child, to: "remove" }) },
        ],
    ),
  ];
  const edited = tenants.data?.find((child) => child.id === open);
  const close = (): void => ask(undefined);
  return (
    <SettingsPage
      at="tenants"
      title="Tenants"
      lead="Each has devices, releases and users of its own, and sees nothing of the others."
      actions={
        manages && (
          <Button kind="primary" icon="add" onClick={() => show("new")}>
            New tenant
          </Button>
        )
      }
    >
      <DataTable
        name="tenants"
        label="Tenants"
        plain
        columns={columns}
        rows={tenants.data}
        total={tenants.total}
        rowKey={(child) => child.id}
        page={at}
        perPage={PER_PAGE}
        onPage={goTo}
        stale={tenants.stale}
        error={tenants.error}
        onRetry={tenants.reload}
        empty={
          <EmptyState icon="organization" title="No tenants yet">
            Create one for each customer. It gets your plan, and its devices count against your limit.
          </EmptyState>
        }
      />
      {(open === "new" || edited) && <TenantDialog key={open} tenant={edited} onClose={() => show("")} onDone={tenants.reload} />}
      <ConfirmDialog
        open={asked?.to === "suspend"}
        title={`Suspend ${asked?.child.name ?? ""}?`}
        action="Suspend 1 tenant"
        onConfirm={() => setStatus(asked?.child as Child, "suspended", `${asked?.child.name} is suspended.`)}
        onClose={close}
      >
        <p>Its {format.count(asked?.child.device_count ?? 0, "device")} and all its users are refused from their next call on. Nothing is deleted; you can activate it again.</p>
      </ConfirmDialog>
      <ConfirmDialog
        open={asked?.to === "remove"}
        title={`Remove ${asked?.child.name ?? ""}?`}
        action="Remove 1 tenant"
        typed={asked?.child.name ?? ""}
        onConfirm={async () => {
          const child = asked?.child as Child;
          close();
          await attempt(async () => {
            if (!(await prove((proof) => api.del(pathOf(child), { body: proof })))) return;
            toast.ok(`${child.name} is being removed.`);
            await tenants.reload();
          });
        }}
        onClose={close}
      >
        <p>Its devices, releases, deployments and users are erased, which takes a quarter of an hour or longer. This can't be undone.</p>
      </ConfirmDialog>
      <ConfirmDialog
        open={asked?.to === "enter"}
        title={`Work in ${asked?.child.name ?? ""}?`}
        action="Work in it"
        kind="primary"
        onConfirm={async () => {
          const id = asked?.child.id ?? "";
          const role = session.value?.rights.administrator ? "RBAC_ROLE_PERMIT_ALL" : "";
          await api.post(`/management/v1/useradm/users/${encodeURIComponent(session.value?.user.id ?? "")}/assign`, { tenant_ids: [id], role });
          await changeTenant(id);
        }}
        onClose={close}
      >
        <p>You become one of those who may work in this tenant{session.value?.rights.administrator ? " as an administrator" : ", to look only"}. The audit log says so. You come back by the menu with your name.</p>
      </ConfirmDialog>
      {dialog}
    </SettingsPage>
  );
}
