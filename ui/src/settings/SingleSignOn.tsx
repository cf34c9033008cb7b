/** Single sign-on: identity providers (OpenID Connect) at which users sign in. */
import { useState } from "preact/hooks";
import type { Shape } from "../api/calls";
import { api } from "../api/client";
import { useApi } from "../app/resource";
import { useQuery } from "../app/router";
import { session } from "../app/session";
import { attempt, toast } from "../app/toasts";
import { actionsColumn, Banner, Button, type Column, ConfirmDialog, DataTable, EmptyState, Name } from "../parts";
import { useProof } from "./proof";
import { ProviderDrawer, PROVIDERS } from "./ProviderDrawer";
import { SettingsPage } from "./SettingsPage";

type Entry = Shape<"ProviderEntry">;

export default function SingleSignOn() {
  const providers = useApi(PROVIDERS);
  const [open, show] = useQuery("provider");
  const [deleting, setDeleting] = useState<Entry>();
  const { prove, dialog } = useProof();
  const may = session.value?.rights.administrator ?? false;
  const columns: Column<Entry>[] = [
    { id: "issuer", title: "Provider", always: true, grow: 2, min: 12, cell: (entry) => <Name>{entry.issuer}</Name> },
    { id: "id", title: "ID", wide: true, grow: 2, cell: (entry) => <Name mono>{entry.id}</Name> },
    actionsColumn(
      (entry) => entry.issuer,
      (entry) => [
        { label: may ? "Addresses and settings" : "Show", icon: "edit", onSelect: () => show(entry.id) },
        may && { label: "Delete", icon: "delete", danger: true, onSelect: () => setDeleting(entry) },
      ],
    ),
  ];
  return (
    <SettingsPage
      at="sso"
      title="Single sign-on"
      lead="Users sign in at your identity provider, by OpenID Connect, instead of with a password here."
      actions={
        may && (
          <Button kind="primary" icon="add" onClick={() => show("new")}>
            Add a provider
          </Button>
        )
      }
    >
      {!may && <Banner>Only administrators can set up single sign-on, because the provider decides who can sign in.</Banner>}
      <DataTable
        name="providers"
        label="Identity providers"
        plain
        columns={columns}
        rows={providers.data}
        rowKey={(entry) => entry.id}
        error={providers.error}
        onRetry={providers.reload}
        empty={
          <EmptyState icon="lock" title="No identity provider">
            Add a provider, and register the redirect address with it.
          </EmptyState>
        }
      />
      {open && <ProviderDrawer key={open} id={open === "new" ? undefined : open} editable={may} onClose={() => show("")} onCreated={show} onDone={providers.reload} />}
      <ConfirmDialog
        open={deleting !== undefined}
        title={`Delete ${deleting?.issuer ?? ""}?`}
        action="Delete 1 provider"
        onConfirm={async () => {
          const id = deleting?.id ?? "";
          setDeleting(undefined);
          await attempt(async () => {
            if (!(await prove((proof) => api.del(`${PROVIDERS}/${encodeURIComponent(id)}`, { body: proof })))) return;
            toast.ok("The provider is deleted.");
            await providers.reload();
          });
        }}
        onClose={() => setDeleting(undefined)}
      >
        <p>Users without a password can't sign in any more. This can't be undone.</p>
      </ConfirmDialog>
      {dialog}
    </SettingsPage>
  );
}
