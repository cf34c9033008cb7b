/** Personal access tokens: for scripts and programs that act as this user. */
import { useState } from "preact/hooks";
import type { Shape } from "../api/calls";
import { api } from "../api/client";
import { useApi } from "../app/resource";
import { can } from "../app/session";
import { textOf } from "../app/toasts";
import { Banner, Button, CodeBlock, type Column, DataTable, DeleteDialog, Dialog, EmptyState, Form, IconButton, Input, lastColumn, Name, Select, Time } from "../parts";
import { useProof } from "./proof";
import { SettingsPage } from "./SettingsPage";

type Token = Shape<"Token">;

const TOKENS = "/management/v1/useradm/settings/tokens";
const DAY = 86_400;
const LIVES = [
  { value: String(7 * DAY), label: "7 days" },
  { value: String(30 * DAY), label: "30 days" },
  { value: String(90 * DAY), label: "90 days" },
  { value: String(365 * DAY), label: "a year" },
  { value: "0", label: "never ends" },
];

export default function Tokens() {
  const tokens = useApi(TOKENS);
  const [making, setMaking] = useState(false);
  const [revoking, setRevoking] = useState<Token>();
  const columns: Column<Token>[] = [
    { id: "name", title: "Name", always: true, grow: 2, cell: (token) => <Name>{token.name}</Name> },
    { id: "created", title: "Created", cell: (token) => <Time at={token.created_ts} />, wide: true },
    { id: "used", title: "Last used", cell: (token) => (token.last_used ? <Time at={token.last_used} /> : <span class="muted">never</span>) },
    { id: "ends", title: "Ends", cell: (token) => (token.expiration_date ? <Time at={token.expiration_date} absolute /> : "never") },
    lastColumn((token) => <IconButton icon="delete" label={`Revoke ${token.name}`} small onClick={() => setRevoking(token)} />),
  ];
  return (
    <SettingsPage
      at="tokens"
      title="Access tokens"
      lead="For scripts and programs that act as you, with your rights."
      actions={
        can("tokens:manage") && (
          <Button kind="primary" icon="add" onClick={() => setMaking(true)}>
            New token
          </Button>
        )
      }
    >
      <DataTable
        name="tokens"
        label="Access tokens"
        plain
        columns={columns}
        rows={tokens.data}
        rowKey={(token) => token.id}
        error={tokens.error}
        onRetry={tokens.reload}
        empty={
          <EmptyState icon="key" title="No access tokens">
            A token lets a script call the API as you, without your password. Each can be revoked by itself.
          </EmptyState>
        }
      />
      {making && <NewToken onClose={() => setMaking(false)} onDone={tokens.reload} />}
      <DeleteDialog
        of={revoking}
        what="token"
        name={(token) => token.name}
        verb="Revoke"
        remove={(token) => api.del(`${TOKENS}/${encodeURIComponent(token.id)}`)}
        onDone={tokens.reload}
        onClose={() => setRevoking(undefined)}
      >
        Programs that use it are refused from their next call on.
      </DeleteDialog>
    </SettingsPage>
  );
}

function NewToken({ onClose, onDone }: { onClose: () => void; onDone: () => Promise<void> }) {
  const [name, setName] = useState("");
  const [life, setLife] = useState(String(90 * DAY));
  const [token, setToken] = useState("");
  const [error, setError] = useState("");
  const { prove, dialog } = useProof();
  const create = async (): Promise<void> => {
    setError("");
    try {
      await prove(async (proof) => setToken(await api.post(TOKENS, { name: name.trim(), expires_in: Number(life), ...proof })));
      await onDone();
    } catch (failed) {
      setError(textOf(failed));
    }
  };
  return (
    <Dialog
      open
      title={token ? "Your new token" : "New access token"}
      onClose={onClose}
      stay={Boolean(token)}
      actions={
        token ? (
          <Button kind="primary" onClick={onClose}>
            I have copied it
          </Button>
        ) : (
          <>
            <Button onClick={onClose}>Cancel</Button>
            <Button kind="primary" disabled={!name.trim()} onClick={create}>
              Create token
            </Button>
          </>
        )
      }
    >
      {token ? (
        <div class="stack gap-4">
          <p>Copy it now: it is not shown again. Whoever has it can do everything that you can.</p>
          <CodeBlock label="Access token" wrap>
            {token}
          </CodeBlock>
        </div>
      ) : (
        <Form onSubmit={create} label="New access token">
          {error && <Banner is="danger">{error}</Banner>}
          <Input label="Name" value={name} onInput={setName} maxLength={255} hint="The program that uses it, such as “nightly build”." />
          <Select label="Valid for" value={life} options={LIVES} onChange={setLife} />
        </Form>
      )}
      {dialog}
    </Dialog>
  );
}
