/** What a deployment was asked to do. */
import { format } from "../app/format";
import { useApi } from "../app/resource";
import { pathTo } from "../app/router";
import { Button, Card, Copy, KeyValues, Link, Name, Stack, Time } from "../parts";
import { controlInWords } from "./draft";
import { isBeingPrepared, targetOf, waitsForApproval } from "./states";
import { type Deployment, DEPLOYMENTS_V2 } from "./types";

export function DeploymentFacts({ deployment, onControl }: { deployment: Deployment; onControl?: () => void }) {
  const { statistics, update_control_map: map, preparing, parent, retried_by: retries = [] } = deployment;
  const related = parent === undefined ? retries : [parent, ...retries];
  const found = useApi(related.length ? { path: DEPLOYMENTS_V2, query: { id: related, per_page: related.length } } : null);
  const names = new Map((found.data ?? []).map((each) => [each.id, each.name]));
  const devices = deployment.dynamic
    ? deployment.max_devices
      ? `up to ${format.count(deployment.max_devices, "device")}`
      : "every device that matches, until it is aborted"
    : format.count(deployment.max_devices, "device");
  return (
    <Card title="Details">
      <KeyValues
        items={[
          [
            "Release",
            deployment.type === "software" ? (
              <Link to={pathTo("releases", deployment.artifact_name)}>
                <Name>{deployment.artifact_name}</Name>
              </Link>
            ) : (
              "Configuration of a device"
            ),
          ],
          ["For", <Target deployment={deployment} />],
          ["Devices", devices],
          preparing !== undefined && isBeingPrepared(deployment) && [
            "Preparing",
            `${format.number(preparing.found)} of about ${format.count(preparing.expected, "device")} listed. No device gets it before all are listed.`,
          ],
          ["Created", <Time at={deployment.created} absolute />],
          deployment.phases?.[0] && !waitsForApproval(deployment) && ["Starts", <Time at={deployment.phases[0].start_ts} absolute />],
          deployment.finished !== undefined && ["Finished", <Time at={deployment.finished} absolute />],
          ["Retries", deployment.retries ? `${format.number(deployment.retries)} after a failure` : "none"],
          parent !== undefined && ["Retry of", <Related ids={[parent]} names={names} />],
          retries.length > 0 && ["Retried by", <Related ids={retries} names={names} />],
          ["Installs again", deployment.force_installation ? "also where it is installed already" : "no"],
          statistics.total_size > 0 && ["Downloads", format.bytes(statistics.total_size)],
          map !== undefined && [
            "Update control",
            <>
              {controlInWords(map)}{" "}
              {onControl && (
                <Button small kind="quiet" icon="edit" onClick={onControl}>
                  Change
                </Button>
              )}
            </>,
          ],
          [
            "Id",
            <span class="row row--one gap-1">
              <Name mono>{deployment.id}</Name>
              <Copy text={deployment.id} label="Copy the deployment's id" />
            </span>,
          ],
        ]}
      />
    </Card>
  );
}

/** The deployment that this one retries, or those that retry it; by their ids until their names are known. */
function Related({ ids, names }: { ids: readonly string[]; names: ReadonlyMap<string, string> }) {
  return (
    <Stack gap={1}>
      {ids.map((id) => (
        <Link key={id} to={pathTo("deployments", id)}>
          <Name>{names.get(id) ?? id}</Name>
        </Link>
      ))}
    </Stack>
  );
}

function Target({ deployment }: { deployment: Deployment }) {
  const [group] = deployment.groups ?? [];
  if (group !== undefined) {
    return (
      <Link to="/devices" query={{ group }}>
        <Name>{targetOf(deployment)}</Name>
      </Link>
    );
  }
  if (deployment.dynamic) {
    return (
      <Link to="/devices" query={{ filters: JSON.stringify(deployment.filter.terms ?? []) }}>
        <Name>{targetOf(deployment)}</Name>
      </Link>
    );
  }
  return <>{targetOf(deployment)}</>;
}
