/** One release: its artifacts, tags and notes, and the devices that run it. */
import { useEffect, useState } from "preact/hooks";
import { api } from "../api/client";
import { format } from "../app/format";
import { useApi } from "../app/resource";
import { navigate, useLeaveGuard, useParam } from "../app/router";
import { can } from "../app/session";
import { attempt } from "../app/toasts";
import { Button, Card, ConfirmDialog, Count, KeyValues, Link, Loaded, Page, Split, Stack, StaleNote, Tags, TextArea, Time } from "../parts";
import { ArtifactCard } from "./ArtifactCard";
import { deviceTypes, payloadTypes, type Release, RELEASES, releasePath } from "./types";

export default function ReleasePage() {
  const name = useParam("name");
  const release = useApi(releasePath(name), { every: 15_000 });
  const running = useApi(can("devices:read") ? installedOn(name) : null);
  const [deleting, setDeleting] = useState(false);
  const manages = can("releases:manage");
  return (
    <Page
      title={name}
      back={{ to: "/releases", label: "Releases" }}
      {...(release.data ? { lead: <>Changed <Time at={release.data.modified} /></> } : {})}
      actions={
        <>
          {manages && (
            <Button icon="delete" kind="quiet" onClick={() => setDeleting(true)}>
              Delete
            </Button>
          )}
          {can("deployments:manage") && (
            <Link button="primary" icon="deployments" to="/deployments/new" query={{ release: name }}>
              Deploy
            </Link>
          )}
        </>
      }
    >
      <StaleNote from={release} />
      <Loaded from={release} title="This release could not be loaded">
        {(found) => (
          <Split
            side={
              <Stack>
                <Card title="At a glance">
                  <KeyValues
                    items={[
                      ["Artifacts", format.number(found.artifacts_count)],
                      ["Size", format.bytes(found.artifacts.reduce((sum, artifact) => sum + artifact.size, 0))],
                      ["Device types", deviceTypes(found).join(", ")],
                      ["Payload", payloadTypes(found.artifacts).join(", ") || "none"],
                      can("devices:read") && ["Installed on", running.total === undefined ? undefined : <Installed name={name} total={running.total} />],
                    ]}
                  />
                </Card>
                <TagsCard release={found} onSaved={release.reload} editable={manages} />
                <NotesCard release={found} onSaved={release.reload} editable={manages} />
              </Stack>
            }
          >
            <Stack>
              {found.artifacts.map((artifact) => (
                <ArtifactCard key={artifact.id} artifact={artifact} editable={manages} onChanged={async () => (found.artifacts_count > 1 ? release.reload() : navigate("/releases"))} />
              ))}
            </Stack>
          </Split>
        )}
      </Loaded>
      <ConfirmDialog
        open={deleting}
        title={`Delete ${name}?`}
        action={`Delete ${format.count(release.data?.artifacts_count ?? 1, "artifact")}`}
        onConfirm={async () => {
          await api.del(RELEASES, { query: { name: [name] } });
          navigate("/releases");
        }}
        onClose={() => setDeleting(false)}
      >
        <p>All artifacts of this release are deleted, which can't be undone. A release that an unfinished deployment uses can't be deleted.</p>
      </ConfirmDialog>
    </Page>
  );
}

const CONDITION = { scope: "inventory", attribute: "artifact_name", type: "$eq" } as const;

/** Counts only: one device is asked for, the header has the total. */
const installedOn = (name: string) => ({
  path: "/management/v2/inventory/filters/search" as const,
  method: "POST" as const,
  body: { page: 1, per_page: 1, filters: [{ ...CONDITION, value: name }], attributes: [] },
});

function Installed({ name, total }: { name: string; total: number }) {
  return total === 0 ? (
    <>no device</>
  ) : (
    <>
      <Count value={total} to="/devices" query={{ filters: JSON.stringify([{ ...CONDITION, value: name }]) }} /> {total === 1 ? "device" : "devices"}
    </>
  );
}

function TagsCard({ release, onSaved, editable }: { release: Release; onSaved: () => Promise<void>; editable: boolean }) {
  const [tags, setTags] = useState<string[]>(release.tags);
  const known = useApi(editable ? "/management/v2/deployments/releases/all/tags" : null);
  const stored = release.tags.join("\n");
  const dirty = tags.join("\n") !== stored;
  useEffect(() => setTags(release.tags), [stored]);
  useLeaveGuard(dirty);
  return (
    <Card title="Tags">
      {editable ? (
        <Stack>
          <Tags label="Tags" hideLabel value={tags} onChange={setTags} known={known.data ?? []} placeholder="Add a tag" />
          {dirty && (
            <div class="row gap-2">
              <Button
                kind="primary"
                small
                onClick={async () => {
                  if (await attempt(() => api.put(`${releasePath(release.name)}/tags`, tags), "Tags are saved.", "Tags were not saved")) await onSaved();
                }}
              >
                Save tags
              </Button>
              <Button small kind="quiet" onClick={() => setTags(release.tags)}>
                Discard
              </Button>
            </div>
          )}
        </Stack>
      ) : (
        <p>{release.tags.join(", ") || <span class="muted">No tags.</span>}</p>
      )}
    </Card>
  );
}

function NotesCard({ release, onSaved, editable }: { release: Release; onSaved: () => Promise<void>; editable: boolean }) {
  const [notes, setNotes] = useState(release.notes);
  const dirty = notes !== release.notes;
  useEffect(() => setNotes(release.notes), [release.notes]);
  useLeaveGuard(dirty);
  return (
    <Card title="Notes">
      {editable ? (
        <Stack>
          <TextArea label="Notes" hideLabel value={notes} onInput={setNotes} rows={4} maxLength={1024} placeholder="What is new, and whom to ask" />
          {dirty && (
            <div class="row gap-2">
              <Button
                kind="primary"
                small
                onClick={async () => {
                  if (await attempt(() => api.patch(releasePath(release.name), { notes }), "Notes are saved.", "Notes were not saved")) await onSaved();
                }}
              >
                Save notes
              </Button>
              <Button small kind="quiet" onClick={() => setNotes(release.notes)}>
                Discard
              </Button>
            </div>
          )}
        </Stack>
      ) : (
        <p dir="auto">{release.notes || <span class="muted">No notes.</span>}</p>
      )}
    </Card>
  );
}
