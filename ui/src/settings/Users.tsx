/** The users of the organization: who they are, what they may do, when they were last here. */
import { useState } from "preact/hooks";
import { api } from "../api/client";
import type { User } from "../api/types";
import { useApi } from "../app/resource";
import { useQuery } from "../app/router";
import { can, has, session } from "../app/session";
import { attempt } from "../app/toasts";
import { actionsColumn, Badge, Button, type Column, DataTable, DeleteDialog, EmptyState, Input, Name, Status, Time, Toolbar } from "../parts";
import { SettingsPage } from "./SettingsPage";
import { USERS, UserDialog } from "./UserDialog";

type Listed = User & { login_ts?: string };

export default function Users() {
  const [text, setText] = useQuery("q");
  const users = useApi(USERS, { every: 60_000 });
  const roles = useApi(has("rbac") ? { path: "/management/v2/useradm/roles", query: { per_page: 100 } } : null);
  const [open, show] = useQuery("edit");
  const [deleting, setDeleting] = useState<Listed>();
  const manages = can("users:manage");
  const edited = users.data?.find((user) => user.id === open);
  const mails = session.value?.mail ?? false;
  const shown = users.data?.filter((user) => user.email.toLowerCase().includes(text.trim().toLowerCase()));
  const columns: Column<Listed>[] = [
    {
      id: "email",
      title: "E-mail address",
      always: true,
      grow: 2,
      min: 12,
      cell: (user) => (
        <>
          <Name>{user.email}</Name> {user.id === session.value?.user.id && <Badge is="accent">You</Badge>}
        </>
      ),
    },
    { id: "roles", title: "Roles", grow: 2, wide: true, cell: (user) => (user.roles?.length ? user.roles.map((role) => <Badge key={role}>{role}</Badge>) : "Administrator") },
    { id: "factor", title: "Second factor", wide: true, cell: (user) => (user.tfa_status === "enabled" ? <Status is="ok">On</Status> : <Status is="neutral">Off</Status>) },
    { id: "login", title: "Last sign-in", cell: (user) => (user.login_ts ? <Time at={user.login_ts} /> : user.invited ? <Status is="neutral">Invited</Status> : <span class="muted">never</span>) },
    actionsColumn(
      (user) => user.email,
      (user) =>
        manages && [
          user.invited && mails && { label: "Send the invitation again", icon: "refresh", onSelect: () => void attempt(() => api.post(`${USERS}/${encodeURIComponent(user.id)}/invitation`), "The invitation is on its way again.", "The invitation was not sent") },
          { label: "Edit roles", icon: "edit", onSelect: () => show(user.id) },
          { label: "Delete", icon: "delete", danger: true, disabled: user.id === session.value?.user.id, onSelect: () => setDeleting(user) },
        ],
    ),
  ];
  return (
    <SettingsPage
      at="users"
      title="Users"
      actions={
        manages && (
          <Button kind="primary" icon="add" onClick={() => show("new")}>
            Add a user
          </Button>
        )
      }
    >
      {(users.data?.length ?? 0) > 8 && (
        <Toolbar>
          <Input label="Search users" hideLabel type="search" icon="search" placeholder="Search by address" value={text} onInput={(value) => setText(value, { replace: true })} clearable />
        </Toolbar>
      )}
      <DataTable name="users" label="Users" columns={columns} rows={shown} rowKey={(user) => user.id} error={users.error} onRetry={users.reload} empty={<EmptyState icon="users" title="No user fits">Try another part of the address.</EmptyState>} />
      {manages && (open === "new" || edited) && <UserDialog key={open} user={edited} roles={roles.data ?? []} onClose={() => show("")} onDone={users.reload} />}
      <DeleteDialog
        of={deleting}
        what="user"
        name={(user) => user.email}
        remove={(user) => api.del(`${USERS}/${encodeURIComponent(user.id)}`)}
        onDone={users.reload}
        onClose={() => setDeleting(undefined)}
      >
        All sessions and access tokens of this user end at once. This can't be undone.
      </DeleteDialog>
    </SettingsPage>
  );
}
