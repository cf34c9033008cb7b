/** All that the device reported, searchable. */
import { useLater } from "../app/later";
import { setQuery, useQuery } from "../app/router";
import { type Attribute, shown } from "../devices/types";
import { Card, Copy, EmptyState, Input, KeyValues, Name, Stack, Time, Toolbar } from "../parts";
import type { TabProps } from "./DevicePage";
import { ofScope, search } from "./types";

const SCOPES = [
  ["inventory", "Reported by the device"],
  ["identity", "Identity"],
  ["system", "Known by the server"],
  ["tags", "Tags"],
  ["monitor", "Monitoring"],
] as const;

export function Inventory({ device }: TabProps) {
  const [text] = useQuery("q");
  const typed = useLater(text, (value) => setQuery({ q: value }));
  const found = SCOPES.map(([scope, title]) => ({ scope, title, attributes: search(ofScope(device, scope), text) })).filter(({ attributes }) => attributes.length);
  return (
    <Stack>
      <Toolbar end={<span class="muted small">Inventory of <Time at={device.updated_ts} /></span>}>
        <Input label="Search the inventory" hideLabel type="search" icon="search" placeholder="Name or value" value={typed.value} onInput={typed.change} clearable />
      </Toolbar>
      {found.map(({ scope, title, attributes }) => (
        <Card key={scope} title={title}>
          <KeyValues columns items={attributes.map((attribute) => [<Name key="n" wrap>{attribute.name}</Name>, <Shown key="v" attribute={attribute} />] as const)} />
        </Card>
      ))}
      {!found.length && (
        <EmptyState icon="search" title={text ? "Nothing fits" : "No inventory yet"}>
          {text ? "No attribute contains these words in its name or value." : "A device sends its inventory after it is accepted, and then at regular intervals."}
        </EmptyState>
      )}
    </Stack>
  );
}

function Shown({ attribute }: { attribute: Attribute }) {
  const text = shown(attribute.value);
  return (
    <span class="row gap-1">
      <Name wrap>{text}</Name>
      {text && <Copy text={text} label={`Copy ${attribute.name}`} />}
    </span>
  );
}
