/** What the device shall be set to beside what it reported; edited, then deployed. */
import { useState } from "preact/hooks";
import { api } from "../api/client";
import { useApi } from "../app/resource";
import { pathTo, useLeaveGuard } from "../app/router";
import { canFor } from "../app/session";
import { attempt } from "../app/toasts";
import { Button, Card, type Column, DataTable, EmptyState, Link, Loaded, type Meaning, Name, Row, Stack, Status, Time } from "../parts";
import type { TabProps } from "./DevicePage";
import { filled, type Pair, Pairs, repeated } from "./Pairs";
import { compare, type Configuration, type Difference, groupOf, paths } from "./types";

type Line = ReturnType<typeof compare>[number];

const STATES: Record<Difference, { is: Meaning; text: string }> = {
  same: { is: "ok", text: "As wanted" },
  waiting: { is: "waiting", text: "Differs" },
  "only-wanted": { is: "waiting", text: "Not reported" },
  "only-reported": { is: "neutral", text: "Not managed" },
};

const columns: Column<Line>[] = [
  { id: "key", title: "Name", always: true, cell: (line) => <Name>{line.key}</Name> },
  { id: "wanted", title: "Wanted", cell: (line) => <Name>{line.wanted ?? "–"}</Name> },
  { id: "reported", title: "Reported", cell: (line) => <Name>{line.reported ?? "–"}</Name> },
  { id: "state", title: "State", min: 11, grow: 0, cell: (line) => <Status is={STATES[line.is].is}>{STATES[line.is].text}</Status> },
];

export function ConfigurationTab({ device }: TabProps) {
  const configuration = useApi(paths.configuration(device.id), { every: 10_000 });
  return <Loaded from={configuration}>{(found) => <Shown id={device.id} found={found} editable={canFor("configuration:manage", [groupOf(device)])} onChanged={configuration.reload} />}</Loaded>;
}

function Shown({ id, found, editable, onChanged }: { id: string; found: Configuration; editable: boolean; onChanged: () => Promise<void> }) {
  const wanted = Object.entries(found.configured).sort();
  const [draft, setDraft] = useState<Pair[] | undefined>();
  const dirty = draft !== undefined && JSON.stringify(filled(draft)) !== JSON.stringify(wanted);
  useLeaveGuard(dirty);
  const rows = compare(found);
  const deploy = async (): Promise<void> => {
    const made = (): Promise<unknown> => api.post(`${paths.configuration(id)}/deploy`, { retries: 0 });
    if (await attempt(made, "The configuration is on its way to the device.", "The configuration was not deployed")) await onChanged();
  };
  const save = async (then: boolean): Promise<void> => {
    const body = Object.fromEntries(filled(draft ?? []));
    if (!(await attempt(() => api.put(paths.configuration(id), body), then ? undefined : "The configuration is saved. Deploy it to send it to the device.", "The configuration was not saved"))) return;
    setDraft(undefined);
    if (then) await deploy();
    else await onChanged();
  };
  return (
    <Card
      title="Configuration"
      lead={
        <>
          Changed <Time at={found.updated_ts} />, reported <Time at={found.reported_ts} />
          {found.deployment_id && (
            <>
              {" · "}
              <Link to={pathTo("deployments", found.deployment_id)}>newest deployment</Link>
            </>
          )}
        </>
      }
      flush={!draft && rows.length > 0}
      actions={
        editable &&
        !draft && (
          <>
            {wanted.length > 0 && (
              <Button small icon="deployments" onClick={deploy}>
                Deploy configuration
              </Button>
            )}
            <Button small icon="edit" onClick={() => setDraft(wanted.length ? wanted : [["", ""]])}>
              Edit configuration
            </Button>
          </>
        )
      }
    >
      {draft ? (
        <Stack>
          <Pairs value={draft} onChange={setDraft} add="Add entry" />
          <Row>
            <Button kind="primary" disabled={repeated(draft).length > 0} onClick={() => save(true)}>
              Save and deploy
            </Button>
            <Button disabled={repeated(draft).length > 0 || !dirty} onClick={() => save(false)}>
              Save
            </Button>
            <Button kind="quiet" onClick={() => setDraft(undefined)}>
              Discard
            </Button>
          </Row>
        </Stack>
      ) : rows.length ? (
        <DataTable name="configuration" label="Configuration" plain columns={columns} rows={rows} rowKey={(line) => line.key} />
      ) : (
        <EmptyState small icon="settings" title="No configuration">
          Names and values that the device's update module mender-configure applies. {editable ? "Add the first one by Edit configuration." : ""}
        </EmptyState>
      )}
    </Card>
  );
}
