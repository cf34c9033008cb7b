/** One identity provider: how we find it, whom it may let in, and what it has to know about us. */
import { useEffect, useState } from "preact/hooks";
import type { Shape } from "../api/calls";
import { call, api } from "../api/client";
import { useApi } from "../app/resource";
import { textOf, toast } from "../app/toasts";
import { Banner, Button, CodeBlock, Drawer, ErrorState, Form, Input, Password, Stack, Switch, Tags } from "../parts";
import { useProof } from "./proof";

export const PROVIDERS = "/management/v1/useradm/sso/idp/metadata";

type Provider = Shape<"Provider">;

const NONE: Pick<Provider, "well-known" | "client_id" | "allowed_domains" | "auto_provision" | "roles"> = { "well-known": "", client_id: "", allowed_domains: [], auto_provision: false, roles: [] };

export function ProviderDrawer({ id, editable, onClose, onCreated, onDone }: { id: string | undefined; editable: boolean; onClose: () => void; onCreated: (id: string) => void; onDone: () => Promise<void> }) {
  const stored = useApi(id ? `${PROVIDERS}/${encodeURIComponent(id)}` : null);
  const roles = useApi({ path: "/management/v2/useradm/roles", query: { per_page: 500 } });
  const [form, setForm] = useState(NONE);
  const [secret, setSecret] = useState("");
  const [error, setError] = useState("");
  const { prove, dialog } = useProof();
  const set = (change: Partial<typeof NONE>): void => setForm({ ...form, ...change });
  useEffect(() => {
    if (stored.data) setForm(stored.data);
  }, [stored.data]);
  const save = async (): Promise<void> => {
    setError("");
    const { "well-known": wellKnown, client_id, allowed_domains, auto_provision, roles: given } = form;
    const body = { "well-known": wellKnown.trim(), client_id: client_id.trim(), client_secret: secret, allowed_domains, auto_provision, roles: given };
    try {
      const did = await prove(async (proof) => {
        if (id) return api.put(`${PROVIDERS}/${encodeURIComponent(id)}`, { ...body, ...proof });
        const made = await call("POST", PROVIDERS, { body: { ...body, ...proof } });
        onCreated(made.headers.get("location")?.split("/").pop() ?? "");
      });
      if (!did) return;
      toast.ok(id ? "The provider is saved." : "The provider is added. Register the redirect address with it.");
      await onDone();
      if (id) onClose();
    } catch (failed) {
      setError(textOf(failed));
    }
  };
  const ready = form["well-known"].trim() && form.client_id.trim() && (id || secret);
  return (
    <Drawer
      open
      title={id ? "Identity provider" : "Add a provider"}
      onClose={onClose}
      actions={
        <>
          <Button onClick={onClose}>{editable ? "Cancel" : "Close"}</Button>
          {editable && (
            <Button kind="primary" disabled={!ready} onClick={save}>
              {id ? "Save provider" : "Add provider"}
            </Button>
          )}
        </>
      }
    >
      {stored.error ? (
        <ErrorState error={stored.error} title="The provider could not be loaded" onRetry={stored.reload} />
      ) : (
        <Stack>
          {stored.data && (
            <>
              <p>Register this redirect address with the provider:</p>
              <CodeBlock label="Redirect address" wrap>
                {stored.data.redirect_uri}
              </CodeBlock>
              <p>A sign-in begins here:</p>
              <CodeBlock label="Address of the sign-in" wrap>
                {`${stored.data.start_url}?ui=console`}
              </CodeBlock>
            </>
          )}
          <Form onSubmit={save} label="Identity provider">
            {error && <Banner is="danger">{error}</Banner>}
            <Input label="Address of its description" type="url" value={form["well-known"]} disabled={!editable} onInput={(value) => set({ "well-known": value })} placeholder="https://login.example.com/.well-known/openid-configuration" />
            <Input label="Client ID" value={form.client_id} disabled={!editable} onInput={(value) => set({ client_id: value })} />
            {editable && <Password label="Client secret" optional={id !== undefined} value={secret} onInput={setSecret} autocomplete="off" hint={id ? "Empty: the stored one stays." : "Stored encrypted, and never shown again."} />}
            <Tags label="Allowed domains" optional value={form.allowed_domains} onChange={(value) => set({ allowed_domains: value })} placeholder="example.com" hint="Only users with e-mail addresses in these domains can sign in. Empty: any domain." />
            <Switch label="Add users who are unknown" hint="Everybody who signs in at the provider becomes a user. Needs allowed domains." checked={form.auto_provision} disabled={!editable} onChange={(value) => set({ auto_provision: value })} />
            {form.auto_provision && <Tags label="Roles of new users" value={form.roles} known={roles.data?.map((role) => role.name) ?? []} onChange={(value) => set({ roles: value })} hint="None: RBAC_ROLE_OBSERVER." />}
          </Form>
        </Stack>
      )}
      {dialog}
    </Drawer>
  );
}
