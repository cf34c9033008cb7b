/** The organization: its plan, what it uses of its limits, and how the server treats its devices and logs. */
import { useState } from "preact/hooks";
import { api } from "../api/client";
import { format } from "../app/format";
import { type Live, useApi } from "../app/resource";
import { useLeaveGuard } from "../app/router";
import { can, canFor, session } from "../app/session";
import { textOf, toast } from "../app/toasts";
import { Badge, Banner, Button, Bytes, Card, CodeBlock, Details, Form, FormActions, Grid, Input, KeyValues, Loaded, Meter, Name, Row, Stack, Status, Time, TimeZone } from "../parts";
import { FIELDS, type Numbers, type Settings, fromText, toText } from "./numbers";
import { SettingsPage } from "./SettingsPage";

export default function Organization() {
  const numbers = useApi(canFor("devices:read") ? "/management/v2/tenantadm/metrics" : null, { every: 60_000 });
  const settings = useApi("/management/v2/tenantadm/settings");
  return (
    <SettingsPage at="organization" title="Organization">
      <Grid min="l">
        <PlanCard />
        {canFor("devices:read") && (
          <Card title="Limits and use">
            <Loaded from={numbers}>{(found) => <Use numbers={found} />}</Loaded>
          </Card>
        )}
        <Card title="How the server behaves" lead="Applies to all devices and users of the organization. Each change is in the audit log.">
          <Loaded from={settings}>{(found) => <SettingsForm key={settings.headers?.get("etag") ?? ""} stored={found} from={settings} />}</Loaded>
        </Card>
      </Grid>
    </SettingsPage>
  );
}

function PlanCard() {
  const tenant = session.value?.tenant;
  if (!tenant) return null;
  const addons = tenant.addons?.filter((addon) => addon.enabled) ?? [];
  return (
    <Card title="Plan">
      <Stack>
        <KeyValues
          items={[
            ["Name", <Name key="n" wrap>{tenant.name}</Name>],
            ["Organization ID", <code key="i">{tenant.id}</code>],
            ["Status", tenant.status === "active" ? <Status is="ok">Active</Status> : <Status is="warning">{tenant.status ?? "unknown"}</Status>],
            ["Plan", tenant.plan],
            tenant.trial && ["Trial ends", <Time key="t" at={tenant.trial_expiration} absolute />],
            ["Add-ons", addons.length ? <Row key="a">{addons.map((addon) => <Badge key={addon.name}>{addon.name}</Badge>)}</Row> : "none"],
            ["Features", <Row key="f" gap={1}>{session.value?.features.map((feature) => <Badge key={feature}>{feature.replaceAll("_", " ")}</Badge>)}</Row>],
          ]}
        />
        {tenant.tenant_token && (
          <Details summary="Organization token, with which new devices register">
            <CodeBlock label="Organization token" wrap>
              {tenant.tenant_token}
            </CodeBlock>
          </Details>
        )}
        <p class="muted small">The server's admin changes plan and limits.</p>
      </Stack>
    </Card>
  );
}

function Use({ numbers }: { numbers: Numbers }) {
  const tiers = Object.entries(numbers.accepted_devices).filter(([tier, { count, limit }]) => tier === "standard" || count > 0 || limit > 0);
  return (
    <Stack>
      {tiers.map(([tier, { count, limit }]) => {
        const label = tier === "standard" ? "Accepted devices" : `Accepted devices, ${tier}`;
        return limit < 0 ? (
          <KeyValues key={tier} items={[[label, `${format.number(count)}, without a limit`]]} />
        ) : (
          <Meter key={tier} label={label} value={count} max={limit} show={`${format.number(count)} of ${format.number(limit)}`} />
        );
      })}
      {numbers.storage && numbers.storage.limit > 0 && (
        <Meter label="Storage of artifacts" value={numbers.storage.usage} max={numbers.storage.limit} show={`${format.bytes(numbers.storage.usage)} of ${format.bytes(numbers.storage.limit)}`} />
      )}
      <KeyValues
        items={[
          numbers.storage?.limit === 0 && ["Storage of artifacts", <><Bytes value={numbers.storage.usage} />, without a limit</>],
          ["Users", format.number(numbers.users)],
          numbers.releases !== undefined && ["Releases", format.number(numbers.releases)],
          numbers.artifacts !== undefined && ["Artifacts", format.number(numbers.artifacts)],
          numbers.deployments !== undefined && ["Deployments", `${format.number(numbers.deployments.unfinished)} unfinished, ${format.number(numbers.deployments.finished)} finished`],
          numbers.webhooks !== undefined && ["Webhooks", numbers.webhooks.failing ? <Status is="danger">{`${numbers.webhooks.failing} of ${numbers.webhooks.count} fail`}</Status> : format.number(numbers.webhooks.count)],
        ]}
      />
    </Stack>
  );
}

/** How the server's refusal of a time zone begins. */
const ZONE = "Time_zone:";

function SettingsForm({ stored, from }: { stored: Settings; from: Live<Settings> }) {
  const [texts, setTexts] = useState<Record<string, string>>(() => toText(stored));
  const [error, setError] = useState("");
  /** A time zone that the server does not know. */
  const [refused, setRefused] = useState("");
  const changed = JSON.stringify(texts) !== JSON.stringify(toText(stored));
  const { values, wrong } = fromText(texts);
  if (refused && refused === texts.time_zone) wrong.time_zone = "There is no such time zone. Use a name such as Europe/Oslo.";
  useLeaveGuard(changed);
  const save = async (): Promise<void> => {
    if (Object.keys(wrong).length) return;
    setError("");
    try {
      const etag = from.headers?.get("etag");
      await api.put("/management/v2/tenantadm/settings", { ...stored, ...values }, etag ? { headers: { "If-Match": etag } } : {});
      toast.ok("The settings are saved.");
      await from.reload();
    } catch (failed) {
      const { status } = failed as { status?: number };
      if (status === 400 && textOf(failed).startsWith(ZONE)) setRefused(texts.time_zone ?? "");
      else setError(status === 412 ? "Somebody else changed the settings meanwhile. Discard your changes to see theirs." : textOf(failed));
    }
  };
  const discard = async (): Promise<void> => {
    setError("");
    setTexts(toText(stored));
    await from.reload();
  };
  const may = can("settings:manage");
  return (
    <Form onSubmit={save} label="Settings of the organization">
      {error && <Banner is="danger">{error}</Banner>}
      {FIELDS.map((field) => (
        <Input
          key={field.id}
          label={field.label}
          hint={field.hint}
          type="number"
          min={String(field.min / field.unit)}
          max={String(field.max / field.unit)}
          value={texts[field.id] ?? ""}
          disabled={!may}
          error={wrong[field.id]}
          onInput={(value) => setTexts({ ...texts, [field.id]: value })}
        />
      ))}
      <Input
        label="Groups whose deployments need approval"
        hint="Another user approves them. Separate the names by commas."
        value={texts.approval_groups ?? ""}
        disabled={!may}
        onInput={(value) => setTexts({ ...texts, approval_groups: value })}
      />
      <TimeZone
        label="Time zone"
        hint="Of the windows in which deployments begin, unless a deployment names another one."
        value={texts.time_zone ?? ""}
        disabled={!may}
        error={wrong.time_zone}
        onChange={(value) => setTexts({ ...texts, time_zone: value })}
      />
      {may && (
        <FormActions>
          {changed && <Button onClick={discard}>Discard</Button>}
          <Button type="submit" kind="primary" disabled={!changed || Object.keys(wrong).length > 0}>
            Save settings
          </Button>
        </FormActions>
      )}
    </Form>
  );
}
