/** Webhooks: who is told of what happens here, and how each delivery went. */
import { useState } from "preact/hooks";
import { api } from "../api/client";
import { useApi } from "../app/resource";
import { useQuery } from "../app/router";
import { can } from "../app/session";
import { actionsColumn, Badge, Button, type Column, DataTable, DeleteDialog, EmptyState, Name, Stack } from "../parts";
import { Deliveries } from "./Deliveries";
import { SettingsPage } from "./SettingsPage";
import { WebhookDialog } from "./WebhookDialog";
import { INTEGRATIONS, scopesOf, urlOf, type Webhook } from "./delivery";

export default function Webhooks() {
  const webhooks = useApi({ path: INTEGRATIONS, query: { per_page: 100 } });
  const [shown, show] = useQuery("webhook");
  const [open, edit] = useQuery("edit");
  const [deleting, setDeleting] = useState<Webhook>();
  const manages = can("integrations:manage");
  const edited = webhooks.data?.find((each) => each.id === open);
  const columns: Column<Webhook>[] = [
    { id: "url", title: "URL", always: true, grow: 3, min: 12, cell: (each) => <Name>{urlOf(each)}</Name> },
    { id: "description", title: "Description", grow: 2, wide: true, cell: (each) => <Name>{each.description || "–"}</Name> },
    { id: "scopes", title: "Is told of", grow: 2, cell: (each) => scopesOf(each).map((scope) => <Badge key={scope}>{scope}</Badge>) },
    { id: "signed", title: "Signed", wide: true, cell: (each) => (each.credentials.http?.secret ? "Yes" : "No") },
    actionsColumn(urlOf, (each) => [
      { label: "Show its deliveries", icon: "activity", onSelect: () => show(each.id) },
      manages && { label: "Change URL or secret", icon: "edit", onSelect: () => edit(each.id) },
      manages && { label: "Delete", icon: "delete", danger: true, onSelect: () => setDeleting(each) },
    ]),
  ];
  return (
    <SettingsPage
      at="webhooks"
      title="Webhooks"
      lead="Inform other systems of what happens to devices and deployments: each event is posted to their URL."
      actions={
        manages && (
          <Button kind="primary" icon="add" onClick={() => edit("new")}>
            New webhook
          </Button>
        )
      }
    >
      <Stack>
        <DataTable
          name="webhooks"
          label="Webhooks"
          plain
          columns={columns}
          rows={webhooks.data}
          rowKey={(each) => each.id}
          error={webhooks.error}
          onRetry={webhooks.reload}
          empty={
            <EmptyState icon="link" title="No webhooks">
              A webhook posts each event, as JSON, to a URL of yours: a chat, a ticket system, your own program.
            </EmptyState>
          }
        />
        <Deliveries webhooks={webhooks.data ?? []} />
      </Stack>
      {manages && (open === "new" || edited) && <WebhookDialog key={open} webhook={edited} onClose={() => edit("")} onDone={webhooks.reload} />}
      <DeleteDialog
        of={deleting}
        what="webhook"
        name={(each) => `the webhook to ${urlOf(each)}`}
        remove={(each) => api.del(`${INTEGRATIONS}/${encodeURIComponent(each.id)}`)}
        onDone={() => {
          if (shown === deleting?.id) show("");
          return webhooks.reload();
        }}
        onClose={() => setDeleting(undefined)}
      >
        Waiting events are dropped. This can't be undone.
      </DeleteDialog>
    </SettingsPage>
  );
}
