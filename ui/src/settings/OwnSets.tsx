/** The tenant's own permission sets, for what no built-in one fits. */
import { useState } from "preact/hooks";
import { api } from "../api/client";
import { format } from "../app/format";
import type { Live } from "../app/resource";
import { setQuery, useQuery } from "../app/router";
import { can } from "../app/session";
import { actionsColumn, Button, type Column, DataTable, DeleteDialog, EmptyState, Name, Section } from "../parts";
import type { PermissionSet, Role } from "./reach";
import { SetDialog } from "./SetDialog";
import { contents, isOwn, SETS } from "./sets";

export function OwnSets({ sets, roles }: { sets: Live<PermissionSet[]>; roles: readonly Role[] }) {
  const [edited] = useQuery("set");
  const [adding] = useQuery("newset");
  const [deleting, setDeleting] = useState<PermissionSet>();
  const manages = can("users:manage");
  const own = sets.data?.filter(isOwn);
  const set = own?.find((each) => each.name === edited);
  const users = (each: PermissionSet): Role[] => roles.filter((role) => role.permission_sets_with_scope?.some((one) => one.name === each.name));
  const columns: Column<PermissionSet>[] = [
    { id: "name", title: "Permission set", always: true, min: 10, grow: 2, cell: (each) => <Name>{each.name}</Name> },
    { id: "for", title: "What for", grow: 2, wide: true, cell: (each) => <Name>{each.description || "–"}</Name> },
    { id: "calls", title: "Its users may call", grow: 3, cell: (each) => <Name mono>{contents(each).join(", ")}</Name> },
    { id: "roles", title: "In roles", wide: true, min: 6, cell: (each) => format.number(users(each).length) },
    actionsColumn(
      (each) => each.name,
      (each) =>
        manages && [
          { label: "Edit", icon: "edit", onSelect: () => setQuery({ set: each.name }) },
          { label: "Delete", icon: "delete", danger: true, disabled: users(each).length > 0, onSelect: () => setDeleting(each) },
        ],
    ),
  ];
  return (
    <Section
      title="Own permission sets"
      lead="For what no built-in set fits: calls of the API by method and path. Roles use them like built-in sets."
      actions={
        manages && (
          <Button icon="add" onClick={() => setQuery({ newset: "1" })}>
            New permission set
          </Button>
        )
      }
    >
      <DataTable
        name="permission-sets"
        label="Own permission sets"
        plain
        columns={columns}
        rows={own}
        rowKey={(each) => each.name}
        error={sets.error}
        onRetry={sets.reload}
        empty={<EmptyState small title="None of your own">The built-in sets are usually enough. They are listed when you create a role.</EmptyState>}
      />
      {manages && (adding || set) && <SetDialog key={edited} set={set} onClose={() => setQuery({ set: "", newset: "" })} onDone={sets.reload} />}
      <DeleteDialog
        of={deleting}
        what="permission set"
        name={(each) => each.name}
        remove={(each) => api.del(`${SETS}/${encodeURIComponent(each.name)}`)}
        onDone={sets.reload}
        onClose={() => setDeleting(undefined)}
      >
        This can't be undone. A set that a role contains can't be deleted.
      </DeleteDialog>
    </Section>
  );
}
