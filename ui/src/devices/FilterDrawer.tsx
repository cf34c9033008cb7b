/** Builds a filter, condition by condition, from the attributes that devices have; saves it under a name. */
import { useState } from "preact/hooks";
import type { Shape } from "../api/calls";
import { api } from "../api/client";
import { format } from "../app/format";
import { useApi } from "../app/resource";
import { can } from "../app/session";
import { attempt } from "../app/toasts";
import { Button, Card, Combobox, Drawer, IconButton, Input, Select, Stack } from "../parts";
import { type Condition, OPERATORS, type Operator, takesList, typed } from "./conditions";

export type SavedFilter = Shape<"SavedFilter">;

const FILTERS = "/management/v2/inventory/filters";
const EMPTY: Condition = { scope: "inventory", attribute: "", type: "$eq", value: "" };
const SCOPES = [
  { value: "inventory", label: "Inventory" },
  { value: "identity", label: "Identity" },
  { value: "tags", label: "Tags" },
  { value: "system", label: "System" },
  { value: "monitor", label: "Monitor" },
];

type Counted = Shape<"AttributeCount">;

export interface FilterDrawerProps {
  open: boolean;
  conditions: readonly Condition[];
  saved: readonly SavedFilter[];
  onSaved: () => Promise<void>;
  onApply: (conditions: Condition[]) => void;
  onClose: () => void;
}

export function FilterDrawer(props: FilterDrawerProps) {
  return props.open ? <Open {...props} /> : null;
}

function Open({ conditions, saved, onSaved, onApply, onClose }: FilterDrawerProps) {
  const [rows, setRows] = useState<Condition[]>(conditions.length ? [...conditions] : [EMPTY]);
  const [name, setName] = useState("");
  const attributes = useApi("/management/v2/inventory/filters/attributes");
  const complete = rows.filter((row) => row.attribute && (Array.isArray(row.value) ? row.value.length > 0 : row.value !== ""));
  const change = (index: number, part: Partial<Condition>): void => setRows(rows.map((row, at) => (at === index ? { ...row, ...part } : row)));
  const save = async (): Promise<void> => {
    const same = saved.find((each) => each.name === name.trim());
    const body = { name: name.trim(), terms: complete };
    const doing = (): Promise<unknown> => (same ? api.put(`${FILTERS}/${encodeURIComponent(same.id)}`, body) : api.post(FILTERS, body));
    if (await attempt(doing, `Filter ${name.trim()} is saved.`, "The filter was not saved")) {
      setName("");
      await onSaved();
    }
  };
  return (
    <Drawer
      open
      title="Filter devices"
      onClose={onClose}
      actions={
        <>
          <Button onClick={() => onApply([])}>Clear</Button>
          <Button kind="primary" onClick={() => onApply(complete)}>
            Show devices
          </Button>
        </>
      }
    >
      <Stack gap={5}>
        <p class="muted">A device is shown if all conditions hold.</p>
        {rows.map((row, index) => (
          <Row key={index} number={index + 1} row={row} attributes={attributes.data ?? []} onChange={(part) => change(index, part)} onRemove={() => setRows(rows.filter((_, at) => at !== index))} />
        ))}
        <div>
          <Button icon="add" onClick={() => setRows([...rows, EMPTY])}>
            Add a condition
          </Button>
        </div>
        {can("devices:manage") && complete.length > 0 && (
          <Card title="Save this filter" level={3} lead="A saved filter is a dynamic group: deployments can go to all devices that match it, also to devices that are added later.">
            <div class="row gap-2 row--end">
              <Input label="Name of the filter" value={name} onInput={setName} maxLength={256} />
              <Button disabled={!name.trim()} onClick={save}>
                {saved.some((each) => each.name === name.trim()) ? "Replace" : "Save"}
              </Button>
            </div>
          </Card>
        )}
        {saved.length > 0 && (
          <Card title="Saved filters" level={3}>
            <ul class="stack gap-2">
              {saved.map((each) => (
                <li key={each.id} class="row row--between gap-2">
                  <Button kind="quiet" small onClick={() => setRows([...each.terms])}>
                    {each.name}
                  </Button>
                  {can("devices:manage") && (
                    <IconButton
                      icon="delete"
                      label={`Delete filter ${each.name}`}
                      small
                      onClick={async () => {
                        if (await attempt(() => api.del(`${FILTERS}/${encodeURIComponent(each.id)}`), `Filter ${each.name} is deleted.`, "The filter was not deleted")) await onSaved();
                      }}
                    />
                  )}
                </li>
              ))}
            </ul>
          </Card>
        )}
      </Stack>
    </Drawer>
  );
}

function Row({ number, row, attributes, onChange, onRemove }: { number: number; row: Condition; attributes: readonly Counted[]; onChange: (part: Partial<Condition>) => void; onRemove: () => void }) {
  const known = attributes.filter((each) => each.scope === row.scope);
  const text = Array.isArray(row.value) ? row.value.join(", ") : String(row.value);
  const numeric = typeof row.value === "number" || (Array.isArray(row.value) && row.value.some((each) => typeof each === "number"));
  const set = (value: string): void => onChange({ value: typed(row.type, value, numeric) });
  return (
    <Card
      title={`Condition ${number}`}
      level={3}
      actions={<IconButton icon="close" label={`Remove condition ${number}`} small onClick={onRemove} />}
    >
      <Stack gap={3}>
        <Select label="Kind" value={row.scope} options={SCOPES} onChange={(scope) => onChange({ scope, attribute: "" })} />
        <Combobox
          label="Attribute"
          free
          value={row.attribute}
          onChange={(attribute) => onChange({ attribute })}
          options={known.map((each) => ({ value: each.name, label: each.name, hint: format.count(each.count, "device") }))}
          placeholder="Choose or type a name"
        />
        <Select label="Operator" value={row.type} options={OPERATORS.map(({ value, label }) => ({ value, label }))} onChange={(type: Operator) => onChange({ type, value: typed(type, type === "$exists" ? "true" : text === "true" || text === "false" ? "" : text, numeric) })} hint={OPERATORS.find((each) => each.value === row.type)?.hint ?? ""} />
        {row.type === "$exists" ? (
          <Select
            label="Value"
            value={row.value === false ? "false" : "true"}
            options={[
              { value: "true", label: "There is a value" },
              { value: "false", label: "There is none" },
            ]}
            onChange={set}
          />
        ) : (
          <Input label={takesList(row.type) ? "Values, separated by commas" : "Value"} value={text} onInput={(value) => onChange({ value: takesList(row.type) ? value.split(",").map((each) => each.trimStart()) : value })} />
        )}
      </Stack>
    </Card>
  );
}
