/** What was requested to protect a deployment, in words. */
import { Card, KeyValues } from "../parts";
import { protection } from "./rollout";
import type { Deployment } from "./types";

export function ProtectionCard({ deployment: { rollout } }: { deployment: Deployment }) {
  const found = rollout?.settings ? protection(rollout.settings) : [];
  return found.length ? (
    <Card title="Protection">
      <KeyValues items={found} />
    </Card>
  ) : null;
}
