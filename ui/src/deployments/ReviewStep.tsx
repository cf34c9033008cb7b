/** All that was decided, with a way back to each step. */
import { format } from "../app/format";
import { Banner, Button, Card, Input, KeyValues, Name, Stack, Time } from "../parts";
import { controlInWords, type Draft, isGated, isPhased, sizes } from "./draft";
import { settingsOf } from "./protecting";
import { DEVICE_STATUSES } from "./states";
import type { Deployment } from "./types";
import type { Reach, SavedFilter } from "./reach";
import { protection } from "./rollout";

interface Props {
  draft: Draft;
  onChange: (change: Partial<Draft>) => void;
  name: string;
  filter: SavedFilter | undefined;
  reach: Reach;
  /** The deployment that a retry is of. */
  parent: Deployment | undefined;
  onStep: (id: string) => void;
}

export function ReviewStep({ draft, onChange, name, filter, reach, parent, onStep }: Props) {
  const count = reach.total === undefined ? "" : ` (${format.count(reach.total, "device")} now)`;
  const whom = {
    "": "",
    retry: `Those of ${parent?.name ?? draft.parent} with the result ${draft.statuses.map((each) => `“${DEVICE_STATUSES[each].label}”`).join(" or ")}${count}`,
    all: `All devices${count}`,
    group: `Group ${draft.group}${count}`,
    filter: `Filter ${filter?.name ?? draft.filter}${count}${draft.max ? `, up to ${draft.max}` : ""}`,
    devices: `${format.count(draft.devices.length, "chosen device")}`,
  }[draft.whom];
  const settings = draft.protection && settingsOf(draft.protection, isPhased(draft));
  const change = (id: string, what: string) => (
    <Button small kind="quiet" icon="edit" aria-label={`Change ${what}`} onClick={() => onStep(id)}>
      Change
    </Button>
  );
  return (
    <Stack>
      <Input label="Name" {...(draft.whom === "retry" ? { hint: "Empty: the name of the earlier deployment with “retry” and a number" } : { hint: "The name by which you find it", placeholder: name })} value={draft.name} maxLength={256} onInput={(text) => onChange({ name: text })} />
      {reach.fitting === 0 && <Banner is="warning">The release fits none of these devices. They all end as “No fitting artifact”.</Banner>}
      <Card title="What will happen">
        <KeyValues
          items={[
            ["Release", <span class="row gap-2"><Name>{draft.release}</Name>{change("release", "release")}</span>],
            ["Devices", <span class="row gap-2"><Name>{whom}</Name>{change("devices", "devices")}</span>],
            ["Rollout", <span class="row gap-2"><Rollout draft={draft} total={reach.total} />{change("rollout", "rollout")}</span>],
            settings !== undefined && ["Protection", <span class="row gap-2"><span>{protection(settings).map(([, text]) => text).join(" ")}</span>{change("rollout", "protection")}</span>],
            [
              "Options",
              <span class="row gap-2">
                <span>
                  {[
                    Number(draft.retries) ? format.count(Number(draft.retries), "retry", "retries") : "no retries",
                    draft.force ? "installs again" : "",
                    draft.map ? controlInWords(draft.map) : "",
                  ]
                    .filter(Boolean)
                    .join("; ")}
                </span>
                {change("options", "options")}
              </span>,
            ],
          ]}
        />
      </Card>
    </Stack>
  );
}

function Rollout({ draft, total }: { draft: Draft; total: number | undefined }) {
  const when = (start: string) => (start ? <Time at={start} absolute /> : "at once");
  if (draft.phases.length === 1) return <span>All devices, {when(draft.phases[0]?.start ?? "")}</span>;
  const counts = total ? sizes(draft, total) : [];
  return (
    <ol class="deployments-sizes">
      {draft.phases.map((phase, index) => (
        <li key={index}>
          <span>
            {index === draft.phases.length - 1 ? "the rest" : `${phase.size}${draft.unit === "percent" ? " %" : " devices"}`}
            {counts[index] !== undefined && draft.unit === "percent" && ` (${format.count(counts[index], "device")})`}
          </span>
          <span>{index > 0 && !phase.start && isGated(draft) ? `after phase ${index}` : when(phase.start)}</span>
        </li>
      ))}
    </ol>
  );
}
