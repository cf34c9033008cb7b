/** Why a device gets each open deployment at its next poll, or does not. */
import type { Shape } from "../api/calls";
import { format } from "../app/format";
import { useApi } from "../app/resource";
import { pathTo } from "../app/router";
import { Reason } from "../deployments/Reason";
import { Button, Card, Details, KeyValues, Link, Loaded, type Meaning, Name, Stack, Status } from "../parts";
import { paths } from "./types";

type Explanation = Shape<"Explanation">;

const DECISIONS: Record<Explanation["decision"], [Meaning, string]> = {
  active: ["running", "In progress"],
  assign: ["ok", "At its next poll"],
  unknown: ["ok", "Perhaps at its next poll"],
  "already-installed": ["neutral", "Already installed"],
  noartifact: ["warning", "No fitting artifact"],
  later: ["waiting", "After another one"],
  "behind-another": ["waiting", "After another one"],
  paused: ["warning", "Paused"],
  "phase-not-open": ["waiting", "Phase not open"],
  "phase-full": ["waiting", "Phase full"],
  "window-closed": ["waiting", "Outside of its windows"],
  delayed: ["waiting", "Delayed"],
  "rate-reached": ["waiting", "Rate reached"],
  "limit-reached": ["neutral", "Limit reached"],
  "not-a-target": ["neutral", "Not for this device"],
  done: ["neutral", "Done"],
  "waits-for-approval": ["waiting", "Waits for approval"],
  preparing: ["waiting", "Being prepared"],
};

export function Why({ device, onClose }: { device: string; onClose: () => void }) {
  const explained = useApi(paths.explain(device), { keep: false });
  return (
    <Card
      title="Why"
      lead="All open deployments in the order in which the device's polls consider them, with the decision of its next poll."
      actions={
        <Button small aria-label="Close the reasons" onClick={onClose}>
          Close
        </Button>
      }
    >
      <Loaded from={explained} title="The reasons could not be loaded">
        {(found) => <Reasons found={found} />}
      </Loaded>
    </Card>
  );
}

/** Deployments that are not for the device are named when somebody looks. */
function Reasons({ found }: { found: readonly Explanation[] }) {
  const concern = found.filter((each) => each.decision !== "not-a-target");
  const others = found.filter((each) => each.decision === "not-a-target");
  return (
    <Stack>
      {concern.length > 0 ? (
        <ol class="device-why">
          {concern.map(({ id, name, decision, reason }) => {
            const [is, label] = DECISIONS[decision] ?? ["neutral", decision];
            return (
              <li key={id}>
                <Link to={pathTo("deployments", id)}>
                  <Name>{name}</Name>
                </Link>
                <Status is={is}>{label}</Status>
                <span class="muted">
                  <Reason>{reason}</Reason>
                </span>
              </li>
            );
          })}
        </ol>
      ) : (
        <p class="muted">No open deployment is for this device, or the device is not accepted.</p>
      )}
      {others.length > 0 && (
        <Details summary={`${format.count(others.length, "open deployment")} not for this device`}>
          <KeyValues
            items={others.map(({ id, name, reason }) => [
              <Link key={id} to={pathTo("deployments", id)}>
                <Name wrap>{name}</Name>
              </Link>,
              <Reason key={id}>{reason}</Reason>,
            ])}
          />
        </Details>
      )}
    </Stack>
  );
}
