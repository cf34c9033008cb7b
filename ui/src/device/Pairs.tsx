/** Names and values to edit: tags, configuration. Rows without a name are left out. */
import { Button, IconButton, Input, Stack } from "../parts";

export type Pair = readonly [string, string];

/** The names that are given more than once. */
export function repeated(pairs: readonly Pair[]): string[] {
  const names = pairs.map(([name]) => name.trim()).filter(Boolean);
  return [...new Set(names.filter((name, index) => names.indexOf(name) !== index))];
}

export const filled = (pairs: readonly Pair[]): Pair[] => pairs.map(([name, value]) => [name.trim(), value] as const).filter(([name]) => name);

export function Pairs({ value, onChange, add }: { value: readonly Pair[]; onChange: (value: Pair[]) => void; add: string }) {
  const set = (index: number, pair: Pair): void => onChange(value.map((each, at) => (at === index ? pair : each)));
  const twice = repeated(value);
  return (
    <Stack gap={2}>
      {value.map(([name, text], index) => (
        <div key={index} class="device-pair">
          <Input label={`Name ${index + 1}`} hideLabel placeholder="Name" value={name} onInput={(next) => set(index, [next, text])} {...(twice.includes(name.trim()) ? { error: "This name is there twice." } : {})} />
          <Input label={`Value ${index + 1}`} hideLabel placeholder="Value" value={text} onInput={(next) => set(index, [name, next])} />
          <IconButton icon="delete" label={`Remove ${name || `row ${index + 1}`}`} onClick={() => onChange(value.filter((_, at) => at !== index))} />
        </div>
      ))}
      <div>
        <Button small icon="add" onClick={() => onChange([...value, ["", ""]])}>
          {add}
        </Button>
      </div>
    </Stack>
  );
}
