/** Where devices wait during an update, for the clients that can (Mender client 3.x). */
import { useState } from "preact/hooks";
import { api } from "../api/client";
import { toast, textOf } from "../app/toasts";
import { Banner, Button, Dialog, Grid, Select, Stack } from "../parts";
import { CONTROL_ACTIONS, CONTROL_PLACES, EXPIRY_ACTIONS, withAction } from "./draft";
import { type ControlMap, type Deployment, deploymentPath } from "./types";

export function ControlMapFields({ map, onChange }: { map: ControlMap; onChange: (map: ControlMap) => void }) {
  return (
    <Grid min="s">
      {CONTROL_PLACES.map(({ id, label }) => (
        <Stack key={id} gap={2}>
          <Select
            label={label}
            value={map.states?.[id]?.action ?? "continue"}
            options={CONTROL_ACTIONS}
            onChange={(action) => onChange(withAction(map, id, { action }))}
          />
          {map.states?.[id]?.action === "pause" && (
            <Select
              label={`${label}, if the server cannot be reached for long`}
              value={map.states[id]?.on_map_expire ?? "fail"}
              options={EXPIRY_ACTIONS}
              onChange={(action) => onChange(withAction(map, id, { on_map_expire: action }))}
            />
          )}
        </Stack>
      ))}
    </Grid>
  );
}

/** Change the map of a deployment at work: devices that wait then go on. */
export function ControlMapDialog({ open, deployment, onClose, onSaved }: { open: boolean; deployment: Deployment; onClose: () => void; onSaved: () => Promise<void> }) {
  const { id: _id, ...given } = deployment.update_control_map ?? {};
  const [map, setMap] = useState<ControlMap>(given);
  const [error, setError] = useState<unknown>();
  return (
    <Dialog
      open={open}
      title="Change update control"
      onClose={onClose}
      actions={
        <>
          <Button onClick={onClose}>Cancel</Button>
          <Button
            kind="primary"
            onClick={async () => {
              setError(undefined);
              try {
                await api.patch(deploymentPath(deployment.id), { update_control_map: map });
                toast.ok("The update control map is changed. Devices get it at their next poll.");
                await onSaved();
                onClose();
              } catch (failed) {
                setError(failed);
              }
            }}
          >
            Save
          </Button>
        </>
      }
    >
      <Stack>
        <p class="muted">Paused devices continue when their step is set to “Continue”.</p>
        <ControlMapFields map={map} onChange={setMap} />
        {error !== undefined && <Banner is="danger">{textOf(error)}</Banner>}
      </Stack>
    </Dialog>
  );
}
