/** When it begins, and for how many devices first. */
import { format, now } from "../app/format";
import { has } from "../app/session";
import { Button, Card, DateTime, IconButton, Input, RadioGroup, Row, Segments, Stack } from "../parts";
import { type Draft, type DraftPhase, isGated, isPhased, isUntimed, MAX_PHASES, sizes, type Unit } from "./draft";
import { PhaseTimeline } from "./PhaseTimeline";
import { ProtectionFields } from "./ProtectionFields";
import { protectedPhases, protectionFor, type Protection, type Wrong, wrongIn } from "./protecting";
import { evenly } from "./timeline";

interface Props {
  draft: Draft;
  onChange: (change: Partial<Draft>) => void;
  total: number | undefined;
}

interface StepProps extends Props {
  /** The devices are being counted. */
  counting: boolean;
  /** What the server has refused, by field. */
  refused: Wrong;
}

const DAY_HOURS = 24;
const PRESETS: readonly { label: string; sizes: readonly string[] }[] = [
  { label: "5 %, 20 %, rest", sizes: ["5", "20", ""] },
  { label: "10 %, rest", sizes: ["10", ""] },
  { label: "Four quarters", sizes: ["25", "25", "25", ""] },
];

export function PhasesStep({ draft, onChange, total, counting, refused }: StepProps) {
  const { phases, protection } = draft;
  const first = phases[0]?.start ?? "";
  const preset = (wanted: readonly string[]): void => {
    const starts = protection?.gate ? [first] : evenly(wanted.length, DAY_HOURS, first, now.value);
    onChange({ unit: "percent", phases: wanted.map((size, index) => ({ size, start: starts[index] ?? "" })) });
  };
  const phased = isPhased(draft);
  const once: DraftPhase[] = [{ size: "", start: first }];
  const untimed = isUntimed(draft);
  const switched = (on: boolean): void => {
    if (!on) return onChange({ protection: undefined, ...(untimed ? { phases: once } : {}) });
    const wanted = protectedPhases(total);
    const divided = wanted.sizes.map((size, index) => ({ size, start: index === 0 ? first : "" }));
    onChange({ protection: protectionFor(total), ...(phased || !has("phased_rollouts") ? {} : { unit: wanted.unit, phases: divided }) });
  };
  const protect = (next: Protection): void => {
    // Without a gate, each phase needs a time.
    const starts = !next.gate && untimed ? evenly(phases.length, DAY_HOURS, first, now.value) : undefined;
    onChange({ protection: next, ...(starts ? { phases: phases.map((phase, index) => ({ ...phase, start: starts[index] ?? "" })) } : {}) });
  };
  return (
    <Stack>
      {has("phased_rollouts") && (
        <RadioGroup<"once" | "phases">
          label="How many at a time?"
          cards
          value={phased ? "phases" : "once"}
          options={[
            { value: "once", label: "All at once", hint: "Each device gets it at its next poll" },
            { value: "phases", label: "In phases", hint: "A few devices first, more at later times" },
          ]}
          onChange={(value) => (value === "once" ? onChange({ phases: once }) : preset(PRESETS[0]?.sizes ?? []))}
        />
      )}
      {phased ? (
        <Editor draft={draft} onChange={onChange} total={total} onPreset={preset} />
      ) : (
        <DateTime
          label="Start"
          optional
          hint="In your time zone. Empty: at once."
          value={first}
          min={new Date(now.value).toISOString()}
          onChange={(start) => onChange({ phases: [{ size: "", start }] })}
        />
      )}
      <ProtectionFields
        protection={protection}
        phased={phased}
        wrong={protection ? { ...wrongIn(protection, phased), ...refused } : {}}
        // What protects a deployment at first depends on the number of its devices.
        disabled={counting}
        onSwitch={switched}
        onChange={protect}
      />
    </Stack>
  );
}

