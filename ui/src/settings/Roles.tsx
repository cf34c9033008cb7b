/** Roles: what users may do, and at which devices and releases it ends. */
import { useState } from "preact/hooks";
import { api } from "../api/client";
import { useApi } from "../app/resource";
import { setQuery, useQuery } from "../app/router";
import { can } from "../app/session";
import { actionsColumn, Badge, Button, type Column, DataTable, DeleteDialog, EmptyState, Name, Stack } from "../parts";
import { inShort, isBuiltIn, type Role } from "./reach";
import { SETS } from "./sets";
import { OwnSets } from "./OwnSets";
import { RoleDrawer } from "./RoleDrawer";
import { SettingsPage } from "./SettingsPage";

const ROLES = "/management/v2/useradm/roles";

export default function Roles() {
  const roles = useApi({ path: ROLES, query: { per_page: 500 } }, { every: 60_000 });
  const sets = useApi({ path: SETS, query: { per_page: 500 } });
  const [edited] = useQuery("role");
  const [adding] = useQuery("new");
  const [deleting, setDeleting] = useState<Role>();
  const manages = can("users:manage");
  const role = roles.data?.find((each) => each.name === edited);
  const columns: Column<Role>[] = [
    {
      id: "name",
      title: "Role",
      always: true,
      min: 19,
      grow: 2,
      cell: (each) => <Name>{each.name}</Name>,
    },
    { id: "made", title: "Kind", min: 7, grow: 0, wide: true, cell: (each) => <Badge>{isBuiltIn(each) ? "Built in" : "Own"}</Badge> },
    { id: "for", title: "What for", grow: 2, wide: true, cell: (each) => <Name>{each.description || "–"}</Name> },
    { id: "reach", title: "May", grow: 3, wide: true, cell: (each) => <Name>{inShort(each)}</Name> },
    actionsColumn(
      (each) => each.name,
      (each) =>
        manages && !isBuiltIn(each) && [
          { label: "Edit", icon: "edit", onSelect: () => setQuery({ role: each.name }) },
          { label: "Delete", icon: "delete", danger: true, onSelect: () => setDeleting(each) },
        ],
    ),
  ];
  const close = (): void => setQuery({ role: "", new: "" });
  return (
    <SettingsPage
      at="roles"
      title="Roles"
      lead="A user has the rights of all their roles together. Without a role, a user is an administrator."
      actions={
        manages && (
          <Button kind="primary" icon="add" onClick={() => setQuery({ new: "1" })}>
            New role
          </Button>
        )
      }
    >
      <Stack>
        <DataTable
          name="roles"
          label="Roles"
          columns={columns}
          rows={roles.data}
          rowKey={(each) => each.name}
          error={roles.error}
          onRetry={roles.reload}
          empty={<EmptyState icon="shield" title="No roles">A role says what its users may do.</EmptyState>}
        />
        <OwnSets sets={sets} roles={roles.data ?? []} />
      </Stack>
      {manages && sets.data && (adding || role) && <RoleDrawer key={edited} role={role} sets={sets.data} onClose={close} onDone={roles.reload} />}
      <DeleteDialog
        of={deleting}
        what="role"
        name={(each) => each.name}
        remove={(each) => api.del(`${ROLES}/${encodeURIComponent(each.name)}`)}
        onDone={roles.reload}
        onClose={() => setDeleting(undefined)}
      >
        This can't be undone. A role that a user has can't be deleted.
      </DeleteDialog>
    </SettingsPage>
  );
}
