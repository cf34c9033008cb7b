/** Acceptance rules: which devices are accepted without a user, and the identities that are preregistered. */
import { useState } from "preact/hooks";
import { api } from "../api/client";
import { useApi } from "../app/resource";
import { useQuery } from "../app/router";
import { can } from "../app/session";
import { attempt } from "../app/toasts";
import { actionsColumn, Button, type Column, DataTable, DeleteDialog, EmptyState, Name, Stack, Status } from "../parts";
import { AcceptanceDialog } from "./AcceptanceDialog";
import { Identities } from "./Identities";
import { SettingsPage } from "./SettingsPage";
import { accepts, changed, type Rule, RULES, today } from "./rules";

export default function Acceptance() {
  const rules = useApi(RULES, { every: 15_000 });
  const [open, edit] = useQuery("edit");
  const [deleting, setDeleting] = useState<Rule>();
  const manages = can("acceptance:manage");
  const edited = rules.data?.find((each) => each.id === open);
  const turn = (rule: Rule): Promise<unknown> =>
    attempt(
      async () => {
        await api.put(`${RULES}/${encodeURIComponent(rule.id)}`, changed(rule, { enabled: !rule.enabled }));
        await rules.reload();
      },
      rule.enabled ? "The rule is off. It accepts no more devices." : "The rule is on.",
      "The rule was not changed",
    );
  const columns: Column<Rule>[] = [
    { id: "name", title: "Name", always: true, grow: 2, min: 8, cell: (each) => <Name>{each.name}</Name> },
    { id: "accepts", title: "Accepts", grow: 4, wide: true, cell: (each) => <Name>{accepts(each)}</Name> },
    { id: "today", title: "Accepted today", min: 8.5, grow: 1, end: true, cell: today },
    { id: "enabled", title: "State", min: 5, grow: 1, cell: (each) => <Status is={each.enabled ? "ok" : "neutral"}>{each.enabled ? "On" : "Off"}</Status> },
    actionsColumn(
      (each) => each.name,
      (each) =>
        manages && [
          { label: "Change", icon: "edit", onSelect: () => edit(each.id) },
          { label: each.enabled ? "Turn off" : "Turn on", icon: "power", onSelect: () => void turn(each) },
          { label: "Delete", icon: "delete", danger: true, onSelect: () => setDeleting(each) },
        ],
    ),
  ];
  return (
    <SettingsPage
      at="acceptance"
      title="Acceptance rules"
      lead="Accept new devices without a user, when they ask. Devices that were rejected, accepted before or decommissioned always wait for a user, and so does another key of a known device."
      actions={
        manages && (
          <Button kind="primary" icon="add" onClick={() => edit("new")}>
            New rule
          </Button>
        )
      }
    >
      <Stack>
        <DataTable
          name="acceptance"
          label="Acceptance rules"
          plain
          columns={columns}
          rows={rules.data}
          rowKey={(each) => each.id}
          error={rules.error}
          onRetry={rules.reload}
          empty={
            <EmptyState icon="shield" title="No rules">
              Every new device waits until a user accepts it. A rule accepts devices whose identities are uploaded here or match patterns, or that have a certificate of your CA.
            </EmptyState>
          }
        />
        <Identities manages={manages} onUploaded={rules.reload} />
      </Stack>
      {manages && (open === "new" || edited) && <AcceptanceDialog key={open} rule={edited} onClose={() => edit("")} onDone={rules.reload} />}
      <DeleteDialog
        of={deleting}
        what="rule"
        name={(each) => `the rule ${each.name}`}
        remove={(each) => api.del(`${RULES}/${encodeURIComponent(each.id)}`)}
        onDone={rules.reload}
        onClose={() => setDeleting(undefined)}
      >
        Devices that it accepted stay accepted.
      </DeleteDialog>
    </SettingsPage>
  );
}
