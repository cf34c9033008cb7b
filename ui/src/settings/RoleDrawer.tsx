/** Builds a role: permission sets, each everywhere or for some groups or tags, and beside them what it reaches. */
import { useState } from "preact/hooks";
import { api } from "../api/client";
import { format } from "../app/format";
import { useApi } from "../app/resource";
import { can, session } from "../app/session";
import { Banner, Card, Checkbox, EditDialog, Input, KeyValues, Select, Stack, Tags } from "../parts";
import { BASIC, EVERYTHING, endsAt, groupsOf, type PermissionSet, problem, type Role, type Scoped, type ScopeType, tagsOf, where, withSet } from "./reach";
import { contents, holdsEverything, isOwn } from "./sets";

const ROLES = "/management/v2/useradm/roles";
const PROVIDER_ONLY = new Set(["ReadTenants", "ManageTenants"]);

export function RoleDrawer({ role, sets, onClose, onDone }: { role: Role | undefined; sets: readonly PermissionSet[]; onClose: () => void; onDone: () => Promise<void> }) {
  const [name, setName] = useState(role?.name ?? "");
  const [description, setDescription] = useState(role?.description ?? "");
  const [chosen, setChosen] = useState<readonly Scoped[]>(role?.permission_sets_with_scope ?? []);
  const groups = useApi(can("devices:read") ? "/management/v1/inventory/groups" : null);
  const tags = useApi(can("releases:read") ? "/management/v2/deployments/releases/all/tags" : null);
  const wrong = problem(name, chosen);
  const shown = sets.filter((set) => set.name !== BASIC && (session.value?.tenant.service_provider || !PROVIDER_ONLY.has(set.name) || chosen.some((each) => each.name === set.name)));
  const save = async (): Promise<string> => {
    if (wrong) throw new Error(wrong);
    const body = { name: name.trim(), description, permissions: role?.permissions ?? [], permission_sets_with_scope: chosen };
    if (role) await api.put(`${ROLES}/${encodeURIComponent(role.name)}`, body);
    else await api.post(ROLES, body);
    return role ? "The role is saved. It takes effect within seconds." : "The role is created. Give it to users under Users.";
  };
  return (
    <EditDialog
      drawer
      title={role ? `Edit ${role.name}` : "New role"}
      label={role ? "Edit role" : "New role"}
      action={role ? "Save role" : "Create role"}
      ready={Boolean(name.trim())}
      save={save}
      onDone={onDone}
      onClose={onClose}
    >
      {!role && <Input label="Name" value={name} onInput={setName} maxLength={256} />}
      <Input label="What it is for" optional value={description} onInput={setDescription} />
      <fieldset class="radios">
        <legend class="field__label">Its users may</legend>
        {shown.map((set) => (
          <SetChoice
            key={set.name}
            set={set}
            chosen={chosen.find((each) => each.name === set.name)}
            known={{ DeviceGroups: groups.data ?? [], ReleaseTags: tags.data ?? [] }}
            onChange={(scoped, on) => setChosen(withSet(chosen, scoped, on))}
          />
        ))}
      </fieldset>
      {(role?.permissions?.length ?? 0) > 0 && (
        <Banner>This role also holds {format.count(role?.permissions?.length ?? 0, "permission")} by path, which stay as they are.</Banner>
      )}
      <Reach chosen={chosen} byPath={role?.permissions?.length ?? 0} sets={sets} groups={groups.data} tags={tags.data} />
    </EditDialog>
  );
}

const KINDS: Record<ScopeType, { some: string; label: string; placeholder: string }> = {
  DeviceGroups: { some: "only devices of some groups", label: "Groups", placeholder: "Add a group" },
  ReleaseTags: { some: "only releases with some tags", label: "Tags", placeholder: "Add a tag" },
};

