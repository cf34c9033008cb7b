/** From commands to paste, over a pending device that is accepted, to its first update. */
import { useState } from "preact/hooks";
import { api } from "../api/client";
import { newestFirst } from "../app/format";
import { refresh, useApi } from "../app/resource";
import { pathTo, setQuery, useQuery } from "../app/router";
import { can, session } from "../app/session";
import { textOf } from "../app/toasts";
import { type AuthDevice, paths } from "../device/types";
import { Banner, Button, Card, CodeBlock, EmptyState, Input, Link, Loaded, Loader, Name, Page, Row, Segments, Stack, Time } from "../parts";
import { debian, isOwnMachine, simulated, type Where, yocto } from "./commands";
import { FirstUpdate } from "./FirstUpdate";

const KINDS = [
  { value: "debian", label: "Debian" },
  { value: "yocto", label: "Yocto" },
  { value: "simulated", label: "Simulated" },
] as const;
type Kind = (typeof KINDS)[number]["value"];

export default function FirstDevice() {
  const [kind] = useQuery("kind", "debian");
  const [device] = useQuery("device");
  const here = session.value;
  const where = { url: here?.server.url ?? location.origin, tenantToken: here?.tenant.tenant_token ?? "" };
  return (
    <Page title="First device" lead="Connect a device, accept it, update it." back={{ to: "/devices", label: "Devices" }} narrow>
      <Stack>
        {!device && <Connect kind={kind as Kind} where={where} />}
        {device ? <FirstUpdate device={device} /> : <Waiting />}
      </Stack>
    </Page>
  );
}

function Connect({ kind, where }: { kind: Kind; where: Where }) {
  const [type, setType] = useState("my-board");
  const text = kind === "yocto" ? yocto(where) : kind === "simulated" ? simulated(where) : debian(where, type);
  return (
    <Card title="1. Connect it" lead="Choose what the device is, and paste this there.">
      <Stack>
        <Segments label="Kind of device" value={kind} options={KINDS} onChange={(next) => setQuery({ kind: next === "debian" ? "" : next })} />
        {!where.tenantToken && <Banner is="warning">The commands lack your organization's token, because only users who may manage all devices see it. Ask an administrator for it.</Banner>}
        {kind === "debian" && <Input label="Device type" value={type} onInput={(next) => setType(next.replace(/[^\w.-]/g, ""))} hint="The same for all devices that use the same software." />}
        {kind === "debian" && isOwnMachine(where) && <p class="muted">Copy the server's <code>.local/tls/ca.pem</code> to the device first: with it the device verifies the server's certificate.</p>}
        {kind === "yocto" && <p class="muted">Build the image with this, write it to the device, and start the device.</p>}
        {kind === "simulated" && <p class="muted">A device in a shell on your computer. It gets updates and only pretends to install them.</p>}
        <CodeBlock label="Commands" limit>{text}</CodeBlock>
      </Stack>
    </Card>
  );
}

function Waiting() {
  const pending = useApi({ path: "/management/v2/devauth/devices", query: { status: "pending", per_page: 20 } }, { every: 3000 });
  return (
    <Card title="2. Accept it" lead="A new device waits until somebody accepts it.">
      <Loaded from={pending}>
        {(devices) =>
          devices.length ? (
            <Stack gap={3}>
              {newestFirst(devices, (device) => device.created_ts).map((device) => (
                <Pending key={device.id} device={device} />
              ))}
            </Stack>
          ) : (
            <EmptyState small icon="devices" title="No device is waiting">
              <Loader label="Waiting for the device's first call" />
            </EmptyState>
          )
        }
      </Loaded>
    </Card>
  );
}

function Pending({ device }: { device: AuthDevice }) {
  const [error, setError] = useState("");
  const name = Object.entries(device.identity_data).map(([key, value]) => `${key} ${String(value)}`).join(", ");
  const set = device.auth_sets?.find((each) => each.status === "pending");
  const accept = async (): Promise<void> => {
    try {
      if (set) await api.put(`${paths.authSet(device.id, set.id)}/status`, { status: "accepted" });
      void refresh("/devauth");
      setQuery({ device: device.id }, {});
    } catch (failed) {
      setError(textOf(failed));
    }
  };
  return (
    <>
      <Row justify="between">
        <Link to={pathTo("devices", device.id)}>
          <Name>{name}</Name>
        </Link>
        <Row gap={3}>
          <span class="muted small">
            called <Time at={device.created_ts} />
          </span>
          {can("devices:manage") && (
            <Button kind="primary" icon="check" aria-label={`Accept ${name}`} onClick={accept}>
              Accept
            </Button>
          )}
        </Row>
      </Row>
      {error && <Banner is="danger">{error}</Banner>}
    </>
  );
}
