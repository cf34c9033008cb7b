/** Which devices: all, a group, a saved filter, or chosen ones. */
import { api } from "../api/client";
import { type Live, useApi } from "../app/resource";
import { canFor, has } from "../app/session";
import { textOf } from "../app/toasts";
import { nameOf, shown, valueOf } from "../devices/types";
import { Badge, Banner, Combobox, EmptyState, Input, Link, RadioGroup, Row, Stack } from "../parts";
import type { Draft, Whom } from "./draft";
import type { Reach, SavedFilter } from "./reach";
import { RetriedField } from "./RetriedField";
import { type Deployment, SEARCH } from "./types";

interface Props {
  draft: Draft;
  onChange: (change: Partial<Draft>) => void;
  reach: Reach;
  filters: Live<SavedFilter[]>;
  /** The deployment that a retry is of. */
  parent: Deployment | undefined;
}

export function WhomStep({ draft, onChange, reach, filters, parent }: Props) {
  const everywhere = canFor("deployments:manage");
  if (draft.whom === "retry") return parent ? <RetriedField parent={parent} value={draft.statuses} onChange={(statuses) => onChange({ statuses })} /> : null;
  return (
    <Stack>
      <RadioGroup<Whom>
        label="Which devices get it?"
        cards
        value={draft.whom}
        options={[
          { value: "group", label: "A group", hint: "The devices that are in the group now" },
          { value: "devices", label: "Chosen devices", hint: "One by one" },
          ...(has("dynamic_groups") ? [{ value: "filter" as const, label: "A saved filter", hint: "Also devices that match the filter later", disabled: !everywhere }] : []),
          { value: "all", label: "All devices", hint: "All devices that are accepted now", disabled: !everywhere },
        ]}
        onChange={(whom) => onChange({ whom })}
      />
      {draft.whom === "group" && <GroupField draft={draft} onChange={onChange} />}
      {draft.whom === "devices" && <DevicesField draft={draft} onChange={onChange} reach={reach} />}
      {draft.whom === "filter" && <FilterField draft={draft} onChange={onChange} filters={filters} />}
    </Stack>
  );
}

function GroupField({ draft, onChange }: Pick<Props, "draft" | "onChange">) {
  const groups = useApi("/management/v1/inventory/groups");
  const options = [...new Set([...(groups.data ?? []), ...(draft.group ? [draft.group] : [])])].map((name) => ({ value: name, label: name }));
  if (groups.data?.length === 0 && !draft.group) {
    return (
      <EmptyState small icon="group" title="There are no groups yet" action={<Link button="plain" class="button" to="/devices">Go to devices</Link>}>
        Select devices in the list of devices and add them to a group.
      </EmptyState>
    );
  }
  return (
    <Combobox
      label="Group"
      icon="group"
      placeholder="Find a group"
      value={draft.group}
      options={options}
      onChange={(group) => onChange({ group })}
      {...(groups.error ? { error: textOf(groups.error) } : {})}
    />
  );
}

function FilterField({ draft, onChange, filters }: Pick<Props, "draft" | "onChange" | "filters">) {
  if (filters.data?.length === 0) {
    return (
      <EmptyState small icon="filter" title="There are no saved filters yet" action={<Link button="plain" class="button" to="/devices">Go to devices</Link>}>
        Filter the list of devices and save the filter; then it can be chosen here.
      </EmptyState>
    );
  }
  return (
    <Row gap={4} align="start">
      <Combobox
        label="Saved filter"
        icon="filter"
        placeholder="Find a filter"
        value={draft.filter}
        options={(filters.data ?? []).map(({ id, name }) => ({ value: id, label: name }))}
        onChange={(filter) => onChange({ filter })}
        {...(filters.error ? { error: textOf(filters.error) } : {})}
      />
      <Input
        label="Most devices"
        optional
        inputMode="numeric"
        hint="The deployment finishes when that many devices are done. Empty: it runs until it is aborted."
        value={draft.max}
        onInput={(max) => onChange({ max })}
      />
    </Row>
  );
}

const find = async (text: string, signal: AbortSignal) => {
  const body = { page: 1, per_page: 20, text, filters: [{ scope: "identity", attribute: "status", type: "$eq" as const, value: "accepted" }] };
  return (await api.post(SEARCH, body, { signal })).map((device) => ({
    value: device.id,
    label: nameOf(device),
    hint: shown(valueOf(device, "inventory", "device_type")),
  }));
};

function DevicesField({ draft, onChange, reach }: Pick<Props, "draft" | "onChange" | "reach">) {
  const names = new Map(reach.some.map((device) => [device.id, nameOf(device)]));
  const missing = reach.total === undefined ? 0 : draft.devices.length - reach.total;
  return (
    <Stack gap={3}>
      <Combobox
        label="Add a device"
        icon="device"
        placeholder="Find an accepted device by name or any attribute"
        value=""
        options={find}
        onChange={(id) => id && onChange({ devices: [...new Set([...draft.devices, id])] })}
      />
      <Row gap={2}>
        {draft.devices.slice(0, 100).map((id) => (
          <Badge key={id} removeLabel={`Remove ${names.get(id) ?? id}`} onRemove={() => onChange({ devices: draft.devices.filter((each) => each !== id) })}>
            {names.get(id) ?? id}
          </Badge>
        ))}
        {draft.devices.length > 100 && <span class="muted">and {draft.devices.length - 100} more</span>}
      </Row>
      {missing > 0 && draft.devices.length <= 1000 && (
        <Banner is="warning">
          {missing === 1 ? "1 of them is" : `${missing} of them are`} not accepted, or no longer there. They get the deployment only if they are accepted before it ends.
        </Banner>
      )}
    </Stack>
  );
}