function SetChoice({ set, chosen, known, onChange }: { set: PermissionSet; chosen: Scoped | undefined; known: Record<ScopeType, readonly string[]>; onChange: (set: Scoped, on: boolean) => void }) {
  const ends = chosen && endsAt(chosen);
  const kinds = set.supported_scope_types ?? [];
  const kind = (chosen?.scope?.type || kinds[0]) as ScopeType | undefined;
  return (
    <Stack gap={2}>
      <Checkbox label={set.name} hint={<Contents set={set} />} checked={chosen !== undefined} onChange={(on) => onChange({ name: set.name }, on)} />
      {chosen && kind && (
        <div class="settings__scope">
          <Select
            label={`Where ${set.name} holds`}
            hideLabel
            value={ends === undefined ? "" : kind}
            options={[{ value: "", label: "everywhere" }, ...kinds.map((each) => ({ value: each, label: KINDS[each].some }))]}
            onChange={(type) => onChange(type ? { name: set.name, scope: { type: type as ScopeType, value: [] } } : { name: set.name }, true)}
          />
          {ends !== undefined && (
            <Tags
              label={`${KINDS[kind].label} of ${set.name}`}
              value={ends}
              known={known[kind]}
              placeholder={KINDS[kind].placeholder}
              onChange={(value) => onChange({ name: set.name, scope: { type: kind, value } }, true)}
            />
          )}
        </div>
      )}
    </Stack>
  );
}

/** What a set holds: in words, and for the tenant's own by calls. */
function Contents({ set }: { set: PermissionSet }) {
  if (!isOwn(set)) return <>{set.description}</>;
  return (
    <>
      {set.description}
      {contents(set).map((call) => (
        <div key={call}>
          <code>{call}</code>
        </div>
      ))}
    </>
  );
}

/** Counts only: one device is asked for, the header has the total. */
const countOf = (groups: readonly string[] | null) => ({
  path: "/management/v2/inventory/filters/search" as const,
  method: "POST" as const,
  body: { page: 1, per_page: 1, attributes: [], filters: groups === null ? [] : [{ scope: "system", attribute: "group", type: "$in" as const, value: groups }] },
});

const releasesOf = (tags: readonly string[] | null) => ({ path: "/management/v2/deployments/deployments/releases" as const, query: { page: 1, per_page: 1, tag: tags } });

/** "2 of 3", or "all 3" where the right ends nowhere. */
const share = (some: readonly string[] | null, all: readonly string[] | undefined): string => {
  if (some === null) return all ? `all ${format.number(all.length)}` : "all";
  return all ? `${format.number(some.length)} of ${format.number(Math.max(all.length, some.length))}` : format.number(some.length);
};

function Reach({ chosen, byPath, sets, groups: knownGroups, tags: knownTags }: { chosen: readonly Scoped[]; byPath: number; sets: readonly PermissionSet[]; groups: readonly string[] | undefined; tags: readonly string[] | undefined }) {
  const own = sets.filter((set) => isOwn(set) && chosen.some((each) => each.name === set.name));
  const all = chosen.some((each) => each.name === EVERYTHING || (!endsAt(each) && own.some((set) => set.name === each.name && holdsEverything(set))));
  const groups = all ? null : groupsOf(chosen, sets);
  const tags = all ? null : tagsOf(chosen, sets);
  const devices = useApi(can("devices:read") && groups?.length !== 0 ? countOf(groups) : null);
  const releases = useApi(can("releases:read") && tags?.length !== 0 ? releasesOf(tags) : null);
  return (
    <Card title="What this role reaches" level={3}>
      <Stack>
        {all && <Banner is="warning">Its users are administrators: they may do everything, and may give all rights to others.</Banner>}
        {chosen.length === 0 ? (
          <p class="muted">Only the user's own account.</p>
        ) : (
          <KeyValues
            items={[
              ["Devices", groups?.length === 0 ? "none" : devices.total === undefined ? "…" : format.count(devices.total, "device")],
              groups?.length !== 0 && ["Groups", share(groups, knownGroups)],
              ["Releases", tags?.length === 0 ? "none" : releases.total === undefined ? "…" : format.count(releases.total, "release")],
              tags?.length !== 0 && ["Release tags", share(tags, knownTags)],
              ...chosen.filter((set) => set.name !== BASIC).map((set) => [set.name, where(set)] as const),
            ]}
          />
        )}
        {!all && (own.length > 0 || byPath > 0) && (
          <p class="muted small">These numbers do not include calls by path, which reach whatever they name unless their set is limited to groups or tags.</p>
        )}
      </Stack>
    </Card>
  );
}
