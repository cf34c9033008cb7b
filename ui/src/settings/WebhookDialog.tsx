/** Creates a webhook, or changes where one leads and its secret. */
import { useState } from "preact/hooks";
import { api } from "../api/client";
import { has } from "../app/session";
import { Button, Checkbox, CheckboxGroup, Copy, EditDialog, Input, Row } from "../parts";
import { INTEGRATIONS, newSecret, problem, SCOPES, urlOf, type Webhook } from "./delivery";

/** Sent instead of a secret, it means the stored one. */
const KEPT = "<omitted>";

export function WebhookDialog({ webhook, onClose, onDone }: { webhook: Webhook | undefined; onClose: () => void; onDone: () => Promise<void> }) {
  const signed = Boolean(webhook?.credentials.http?.secret);
  const [url, setUrl] = useState(webhook ? urlOf(webhook) : "");
  const [description, setDescription] = useState("");
  const [secret, setSecret] = useState("");
  const [keep, setKeep] = useState(signed);
  const [scopes, setScopes] = useState<readonly string[]>(["deviceauth"]);
  const save = async (): Promise<string> => {
    const wrong = problem(url.trim(), keep ? "" : secret.trim());
    if (wrong) throw new Error(wrong);
    const kept = keep ? KEPT : secret.trim();
    const credentials = { type: "http", http: { url: url.trim(), ...(kept ? { secret: kept } : {}) } };
    if (webhook) await api.put(`${INTEGRATIONS}/${encodeURIComponent(webhook.id)}/credentials`, credentials);
    else await api.post(INTEGRATIONS, { provider: "webhook", description, scopes, credentials });
    return webhook ? "The webhook is changed. Waiting events are tried at once." : "The webhook is created.";
  };
  return (
    <EditDialog
      title={webhook ? "Change URL or secret" : "New webhook"}
      label={webhook ? "Change webhook" : "New webhook"}
      action={webhook ? "Save" : "Create webhook"}
      ready={Boolean(url.trim()) && (webhook !== undefined || scopes.length > 0)}
      save={save}
      onDone={onDone}
      onClose={onClose}
    >
      <Input label="URL" type="url" value={url} onInput={setUrl} placeholder="https://hooks.example.com/fleet" />
      {!webhook && <Input label="Description" optional value={description} onInput={setDescription} maxLength={1024} />}
      {signed && <Checkbox label="Keep the secret" hint="It is stored encrypted and never shown again." checked={keep} onChange={setKeep} />}
      {!keep && (
        <Row align="end">
          <Input label="Secret" optional mono value={secret} onInput={setSecret} maxLength={256} hint="Signs each event, so that the receiver knows it is ours. Hexadecimal. Copy it to the receiver now: it is not shown again." />
          <Button onClick={() => setSecret(newSecret())}>Make one</Button>
          {secret && <Copy text={secret} label="Copy secret" />}
        </Row>
      )}
      {!webhook && (
        <CheckboxGroup label="It is told of" value={scopes} options={SCOPES.filter((scope) => !scope.feature || has(scope.feature))} onChange={setScopes} />
      )}
    </EditDialog>
  );
}
