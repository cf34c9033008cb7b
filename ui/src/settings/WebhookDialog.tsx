/** Creates a webhook, or changes where one leads and its secret. */
import { useState } from "preact/hooks";
import { api } from "../api/client";
import { has } from "../app/session";
import { textOf, toast } from "../app/toasts";
import { Banner, Button, Checkbox, Copy, Dialog, Form, Input, Row } from "../parts";
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
  const [error, setError] = useState("");
  const save = async (): Promise<void> => {
    const wrong = problem(url.trim(), keep ? "" : secret.trim());
    setError(wrong ?? "");
    if (wrong) return;
    const kept = keep ? KEPT : secret.trim();
    const credentials = { type: "http", http: { url: url.trim(), ...(kept ? { secret: kept } : {}) } };
    try {
      if (webhook) await api.put(`${INTEGRATIONS}/${encodeURIComponent(webhook.id)}/credentials`, credentials);
      else await api.post(INTEGRATIONS, { provider: "webhook", description, scopes, credentials });
      toast.ok(webhook ? "The webhook is changed. Waiting events are tried at once." : "The webhook is created.");
      await onDone();
      onClose();
    } catch (failed) {
      setError(textOf(failed));
    }
  };
  return (
    <Dialog
      open
      title={webhook ? "Change URL or secret" : "New webhook"}
      onClose={onClose}
      actions={
        <>
          <Button onClick={onClose}>Cancel</Button>
          <Button kind="primary" disabled={!url.trim() || (!webhook && scopes.length === 0)} onClick={save}>
            {webhook ? "Save" : "Create webhook"}
          </Button>
        </>
      }
    >
      <Form onSubmit={save} label={webhook ? "Change webhook" : "New webhook"}>
        {error && <Banner is="danger">{error}</Banner>}
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
          <fieldset class="radios">
            <legend class="field__label">It is told of</legend>
            {SCOPES.filter((scope) => !scope.feature || has(scope.feature)).map((scope) => (
              <Checkbox
                key={scope.value}
                label={scope.label}
                checked={scopes.includes(scope.value)}
                onChange={(on) => setScopes(on ? [...scopes, scope.value] : scopes.filter((each) => each !== scope.value))}
              />
            ))}
          </fieldset>
        )}
      </Form>
    </Dialog>
  );
}
