/** What happens on each device. */
import { has } from "../app/session";
import { Card, Checkbox, Input, Stack, Switch } from "../parts";
import { ControlMapFields } from "./ControlMap";
import type { Draft } from "./draft";

export function OptionsStep({ draft, onChange }: { draft: Draft; onChange: (change: Partial<Draft>) => void }) {
  return (
    <Stack>
      {has("deployment_retries") && (
        <Card title="After a failure">
          <Input
            label="Retries"
            inputMode="numeric"
            placeholder="0"
            hint="How often a device that reports a failure tries again before it counts as failed."
            value={draft.retries}
            onInput={(retries) => onChange({ retries })}
          />
        </Card>
      )}
      <Card title="Installation">
        <Checkbox
          label="Reinstall where it is already installed"
          hint="Without this, a device that already has the release ends as “Already installed”."
          checked={draft.force}
          onChange={(force) => onChange({ force })}
        />
      </Card>
      {has("update_control") && draft.whom !== "retry" && (
        <Card title="Update control">
          <Stack>
            <Switch
              label="Let devices pause at certain steps"
              hint="For devices with Mender client 3.x. Later clients ignore it."
              checked={draft.map !== undefined}
              onChange={(on) => onChange({ map: on ? { states: { ArtifactInstall_Enter: { action: "pause" } } } : undefined })}
            />
            {draft.map && <ControlMapFields map={draft.map} onChange={(map) => onChange({ map })} />}
          </Stack>
        </Card>
      )}
    </Stack>
  );
}
