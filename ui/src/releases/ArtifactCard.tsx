/** One artifact of a release: what it is for, what it contains, what it needs and gives. */
import { useState } from "preact/hooks";
import { api } from "../api/client";
import { attempt } from "../app/toasts";
import { Badge, Button, Bytes, Card, CodeBlock, ConfirmDialog, Copy, Details, Dialog, Form, KeyValues, Menu, Name, Stack, Status, TextArea, Time } from "../parts";
import { type Artifact, artifactPath, payloadTypes, type Update } from "./types";

export function ArtifactCard({ artifact, editable, onChanged }: { artifact: Artifact; editable: boolean; onChanged: () => Promise<void> | void }) {
  const [open, setOpen] = useState<"" | "describe" | "delete">("");
  const path = artifactPath(artifact.id);
  const types = artifact.device_types_compatible.join(", ");
  const download = async (): Promise<void> => {
    await attempt(async () => {
      const link = await api.get(`${path}/download`);
      location.assign(link.uri);
    }, undefined, "The artifact was not downloaded");
  };
  return (
    <Card
      title={<Name wrap>{types || "Any device"}</Name>}
      lead={
        <>
          <Bytes value={artifact.size} /> · <Time at={artifact.modified} />
        </>
      }
      actions={
        <Menu
          label={`Actions for the artifact for ${types}`}
          icon="more"
          iconOnly
          items={[
            { label: "Download", icon: "download", onSelect: () => void download() },
            ...(editable
              ? [
                  { label: "Edit description", icon: "edit" as const, onSelect: () => setOpen("describe") },
                  { label: "Delete", icon: "delete" as const, danger: true, onSelect: () => setOpen("delete") },
                ]
              : []),
          ]}
        />
      }
    >
      <Stack>
        {artifact.description && <p dir="auto">{artifact.description}</p>}
        <KeyValues
          columns
          items={[
            ["Payload", payloadTypes([artifact]).map((type) => <Badge key={type}>{type}</Badge>)],
            ["Signature", <SignatureOf key="s" artifact={artifact} />],
            ["Format", `${artifact.info.format}, version ${artifact.info.version}`],
            ["Artifact ID", <><code>{artifact.id}</code> <Copy text={artifact.id} label="Copy the ID" /></>],
          ]}
        />
        <Pairs title="Provides" lead="What a device has after this is installed." values={artifact.artifact_provides} />
        <Pairs title="Depends on" lead="What a device must have to get this." values={artifact.artifact_depends} />
        {artifact.clears_artifact_provides?.length > 0 && (
          <Details summary="Clears">
            <p class="muted small">Entries that are removed from the device first: {artifact.clears_artifact_provides.join(", ")}</p>
          </Details>
        )}
        {artifact.updates.map((update, index) => (
          <Files key={index} update={update} />
        ))}
      </Stack>
      {open === "describe" && <Describe artifact={artifact} path={path} onClose={() => setOpen("")} onSaved={onChanged} />}
      <ConfirmDialog
        open={open === "delete"}
        title="Delete this artifact?"
        action="Delete 1 artifact"
        onConfirm={async () => {
          await api.del(path);
          await onChanged();
        }}
        onClose={() => setOpen("")}
      >
        <p>Devices of type {types} can no longer get it. It can't be brought back.</p>
      </ConfirmDialog>
    </Card>
  );
}

/** Who has signed an artifact, if that was checked when it was uploaded. */
function SignatureOf({ artifact: { signed, signature } }: { artifact: Artifact }) {
  if (!signature) return signed ? <Status is="neutral">Signed, not checked</Status> : <Status is="neutral">Not signed</Status>;
  if (!signature.trusted) return <Status is="warning">Not trusted: {signature.reason}</Status>;
  return (
    <Status is="ok">
      Signed by <Name wrap>{signature.key_name ?? ""}</Name>
    </Status>
  );
}

function Pairs({ title, lead, values }: { title: string; lead: string; values: Record<string, string | string[]> | null }) {
  const entries = Object.entries(values ?? {});
  if (!entries.length) return null;
  return (
    <Details summary={`${title} (${entries.length})`}>
      <p class="muted small">{lead}</p>
      <KeyValues items={entries.map(([key, value]) => [<Name key={key} wrap mono>{key}</Name>, <Name key={`${key}=`} wrap mono>{Array.isArray(value) ? value.join(", ") : value}</Name>] as const)} />
    </Details>
  );
}

function Files({ update }: { update: Update }) {
  const files = update.files ?? [];
  return (
    <Details summary={`Files${files.length ? ` (${files.length})` : ""} and metadata of ${update.type_info.type ?? "the payload"}`}>
      <Stack>
        {files.length === 0 && <p class="muted small">No files.</p>}
        {files.map((file) => (
          <KeyValues
            key={file.name}
            items={[
              ["File", <Name key="n" wrap mono>{file.name}</Name>],
              ["Size", <Bytes key="s" value={file.size} />],
              ["SHA-256", <Name key="c" wrap mono>{file.checksum}</Name>],
              ["Date", <Time key="d" at={file.date} absolute />],
            ]}
          />
        ))}
        {Object.keys(update.metadata ?? {}).length > 0 && <CodeBlock label="Metadata" wrap limit>{JSON.stringify(update.metadata, null, 2)}</CodeBlock>}
      </Stack>
    </Details>
  );
}

function Describe({ artifact, path, onClose, onSaved }: { artifact: Artifact; path: ReturnType<typeof artifactPath>; onClose: () => void; onSaved: () => Promise<void> | void }) {
  const [text, setText] = useState(artifact.description);
  const save = async (): Promise<void> => {
    if (await attempt(() => api.put(path, { description: text }), "The description is saved.", "The description was not saved")) {
      await onSaved();
      onClose();
    }
  };
  return (
    <Dialog
      open
      title="Edit description"
      onClose={onClose}
      actions={
        <>
          <Button onClick={onClose}>Cancel</Button>
          <Button kind="primary" onClick={save}>
            Save description
          </Button>
        </>
      }
    >
      <Form onSubmit={save} label="Description">
        <TextArea label="Description" value={text} onInput={setText} maxLength={1024} hint="It can be changed as long as no deployment has used the artifact." />
      </Form>
    </Dialog>
  );
}
