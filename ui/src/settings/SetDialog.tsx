/** Creates or changes a permission set of the tenant's own: calls by method and path. */
import { useState } from "preact/hooks";
import { api } from "../api/client";
import { Button, CheckboxGroup, EditDialog, IconButton, Input, Select, Stack } from "../parts";
import type { PermissionSet, ScopeType } from "./reach";
import { type Call, callsOf, METHODS, permissionsOf, SETS, wrongPath } from "./sets";

const SCOPES: readonly { type: ScopeType; label: string }[] = [
  { type: "DeviceGroups", label: "Roles may limit it to devices of some groups" },
  { type: "ReleaseTags", label: "Roles may limit it to releases with some tags" },
];

export function SetDialog({ set, onClose, onDone }: { set: PermissionSet | undefined; onClose: () => void; onDone: () => Promise<void> }) {
  const [name, setName] = useState(set?.name ?? "");
  const [description, setDescription] = useState(set?.description ?? "");
  const [calls, setCalls] = useState<readonly Call[]>(set ? callsOf(set) : [{ method: "GET", path: "" }]);
  const [scopes, setScopes] = useState<readonly ScopeType[]>(set?.supported_scope_types ?? []);
  const [tried, setTried] = useState(false);
  const change = (at: number, how: Partial<Call>): void => setCalls(calls.map((call, index) => (index === at ? { ...call, ...how } : call)));
  const save = async (): Promise<string> => {
    setTried(true);
    if (calls.some((call) => wrongPath(call.path))) return "";
    const body = { name: name.trim(), description, action: set?.action ?? "", object: set?.object ?? "", permissions: permissionsOf(calls), supported_scope_types: scopes };
    if (set) await api.put(`${SETS}/${encodeURIComponent(set.name)}`, body);
    else await api.post(SETS, body);
    return set ? "The permission set is saved. It takes effect in all its roles within seconds." : "The permission set is created. Roles can use it now.";
  };
  return (
    <EditDialog
      drawer
      title={set ? `Edit ${set.name}` : "New permission set"}
      label={set ? "Edit permission set" : "New permission set"}
      action={set ? "Save permission set" : "Create permission set"}
      ready={Boolean(name.trim())}
      save={save}
      onDone={onDone}
      onClose={onClose}
    >
      {!set && <Input label="Name" value={name} onInput={setName} maxLength={256} />}
      <Input label="What it is for" optional value={description} onInput={setDescription} maxLength={1024} />
      <fieldset class="radios">
        <legend class="field__label">Its users may call</legend>
        <p class="muted small">
          Paths as in the API's reference. <code>.*</code> stands for any text: <code>/api/management/v1/inventory/.*</code>
        </p>
        <Stack gap={2}>
          {calls.map((call, at) => (
            <div class="settings__call" key={at}>
              <Select label={`Method ${at + 1}`} hideLabel value={call.method} options={METHODS.map((method) => ({ value: method, label: method }))} onChange={(method) => change(at, { method })} />
              <Input label={`Path ${at + 1}`} hideLabel mono value={call.path} placeholder="/api/management/v1/…" onInput={(path) => change(at, { path })} error={tried && wrongPath(call.path)} />
              <IconButton icon="close" label={`Remove call ${at + 1}`} onClick={() => setCalls(calls.filter((_, index) => index !== at))} />
            </div>
          ))}
          <div>
            <Button small icon="add" onClick={() => setCalls([...calls, { method: "GET", path: "" }])}>
              Add a call
            </Button>
          </div>
        </Stack>
      </fieldset>
      <CheckboxGroup label="Where it holds" value={scopes} options={SCOPES.map(({ type, label }) => ({ value: type, label }))} onChange={setScopes} />
    </EditDialog>
  );
}
