/** Recorded terminal sessions of the device, played back. */
import type { Shape } from "../api/calls";
import { useApi } from "../app/resource";
import { useQuery } from "../app/router";
import { Button, Card, type Column, DataTable, EmptyState, Name, Stack, Time } from "../parts";
import type { TabProps } from "./DevicePage";
import { Player } from "./Player";

type Entry = Shape<"AuditLog">;

const sessionOf = (entry: Entry): string => entry.meta?.session_id?.[0] ?? "";

/** Recordings are kept for thirty days. */
const KEPT = 30 * 86_400;

export function Recordings({ device }: TabProps) {
  const [play, setPlay] = useQuery("play");
  const log = useApi({ path: "/management/v1/auditlogs/logs", query: { object_id: device.id, object_type: "device", per_page: 200, created_after: Math.floor(Date.now() / 86_400_000) * 86_400 - KEPT } });
  const rows = log.data?.filter((entry) => entry.action === "open_terminal" && sessionOf(entry));
  const columns: Column<Entry>[] = [
    { id: "time", title: "Opened", always: true, min: 10, cell: (entry) => <Time at={entry.time} absolute /> },
    { id: "who", title: "By", cell: (entry) => <Name>{entry.actor.email || entry.actor.id}</Name> },
    {
      id: "play",
      title: "Recording",
      min: 7,
      grow: 0,
      cell: (entry) => (
        <Button small icon="play" aria-label={`Play the session of ${entry.time}`} onClick={() => setPlay(sessionOf(entry))}>
          Play
        </Button>
      ),
    },
  ];
  return (
    <Stack>
      {play && <Player key={play} session={play} onClose={() => setPlay("")} />}
      <Card title="Recordings" lead="The output of terminals in the last 30 days." flush={rows?.length !== 0}>
        <DataTable
          name="recordings"
          label="Recordings"
          plain
          columns={columns}
          rows={rows}
          rowKey={sessionOf}
          error={log.error}
          onRetry={log.reload}
          empty={<EmptyState small icon="terminal" title="No recordings">Terminals that are opened on this device are recorded and listed here.</EmptyState>}
        />
      </Card>
    </Stack>
  );
}
