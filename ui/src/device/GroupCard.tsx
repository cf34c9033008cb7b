/** The group of a device: shown, changed, left. */
import { useState } from "preact/hooks";
import { api } from "../api/client";
import { useApi } from "../app/resource";
import { attempt } from "../app/toasts";
import { Button, Card, Combobox, Link, Name, Row, Stack } from "../parts";
import { paths } from "./types";

export function GroupCard({ device, group, editable, onSaved }: { device: string; group: string; editable: boolean; onSaved: () => Promise<void> }) {
  const [editing, setEditing] = useState(false);
  return (
    <Card
      title="Group"
      actions={
        editable &&
        !editing && (
          <Button small kind="quiet" icon="edit" onClick={() => setEditing(true)}>
            Change group
          </Button>
        )
      }
    >
      {editing ? (
        <Edit device={device} group={group} onDone={() => setEditing(false)} onSaved={onSaved} />
      ) : group ? (
        <Link to="/devices" query={{ group }}>
          <Name>{group}</Name>
        </Link>
      ) : (
        <p class="muted">In no group.</p>
      )}
    </Card>
  );
}

function Edit({ device, group, onDone, onSaved }: { device: string; group: string; onDone: () => void; onSaved: () => Promise<void> }) {
  const [wanted, setWanted] = useState(group);
  const groups = useApi("/management/v1/inventory/groups");
  const base = `${paths.inventory(device)}/group` as const;
  const save = async (next: string): Promise<void> => {
    const call = (): Promise<unknown> => (next ? api.put(base, { group: next }) : api.del(`${base}/${encodeURIComponent(group)}`));
    if (!(await attempt(call, next ? `The device is in group ${next}.` : "The device is in no group.", "The group was not changed"))) return;
    onDone();
    await onSaved();
  };
  return (
    <Stack gap={3}>
      <Combobox label="Group" hideLabel free value={wanted} onChange={setWanted} placeholder="A group, or a new name" options={(groups.data ?? []).map((each) => ({ value: each, label: each }))} />
      <Row>
        <Button small kind="primary" disabled={!wanted.trim() || wanted.trim() === group} onClick={() => save(wanted.trim())}>
          Save group
        </Button>
        {group && (
          <Button small onClick={() => save("")}>
            Remove from group
          </Button>
        )}
        <Button small kind="quiet" onClick={onDone}>
          Cancel
        </Button>
      </Row>
    </Stack>
  );
}
