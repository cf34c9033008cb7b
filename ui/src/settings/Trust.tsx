/** Trusted software: the keys that sign artifacts, and what happens to other artifacts and to downgrades. */
import { useState } from "preact/hooks";
import type { Shape } from "../api/calls";
import { api } from "../api/client";
import { type Live, useApi } from "../app/resource";
import { useLeaveGuard, useQuery } from "../app/router";
import { can } from "../app/session";
import { textOf, toast } from "../app/toasts";
import { Banner, Button, Card, type Column, DataTable, DeleteDialog, EditDialog, EmptyState, Form, FormActions, IconButton, Input, lastColumn, Loaded, Name, RadioGroup, Stack, TextArea, Time } from "../parts";
import { useProof } from "./proof";
import { SettingsPage } from "./SettingsPage";

type Key = Shape<"TrustedKey">;
type Policy = Shape<"TrustPolicy">;

const KEYS = "/management/v1/deployments/trust/keys";
const POLICY = "/management/v1/deployments/trust/policy";

const SIGNATURES = [
  { value: "off", label: "Do not check signatures", hint: "Every artifact is accepted." },
  { value: "warn", label: "Mark artifacts that no trusted key has signed", hint: "They are accepted, and shown with a warning." },
  { value: "demand", label: "Demand a signature by a trusted key", hint: "Other artifacts are refused, also those that the server makes from a file." },
] as const;

const DOWNGRADES = [
  { value: "allow", label: "Allow downgrades", hint: "A deployment may bring older software than a device has." },
  { value: "flag", label: "Flag downgrades", hint: "Devices get older software, and the deployment shows which." },
  { value: "refuse", label: "Refuse downgrades", hint: "Devices keep newer software, also in forced deployments." },
] as const;

export default function Trust() {
  const keys = useApi(KEYS);
  const policy = useApi(POLICY);
  const [adding, setAdding] = useQuery("new");
  const may = can("settings:manage");
  return (
    <SettingsPage
      at="trust"
      title="Trusted software"
      lead="Which artifacts may be uploaded, and which of them devices may get."
      actions={
        may && (
          <Button kind="primary" icon="add" onClick={() => setAdding("1")}>
            Add a key
          </Button>
        )
      }
    >
      <Stack>
        {policy.data?.signatures === "demand" && keys.data?.length === 0 && <Banner is="warning">There is no trusted key, so every upload is refused. Add the public key with which you sign artifacts.</Banner>}
        <Card title="Policy" lead="Applies to uploads and to polls from now on, not to artifacts that are stored. Each change is in the audit log.">
          <Loaded from={policy}>{(found) => <PolicyForm key={JSON.stringify(found)} stored={found} from={policy} />}</Loaded>
        </Card>
        <Keys keys={keys} />
      </Stack>
      {adding && may && <NewKey onClose={() => setAdding("")} onDone={keys.reload} />}
    </SettingsPage>
  );
}

function PolicyForm({ stored, from }: { stored: Policy; from: Live<Policy> }) {
  const [policy, setPolicy] = useState(stored);
  const [error, setError] = useState("");
  const { prove, dialog } = useProof();
  const may = can("settings:manage");
  const changed = policy.signatures !== stored.signatures || policy.downgrades !== stored.downgrades;
  useLeaveGuard(changed);
  const save = async (): Promise<void> => {
    setError("");
    try {
      if (!(await prove((proof) => api.put(POLICY, { ...policy, ...proof })))) return;
      toast.ok("The policy is saved.");
      await from.reload();
    } catch (failed) {
      setError(textOf(failed));
    }
  };
  const locked = { disabled: !may };
  return (
    <Form onSubmit={save} label="Trust policy">
      {error && <Banner is="danger">{error}</Banner>}
      <RadioGroup label="Uploads" value={policy.signatures} options={SIGNATURES.map((each) => ({ ...each, ...locked }))} onChange={(signatures) => setPolicy({ ...policy, signatures })} />
      <RadioGroup label="Older software" value={policy.downgrades} options={DOWNGRADES.map((each) => ({ ...each, ...locked }))} onChange={(downgrades) => setPolicy({ ...policy, downgrades })} />
      {may && (
        <FormActions>
          {changed && <Button onClick={() => setPolicy(stored)}>Discard</Button>}
          <Button type="submit" kind="primary" disabled={!changed}>
            Save policy
          </Button>
        </FormActions>
      )}
      {dialog}
    </Form>
  );
}

