/** What the deployment would do if it were created now: fetched when somebody asks, and again a moment after each change. */
import type { ComponentChildren } from "preact";
import type { Shape } from "../api/calls";
import { format } from "../app/format";
import { useSettled } from "../app/later";
import { useApi } from "../app/resource";
import { useQuery } from "../app/router";
import { money } from "../settings/estimate";
import { Banner, Button, Card, Loaded, Stack, Time } from "../parts";
import { callOf, type Draft } from "./draft";
import { Reason } from "./Reason";

type Preview = Shape<"Preview">;
type Group = Preview["update"];

/** Milliseconds without a change before the preview is fetched again. */
const PAUSE = 600;

/** `ready`: the draft is complete enough to be created. */
export function PreviewCard({ draft, name, ready }: { draft: Draft; name: string; ready: boolean }) {
  const [shown, setShown] = useQuery("preview");
  return (
    <Card
      title="Preview"
      actions={
        <Button small aria-expanded={Boolean(shown)} onClick={() => setShown(shown ? "" : "1")}>
          {shown ? "Hide" : "Show"}
        </Button>
      }
    >
      {!shown ? (
        <p class="muted small">Who gets it, what it costs, and when it is done.</p>
      ) : ready ? (
        <Fetched draft={draft} name={name} />
      ) : (
        <p class="muted small">Shown when this step is complete.</p>
      )}
    </Card>
  );
}

function Fetched({ draft, name }: { draft: Draft; name: string }) {
  const wanted = useSettled(callOf(draft, name), PAUSE);
  const preview = useApi({ ...wanted, method: "POST", query: { dry_run: true } });
  return (
    <Loaded from={preview} title="There is no preview">
      {/* Only a call that creates something answers without a body. */}
      {(found) => <Shown preview={found as Preview} />}
    </Loaded>
  );
}

function Shown({ preview }: { preview: Preview }) {
  const { assumptions, cost, phases = [], warnings = [], windows = [], downgrades } = preview;
  return (
    <Stack gap={3}>
      {warnings.map((warning) => (
        <Banner key={warning} is="warning">
          <Reason>{warning}</Reason>
        </Banner>
      ))}
      <Lines
        items={[
          ["Get it", `${format.number(preview.update.devices)} of ${format.count(preview.devices_read, "device")}`],
          ...group("Have it already", preview.already_installed),
          ...group("No fitting artifact", preview.no_artifact),
          ...group("Not known", preview.unknown),
          ...group("Not accepted", preview.not_accepted),
          ...group(`Silent for ${assumptions.silent_days} days`, preview.silent),
          downgrades !== undefined && ["Downgrades", `${format.count(downgrades.devices, "device")}, ${downgrades.policy === "refuse" ? "refused" : "flagged"}`],
          ["Downloads", format.bytes(preview.bytes)],
          ["Costs on AWS", `about ${money(cost.requests + cost.transfer)}`],
          preview.approval_expires !== undefined && ["Needs approval", "by another user", ["The times are those of an approval at once."]],
          windows[0] !== undefined && ["Next window", <Time key="w" at={windows[0].start} absolute />],
          ...(phases.length > 1 ? phases : []).map(({ phase, opens, waits_for: waits }): Line => [`Phase ${phase}`, opens === undefined ? <Reason>{waits}</Reason> : <Time at={opens} absolute />]),
          ["Done", preview.done_at === undefined ? "not known" : <Time key="d" at={preview.done_at} absolute />],
        ]}
      />
      <p class="muted small">
        {!preview.complete && `Counted from ${format.number(preview.devices_read)} of ${format.count(preview.devices, "device")}. `}
        If all devices succeed, poll every {format.duration(assumptions.poll_interval)} and take {format.duration(assumptions.update_time)} for the update.
      </p>
    </Stack>
  );
}

type Line = [label: string, value: ComponentChildren, notes?: readonly string[]];

/** Names and values, in a place so narrow that a value may need a line of its own. */
function Lines({ items }: { items: readonly (Line | false)[] }) {
  return (
    <ul class="deployments-sizes">
      {items.map(
        (item) =>
          item && (
            <li key={item[0]}>
              <span class="muted">{item[0]}</span>
              <span>{item[1]}</span>
              {item[2]?.map((note) => (
                <span key={note} class="deployments-sizes__note muted">
                  {note}
                </span>
              ))}
            </li>
          ),
      )}
    </ul>
  );
}

/** A line for some of the devices, with the reasons; none if there are none. */
function group(label: string, { devices, reasons = [] }: Group): Line[] {
  if (devices === 0) return [];
  return [[label, format.count(devices, "device"), reasons.map((each) => `${format.number(each.devices)}: ${each.reason}`)]];
}
