/** The tags of a device, which people give it. */
import { useState } from "preact/hooks";
import { api } from "../api/client";
import { useLeaveGuard } from "../app/router";
import { attempt } from "../app/toasts";
import { type Device, shown } from "../devices/types";
import { Button, Card, KeyValues, Name, Row, Stack } from "../parts";
import { filled, type Pair, Pairs, repeated } from "./Pairs";
import { ofScope, paths } from "./types";

export function TagsCard({ device, editable, onSaved }: { device: Device; editable: boolean; onSaved: () => Promise<void> }) {
  const tags = ofScope(device, "tags").map((tag): Pair => [tag.name, shown(tag.value)]);
  const [draft, setDraft] = useState<Pair[] | undefined>();
  useLeaveGuard(draft !== undefined && JSON.stringify(filled(draft)) !== JSON.stringify(tags));
  const save = async (): Promise<void> => {
    const body = filled(draft ?? []).map(([name, value]) => ({ name, value }));
    if (!(await attempt(() => api.put(`${paths.inventory(device.id)}/tags`, body), "Tags are saved.", "Tags were not saved"))) return;
    setDraft(undefined);
    await onSaved();
  };
  return (
    <Card
      title="Tags"
      actions={
        editable &&
        !draft && (
          <Button small kind="quiet" icon="edit" onClick={() => setDraft(tags.length ? tags : [["name", ""]])}>
            Edit tags
          </Button>
        )
      }
    >
      {draft ? (
        <Stack gap={3}>
          <Pairs value={draft} onChange={setDraft} add="Add tag" />
          <Row>
            <Button small kind="primary" disabled={repeated(draft).length > 0} onClick={save}>
              Save tags
            </Button>
            <Button small kind="quiet" onClick={() => setDraft(undefined)}>
              Discard
            </Button>
          </Row>
        </Stack>
      ) : tags.length ? (
        <KeyValues items={tags.map(([name, value]) => [<Name key="n">{name}</Name>, <Name key="v" wrap>{value}</Name>] as const)} />
      ) : (
        <p class="muted">No tags. A tag called <code>name</code> is shown as the device's name.</p>
      )}
    </Card>
  );
}
