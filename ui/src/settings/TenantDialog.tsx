/** Creates a tenant with its first user, or changes the name and the limit of one. */
import { useState } from "preact/hooks";
import { api } from "../api/client";
import type { Tenant } from "../api/types";
import { session } from "../app/session";
import { Checkbox, EditDialog, Input, Password } from "../parts";

export const TENANTS = "/management/v2/tenantadm/tenants";

export function TenantDialog({ tenant, onClose, onDone }: { tenant: Tenant | undefined; onClose: () => void; onDone: () => Promise<void> }) {
  const mails = session.value?.mail ?? false;
  const [name, setName] = useState(tenant?.name ?? "");
  const [limit, setLimit] = useState((tenant?.device_limit ?? -1) < 0 ? "" : String(tenant?.device_limit));
  const [email, setEmail] = useState("");
  const [password, setPassword] = useState("");
  const [mailed, setMailed] = useState(mails);
  const bounded = (session.value?.tenant.device_limit ?? -1) >= 0;
  const whole = /^\d*$/.test(limit.trim()) ? undefined : "Enter a whole number.";
  const ready = name.trim() && !whole && (tenant || (email.includes("@") && (mailed || password))) && !(bounded && !limit.trim());
  const save = async (): Promise<string> => {
    const body = { name: name.trim(), device_limit: limit.trim() ? Number(limit) : -1 };
    if (tenant) await api.put(`${TENANTS}/${encodeURIComponent(tenant.id)}/child`, body);
    else await api.post(TENANTS, { ...body, admin: { email: email.trim(), ...(mailed ? { send_reset_password: true } : { password }) } });
    return tenant ? "The tenant is changed." : `${name.trim()} is created.`;
  };
  return (
    <EditDialog
      title={tenant ? "Change name or limit" : "New tenant"}
      label={tenant ? "Change tenant" : "New tenant"}
      action={tenant ? "Save" : "Create tenant"}
      ready={Boolean(ready)}
      save={save}
      onDone={onDone}
      onClose={onClose}
    >
      <Input label="Name" value={name} onInput={setName} maxLength={256} />
      <Input
        label="Most accepted devices"
        optional={!bounded}
        inputMode="numeric"
        value={limit}
        onInput={setLimit}
        error={whole}
        hint={bounded ? "They count against your own limit." : "Empty: any number."}
      />
      {!tenant && <Input label="E-mail address of its first user" type="email" value={email} onInput={setEmail} />}
      {!tenant && mails && <Checkbox label="Send a mail to set a password" checked={mailed} onChange={setMailed} />}
      {!tenant && !mailed && <Password label="First password" value={password} onInput={setPassword} autocomplete="new-password" />}
    </EditDialog>
  );
}
