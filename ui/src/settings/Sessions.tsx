/** The user's own sessions: where one is signed in, and how to end what should not be. */
import { useState } from "preact/hooks";
import { endSession } from "../api/session";
import type { Shape } from "../api/calls";
import { format } from "../app/format";
import { useApi } from "../app/resource";
import { leave } from "../app/session";
import { attempt } from "../app/toasts";
import { Badge, Button, Card, ConfirmDialog, Loaded, Row, Stack, Time } from "../parts";

type OwnSession = Shape<"OwnSession">;

const SESSIONS = "/management/v1/useradm/users/me/sessions";

export function Sessions() {
  const sessions = useApi(SESSIONS);
  const [ending, setEnding] = useState(false);
  const end = async (one: OwnSession): Promise<void> => {
    const ended = await attempt(() => endSession(one.id), "The session has ended.", "The session was not ended");
    if (ended) await sessions.reload();
  };
  return (
    <Card title="Sessions" lead="Sign-ins in browsers and other programs. Personal access tokens are not among them.">
      <Stack>
        <Loaded from={sessions}>
          {(found) => (
            <Stack gap={2}>
              {found.map((one) => (
                <Row key={one.id} justify="between">
                  <span>
                    Since <Time at={one.created_ts} absolute /> {one.current && <Badge is="accent">This one</Badge>} {one.tenant_id && <Badge>In another tenant</Badge>}
                    <br />
                    <span class="muted small">{one.expiration_date ? <>Ends <Time at={one.expiration_date} absolute /></> : "Has no end"}</span>
                  </span>
                  {!one.current && (
                    <Button small aria-label={`End the session since ${format.moment(one.created_ts)}`} onClick={() => end(one)}>
                      End
                    </Button>
                  )}
                </Row>
              ))}
            </Stack>
          )}
        </Loaded>
        <div>
          <Button icon="signout" onClick={() => setEnding(true)}>
            Sign out everywhere
          </Button>
        </div>
      </Stack>
      <ConfirmDialog open={ending} title="Sign out everywhere?" action="Sign out everywhere" onConfirm={() => leave(true)} onClose={() => setEnding(false)}>
        <p>All your sessions end, this one too. Personal access tokens stay valid.</p>
      </ConfirmDialog>
    </Card>
  );
}
