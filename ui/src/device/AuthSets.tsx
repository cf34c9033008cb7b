/** A device's keys, each with the decision about it. */
import { useState } from "preact/hooks";
import { api } from "../api/client";
import { newestFirst } from "../app/format";
import { textOf, toast } from "../app/toasts";
import { STATUSES } from "../devices/types";
import { Button, CodeBlock, ConfirmDialog, Details, EmptyState, Row, Stack, Status, Time } from "../parts";
import { type AuthDevice, type AuthSet, paths } from "./types";

const DONE = { accepted: "The key is accepted.", rejected: "The key is rejected. The device is refused from its next call on.", pending: "The key is pending again." } as const;

export function AuthSets({ device, editable, onChanged }: { device: AuthDevice; editable: boolean; onChanged: () => Promise<void> }) {
  const [dismissing, setDismissing] = useState<AuthSet | undefined>();
  const sets = newestFirst(device.auth_sets ?? [], (set) => set.ts);
  const decide = async (set: AuthSet, status: "accepted" | "rejected"): Promise<void> => {
    try {
      await api.put(`${paths.authSet(device.id, set.id)}/status`, { status });
      const back = set.status === "accepted" || set.status === "rejected" ? set.status : undefined;
      toast.ok(DONE[status], back && (() => api.put(`${paths.authSet(device.id, set.id)}/status`, { status: back }).then(onChanged, (error: unknown) => toast.error(error))));
      await onChanged();
    } catch (error) {
      toast.error(error, `The key was not ${status}`);
    }
  };
  if (!sets.length) return <EmptyState small icon="key" title="No keys">All keys of this device were dismissed. When it calls again, its key is listed here.</EmptyState>;
  return (
    <Stack>
      {sets.map((set) => {
        const status = STATUSES.find((each) => each.id === set.status);
        return (
          <div key={set.id} class="stack gap-2" role="group" aria-label={`Key, ${status?.label.toLowerCase()}`}>
            <Row justify="between">
              <Row gap={3}>
                <Status is={status?.is ?? "neutral"}>{status?.label}</Status>
                <span class="muted small">
                  since <Time at={set.ts} />
                  {set.rule && `, accepted by rule ${set.rule}`}
                </span>
              </Row>
              {editable && (
                <Row>
                  {set.status !== "accepted" && set.status !== "preauthorized" && (
                    <Button small icon="check" {...(set.status === "pending" ? { kind: "primary" as const } : {})} onClick={() => decide(set, "accepted")}>
                      Accept
                    </Button>
                  )}
                  {(set.status === "accepted" || set.status === "pending") && (
                    <Button small icon="failed" onClick={() => decide(set, "rejected")}>
                      Reject
                    </Button>
                  )}
                  <Button small kind="quiet" icon="close" onClick={() => setDismissing(set)}>
                    Dismiss
                  </Button>
                </Row>
              )}
            </Row>
            <Details summary="Public key">
              <CodeBlock label="Public key" wrap>
                {set.pubkey}
              </CodeBlock>
            </Details>
          </div>
        );
      })}
      <ConfirmDialog
        open={dismissing !== undefined}
        title="Dismiss this key?"
        action="Dismiss 1 key"
        onConfirm={async () => {
          if (dismissing) await api.del(paths.authSet(device.id, dismissing.id));
          await onChanged().catch((error: unknown) => toast.note(textOf(error)));
        }}
        onClose={() => setDismissing(undefined)}
      >
        <p>{dismissing?.status === "accepted" ? "The device is locked out at once. " : ""}The key is forgotten. If the device calls with it again, it shows up as pending.</p>
      </ConfirmDialog>
    </Stack>
  );
}
