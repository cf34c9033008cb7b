/** What protects the fleet from a bad release: gate, stop, windows, rate. Off, a deployment is as in Mender. */
import type { ComponentChildren } from "preact";
import { Card, Checkbox, Grid, Input, Select, Stack, Switch, TimeZone } from "../parts";
import type { Protection, Wrong } from "./protecting";
import { WindowFields } from "./WindowFields";

interface Props {
  protection: Protection | undefined;
  /** The deployment has phases. */
  phased: boolean;
  wrong: Wrong;
  /** It cannot be switched yet. */
  disabled: boolean;
  onSwitch: (on: boolean) => void;
  onChange: (protection: Protection) => void;
}

export function ProtectionFields({ protection, phased, wrong, disabled, onSwitch, onChange }: Props) {
  return (
    <Card title="Protection">
      <Stack>
        <Switch
          label="Protect the fleet"
          hint="Phases open when devices of the phase before have succeeded, and failures stop the deployment. Everything can be changed below."
          checked={protection !== undefined}
          disabled={disabled}
          onChange={onSwitch}
        />
        {protection && <Fields {...{ protection, phased, wrong }} set={(change) => onChange({ ...protection, ...change })} />}
      </Stack>
    </Card>
  );
}

function Fields({ protection, phased, wrong, set }: Pick<Props, "phased" | "wrong"> & { protection: Protection; set: (change: Partial<Protection>) => void }) {
  /** A number of the protection. */
  const number = (field: "success" | "least" | "soakHours" | "failedPercent" | "reports" | "failed" | "rate" | "jitterMinutes", label: string, hint: string, optional = true) => (
    <Input label={label} hint={hint} optional={optional} inputMode="decimal" value={protection[field]} error={wrong[field]} onInput={(value) => set({ [field]: value })} />
  );
  return (
    <>
      {phased && (
        <Part label="Open phases after success" checked={protection.gate} onChange={(gate) => set({ gate })}>
          {number("success", "Success, in percent", "Of the devices that began in the phase before", false)}
          {number("least", "Minimum devices", "At least this many must have succeeded")}
          {number("soakHours", "For how many hours", "That must stay so before the next phase opens")}
        </Part>
      )}
      <Part label="Stop when devices fail" checked={protection.stop} onChange={(stop) => set({ stop })}>
        {number("failedPercent", "Failures, in percent", "Of the devices with a result")}
        {number("reports", "Minimum results", "With fewer, the percentage does not count")}
        {number("failed", "Number of failures", "Also stops it, whatever the percentage")}
        <Select
          label="Then"
          value={protection.abort ? "abort" : "pause"}
          options={[
            { value: "pause", label: "Pause it" },
            { value: "abort", label: "Abort it" },
          ]}
          onChange={(value) => set({ abort: value === "abort" })}
        />
        {phased && (
          <Select
            label="Counted"
            value={protection.perPhase ? "phase" : "deployment"}
            options={[
              { value: "deployment", label: "In all phases together" },
              { value: "phase", label: "In each phase" },
            ]}
            onChange={(value) => set({ perPhase: value === "phase" })}
          />
        )}
        <Select
          label="While it is paused, devices"
          value={protection.skip ? "skip" : "hold"}
          options={[
            { value: "hold", label: "Wait for it" },
            { value: "skip", label: "Get newer deployments" },
          ]}
          onChange={(value) => set({ skip: value === "skip" })}
        />
      </Part>
      <WindowFields windows={protection.windows} error={wrong.windows} onChange={(windows) => set({ windows })}>
        <Grid min="s">
          <TimeZone label="Time zone" optional placeholder="That of the organization" value={protection.zone} error={wrong.zone} onChange={(zone) => set({ zone })} />
          <Input
            label="A device's own time zone"
            optional
            placeholder="geo-timezone"
            hint="The tag or inventory attribute that has it"
            value={protection.ownZone}
            error={wrong.ownZone}
            onInput={(ownZone) => set({ ownZone })}
          />
        </Grid>
        <Checkbox
          label="Tell devices when to poll again"
          hint="For Mender clients since 5.0. Older ones log an error, and go on polling."
          checked={protection.tellWhen}
          onChange={(tellWhen) => set({ tellWhen })}
        />
      </WindowFields>
      <Grid min="s">
        {number("rate", "Devices per minute", "At most this many begin in a minute")}
        {number("jitterMinutes", "Delay, in minutes", "Each device begins up to this much later, by a delay of its own")}
      </Grid>
    </>
  );
}

/** A part that can be left out, with its fields. */
function Part({ label, checked, onChange, children }: { label: string; checked: boolean; onChange: (checked: boolean) => void; children: ComponentChildren }) {
  return (
    <Stack gap={3}>
      <Checkbox label={label} checked={checked} onChange={onChange} />
      {checked && <Grid min="s">{children}</Grid>}
    </Stack>
  );
}
