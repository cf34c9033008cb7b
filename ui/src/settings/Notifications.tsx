/** Which mails the user gets, and whether anybody in the organization gets those about alerts. */
import type { Shape } from "../api/calls";
import { api } from "../api/client";
import { type Live, useApi } from "../app/resource";
import { can, has, session } from "../app/session";
import { attempt } from "../app/toasts";
import { Banner, Card, Grid, Link, Loaded, Stack, Switch } from "../parts";
import { ALERT_CHANNEL, type Choice, choicesFor, choosing, OWN_SETTINGS, type OwnSettings, wants } from "./mails";
import { SettingsPage } from "./SettingsPage";

type Channel = Shape<"ChannelStatus">;

export default function Notifications() {
  const monitors = has("monitoring");
  const choices = choicesFor({ monitors, approves: can("deployments:approve"), manages: can("deployments:manage") });
  const own = useApi(choices.length ? OWN_SETTINGS : null);
  const channel = useApi(monitors ? ALERT_CHANNEL : null);
  return (
    <SettingsPage at="notifications" title="Notifications" lead={session.value?.user.email}>
      <Stack>
        {!session.value?.mail && (
          <Banner is="warning" title="This server sends no mails">
            Its admin has not set a sender address. Your choice takes effect as soon as there is one.
          </Banner>
        )}
        <Grid min="l">
          <Card title="Mails to you">
            <Stack>
              {choices.length > 0 && <Loaded from={own}>{(settings) => <OwnChoices choices={choices} settings={settings} from={own} />}</Loaded>}
              {channel.data?.enabled === false && <Banner>Mails about alerts are currently switched off for everybody.</Banner>}
              {!monitors && (
                <p>Your organization's plan does not include monitoring, so there are no mails about alerts.</p>
              )}
              <p class="muted small">
                Mails about your account always come: confirming an address, a new password, a changed second factor. They tell you
                when somebody else tries to take it over.
              </p>
            </Stack>
          </Card>
          {monitors && can("users:manage") && (
            <Card title="Mails to everybody" lead="Applies to all users of the organization. Each change is in the audit log.">
              <Loaded from={channel}>{(found) => <ForAll channel={found} from={channel} />}</Loaded>
            </Card>
          )}
          {can("integrations:read") && (
            <Card title="Other systems">
              <p>
                Chats, ticket systems and programs are told of devices and deployments by <Link to="/settings/webhooks">webhooks</Link>.
              </p>
            </Card>
          )}
        </Grid>
      </Stack>
    </SettingsPage>
  );
}

function OwnChoices({ choices, settings, from }: { choices: readonly Choice[]; settings: OwnSettings; from: Live<OwnSettings> }) {
  const choose = async ({ mail, about }: Choice, on: boolean): Promise<void> => {
    const etag = from.headers?.get("etag");
    const changed = choosing(settings, mail, on);
    from.change(() => changed);
    await attempt(
      () => api.post(OWN_SETTINGS, changed, etag ? { headers: { "If-Match": etag } } : {}),
      on ? `You get mails about ${about}.` : `You get no more mails about ${about}.`,
      "Your choice was not saved",
    );
    await from.reload();
  };
  return (
    <Stack gap={2}>
      {choices.map((each) => (
        <Switch key={each.mail} label={each.label} hint={each.hint} checked={wants(settings, each.mail)} onChange={(on) => choose(each, on)} />
      ))}
    </Stack>
  );
}

function ForAll({ channel, from }: { channel: Channel; from: Live<Channel> }) {
  const choose = async (on: boolean): Promise<void> => {
    from.change(() => ({ enabled: on }));
    await attempt(
      () => api.put(ALERT_CHANNEL, { enabled: on }),
      on ? "Mails about alerts are on again, for those who want them." : "Nobody gets mails about alerts any more.",
      "Mails about alerts were not changed",
    );
    await from.reload();
  };
  return <Switch label="Send mails about alerts" hint="If off, nobody gets them, whatever they chose." checked={channel.enabled} onChange={choose} />;
}