function Keys({ keys }: { keys: Live<Key[]> }) {
  const [deleting, setDeleting] = useState<Key>();
  const columns: Column<Key>[] = [
    { id: "name", title: "Name", always: true, grow: 2, min: 8, cell: (key) => <Name>{key.name}</Name> },
    { id: "algorithm", title: "Algorithm", min: 8, grow: 0, cell: (key) => key.algorithm },
    { id: "fingerprint", title: "Fingerprint (SHA-256)", wide: true, grow: 3, cell: (key) => <Name mono>{key.fingerprint}</Name> },
    { id: "created", title: "Added", wide: true, min: 8, grow: 0, cell: (key) => <Time at={key.created} /> },
    lastColumn((key) => can("settings:manage") && <IconButton icon="delete" label={`Delete ${key.name}`} small onClick={() => setDeleting(key)} />),
  ];
  return (
    <Card flush title="Trusted keys" lead="Public keys that verify the signatures of artifacts.">
      <DataTable
        name="trusted-keys"
        label="Trusted keys"
        plain
        columns={columns}
        rows={keys.data}
        rowKey={(key) => key.id}
        error={keys.error}
        onRetry={keys.reload}
        empty={
          <EmptyState icon="key" title="No trusted keys">
            Make a pair of keys, sign your artifacts with <code>mender-artifact sign</code>, and add the public key here. The private key stays where you sign.
          </EmptyState>
        }
      />
      <DeleteDialog
        of={deleting}
        what="key"
        name={(key) => key.name}
        remove={(key) => api.del(`${KEYS}/${encodeURIComponent(key.id)}`)}
        onDone={keys.reload}
        onClose={() => setDeleting(undefined)}
      >
        New uploads that it has signed are no longer trusted. Artifacts that are stored already stay as they are.
      </DeleteDialog>
    </Card>
  );
}

function NewKey({ onClose, onDone }: { onClose: () => void; onDone: () => Promise<void> }) {
  const [name, setName] = useState("");
  const [pem, setPem] = useState("");
  const [wrong, setWrong] = useState("");
  const { prove, dialog } = useProof();
  const save = async (): Promise<string> => {
    setWrong("");
    try {
      const did = await prove((proof) => api.post(KEYS, { name: name.trim(), pem, ...proof }));
      return did ? "The key is trusted from now on." : "";
    } catch (failed) {
      const [, about] = /^pem: (.*)$/is.exec(textOf(failed)) ?? [];
      if (!about) throw failed;
      setWrong(`${about.charAt(0).toUpperCase()}${about.slice(1)}`);
      return "";
    }
  };
  return (
    <>
      <EditDialog title="Add a key" action="Add key" ready={Boolean(name.trim() && pem.trim())} save={save} onDone={onDone} onClose={onClose}>
        <Input label="Name" value={name} onInput={setName} maxLength={100} hint="Who signs with it, such as “build server”. Artifacts show it." />
        <TextArea
          label="Public key"
          mono
          rows={8}
          value={pem}
          onInput={setPem}
          spellcheck={false}
          placeholder="-----BEGIN PUBLIC KEY-----"
          error={wrong}
          hint={<>RSA, ECDSA P-256 or Ed25519, in PEM. <code>openssl pkey -in artifact.key -pubout</code> prints it.</>}
        />
      </EditDialog>
      {dialog}
    </>
  );
}