function Editor({ draft, onChange, total, onPreset }: Props & { onPreset: (sizes: readonly string[]) => void }) {
  const { phases, unit } = draft;
  const set = (index: number, change: Partial<DraftPhase>): void => onChange({ phases: phases.map((phase, at) => (at === index ? { ...phase, ...change } : phase)) });
  const here = now.value;
  const starts = phases.map((phase) => (phase.start ? Date.parse(phase.start) : here));
  // Without a count, shares are those of 100 devices: percent as they are.
  const base = total || 100;
  const counts = sizes(draft, base);
  const last = phases.length - 1;
  const gated = isGated(draft);
  const untimed = isUntimed(draft);
  const add = (): void => {
    const start = gated ? "" : new Date(Math.max(here, starts[last] ?? here) + DAY_HOURS * 3_600_000).toISOString();
    const left = unit === "percent" ? Math.max(1, Math.floor((100 - phases.slice(0, -1).reduce((sum, phase) => sum + (Number(phase.size) || 0), 0)) / 2)) : Math.max(1, Math.floor((counts[last] ?? 2) / 2));
    onChange({ phases: [...phases.slice(0, -1), { ...(phases[last] as DraftPhase), size: String(left) }, { size: "", start }] });
  };
  return (
    <Card
      title="Phases"
      lead={`${untimed ? "A phase opens after success in the phase before, or at a later time that you enter." : "Drag the starts along the line, or type them below."} The last phase takes all remaining devices.`}
      actions={
        <Segments<Unit>
          label="Sizes in"
          value={unit}
          options={[
            { value: "percent", label: "%" },
            { value: "devices", label: "Devices" },
          ]}
          onChange={(value) => value !== unit && onChange({ unit: value, phases: converted(draft, value, total) })}
        />
      }
    >
      <Stack>
        <Row gap={2}>
          {PRESETS.map((each) => (
            <Button key={each.label} small onClick={() => onPreset(each.sizes)}>
              {each.label}
            </Button>
          ))}
        </Row>
        {!untimed && (
          <PhaseTimeline
            starts={starts}
            shares={counts.map((count) => count / base)}
            now={here}
            onMove={(index, at) => set(index, { start: new Date(at).toISOString() })}
          />
        )}
        <ol class="deployments-phases" aria-label="Phases">
          {phases.map((phase, index) => (
            <li key={index} class="deployments-phase">
              <strong>{index + 1}</strong>
              {index < last ? (
                <Input
                  label={`Size of phase ${index + 1}, in ${unit === "percent" ? "percent" : "devices"}`}
                  hideLabel
                  inputMode="numeric"
                  value={phase.size}
                  onInput={(size) => set(index, { size })}
                />
              ) : (
                <span>The rest</span>
              )}
              <span class="muted numbers">{total === undefined ? "" : format.count(counts[index] ?? 0, "device")}</span>
              <DateTime
                label={`Start of phase ${index + 1}`}
                hideLabel
                value={phase.start}
                onChange={(start) => set(index, { start })}
                {...(index === 0 || gated ? { hint: phase.start ? undefined : index === 0 ? "Empty: at once" : `Empty: after phase ${index}` } : {})}
              />
              <IconButton
                icon="delete"
                label={`Remove phase ${index + 1}`}
                onClick={() => onChange({ phases: phases.filter((_, at) => at !== index).map((each, at, all) => (at === all.length - 1 ? { ...each, size: "" } : each)) })}
              />
            </li>
          ))}
        </ol>
        <Row>
          <Button small icon="add" disabled={phases.length >= MAX_PHASES} onClick={add}>
            Add phase
          </Button>
        </Row>
      </Stack>
    </Card>
  );
}

/** The same sizes in the other unit, as near as whole numbers come. */
function converted(draft: Draft, unit: Unit, total: number | undefined): DraftPhase[] {
  const base = total || 100;
  const counts = sizes(draft, base);
  return draft.phases.map((phase, index) => ({
    ...phase,
    size: index === draft.phases.length - 1 ? "" : String(Math.max(1, unit === "devices" ? (counts[index] ?? 1) : Math.round(((counts[index] ?? 1) * 100) / base))),
  }));
}
