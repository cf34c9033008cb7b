/** The unfinished deployments that reach a device, in the order in which it gets them. */
import type { Live } from "../app/resource";
import { pathTo } from "../app/router";
import { statusOf } from "../devices/types";
import { Button, Card, type Column, DataTable, Link, Loaded, Name, Status, Time } from "../parts";
import type { TabProps } from "./DevicePage";
import type { UpcomingRow } from "./types";

const OUTCOMES: Record<UpcomingRow["outcome"], string> = {
  update: "The update",
  "already-installed": "Nothing: already installed",
  noartifact: "Nothing: no fitting artifact",
  unknown: "Not known before it asks",
};

const columns: Column<UpcomingRow>[] = [
  {
    id: "name",
    title: "Deployment",
    always: true,
    grow: 1.4,
    cell: (row) => (
      <Link to={pathTo("deployments", row.id)}>
        <Name>{row.name}</Name>
      </Link>
    ),
  },
  { id: "release", title: "Release", wide: true, cell: (row) => <Name>{row.type === "configuration" ? "Configuration" : row.artifact_name}</Name> },
  { id: "when", title: "When", min: 10, cell: (row) => <When row={row} /> },
  { id: "outcome", title: "Brings", wide: true, min: 12, cell: (row) => (row.when === "active" ? <span class="muted">–</span> : OUTCOMES[row.outcome]) },
];

function When({ row }: { row: UpcomingRow }) {
  switch (row.when) {
    case "active":
      return <Status is="running">In progress</Status>;
    case "next":
      return <Status is="ok">At its next poll</Status>;
    case "phase":
      return (
        <Status is="waiting">
          <Time at={row.opens} />
        </Status>
      );
    case "later":
      return <Status is="neutral">After those above</Status>;
    default:
      return <Status is="warning">Not now: see Explain</Status>;
  }
}

export function Upcoming({ device, upcoming, onWhy }: Pick<TabProps, "device"> & { upcoming: Live<UpcomingRow[]>; onWhy: () => void }) {
  return (
    <Card
      title="Next"
      lead={`Unfinished deployments that reach this device.${upcoming.data?.some((row) => row.when === "phase") ? " A time is when the phase opens in which it can begin." : ""}`}
      flush={upcoming.data !== undefined && upcoming.data.length > 0}
      actions={
        <Button small icon="help" onClick={onWhy}>
          Explain
        </Button>
      }
    >
      <Loaded from={upcoming} title="The next deployments could not be loaded">
        {(rows) =>
          rows.length ? (
            <DataTable name="device-upcoming" label="Next deployments of the device" plain columns={columns} rows={rows} rowKey={(row) => row.id} />
          ) : (
            <p class="muted">{statusOf(device) === "accepted" ? "None: the device gets no update at its next poll." : "None: only accepted devices get deployments."}</p>
          )
        }
      </Loaded>
    </Card>
  );
}
