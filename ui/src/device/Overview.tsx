/** Who the device is, its keys, what it runs, its tags and group. */
import { useApi } from "../app/resource";
import { has } from "../app/session";
import { shown, valueOf } from "../devices/types";
import { Card, Copy, KeyValues, Loaded, Name, Split, Stack, Status, Time } from "../parts";
import { AuthSets } from "./AuthSets";
import type { TabProps } from "./DevicePage";
import { GroupCard } from "./GroupCard";
import { TagsCard } from "./TagsCard";
import { type Connection, groupOf, ofScope, paths, softwareOf } from "./types";

export function Overview({ device, manages, onChanged }: TabProps) {
  const auth = useApi(paths.auth(device.id));
  const connection = useApi(has("terminal") ? paths.connection(device.id) : null);
  const software = softwareOf(device);
  const changed = async (): Promise<void> => {
    await Promise.all([auth.reload(), onChanged()]);
  };
  return (
    <Split
      side={
        <Stack>
          <GroupCard device={device.id} group={groupOf(device)} editable={manages} onSaved={onChanged} />
          <TagsCard device={device} editable={manages} onSaved={onChanged} />
        </Stack>
      }
    >
      <Stack>
        <Card title="Identity">
          <KeyValues
            columns
            items={[
              ...ofScope(device, "identity").filter((each) => each.name !== "status").map((each) => [each.name, <Name key={each.name} wrap>{shown(each.value)}</Name>] as const),
              ["Device ID", <span key="id"><code>{device.id}</code> <Copy text={device.id} label="Copy the device ID" /></span>],
              ["First seen", <Time key="first" at={shown(valueOf(device, "system", "created_ts"))} absolute />],
              has("terminal") && ["Connection", connection.data && <ConnectionState key="connection" connection={connection.data} />],
            ]}
          />
        </Card>
        <Card title="Software" lead="What the device last reported.">
          {software.length ? (
            <KeyValues columns items={[...software, ["device_type", shown(valueOf(device, "inventory", "device_type"))] as const].map(([name, value]) => [name, <Name key={name} wrap>{value}</Name>] as const)} />
          ) : (
            <p class="muted">Nothing yet. A device reports its software after it is accepted.</p>
          )}
        </Card>
        <Card title="Keys" lead="The keys with which the device has called. It gets access with an accepted key only.">
          <Loaded from={auth}>{(found) => <AuthSets device={found} editable={manages} onChanged={changed} />}</Loaded>
        </Card>
      </Stack>
    </Split>
  );
}

export function ConnectionState({ connection }: { connection: Connection }) {
  if (connection.status === "connected") return <Status is="ok" icon="online">Connected</Status>;
  return (
    <Status is="neutral" icon="offline">
      {connection.status === "unknown" ? "Never connected" : <>Not connected since <Time at={connection.updated_ts} /></>}
    </Status>
  );
}

