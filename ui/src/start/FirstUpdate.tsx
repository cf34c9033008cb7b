/** The accepted device reports what it is, then takes a first update: a file that the server makes an artifact of. */
import { useState } from "preact/hooks";
import { api } from "../api/client";
import { useApi } from "../app/resource";
import { pathTo, setQuery, useQuery } from "../app/router";
import { can } from "../app/session";
import { textOf } from "../app/toasts";
import { isUnfinished, meaningOf, paths, statusInWords } from "../device/types";
import { type Device, nameOf, shown, valueOf } from "../devices/types";
import { Banner, Button, Card, Link, Loaded, Loader, Name, Row, Stack, Status } from "../parts";
import { generate } from "../releases/uploads";

export function FirstUpdate({ device }: { device: string }) {
  const [deployment] = useQuery("deployment");
  const found = useApi(paths.inventory(device), deployment ? {} : { every: 3000 });
  return (
    <>
      <Card title="2. Accept it">
        <Row gap={3}>
          <Status is="ok">Accepted</Status>
          {found.data && (
            <Link to={pathTo("devices", device)}>
              <Name>{nameOf(found.data)}</Name>
            </Link>
          )}
          <Button small kind="quiet" onClick={() => setQuery({ device: "", deployment: "" })}>
            Connect another device
          </Button>
        </Row>
      </Card>
      <Card title="3. Update it" lead="A first update: one small file, hello.txt, into /tmp of the device.">
        <Loaded from={found}>{(inventory) => (deployment ? <Follow device={device} deployment={deployment} /> : <Begin device={inventory} />)}</Loaded>
      </Card>
    </>
  );
}

function Begin({ device }: { device: Device }) {
  const [error, setError] = useState("");
  const type = shown(valueOf(device, "inventory", "device_type"));
  const update = async (): Promise<void> => {
    setError("");
    const name = `hello-${new Date().toISOString().slice(0, 19).replace(/[^0-9]/g, "")}`;
    const file = new File([`Hello from Lamplighter, ${name}\n`], "hello.txt", { type: "text/plain" });
    try {
      await generate(file, { name, description: "A first update", deviceTypes: [type], directory: "/tmp" }, () => undefined, new AbortController().signal);
      const made = await api.call("POST", "/management/v1/deployments/deployments", { body: { name: "First update", artifact_name: name, devices: [device.id] } });
      setQuery({ deployment: made.headers.get("location")?.split("/").pop() ?? "" }, {});
    } catch (failed) {
      setError(textOf(failed));
    }
  };
  if (!type) return <Loader label="Waiting for the device's inventory" />;
  return (
    <Stack>
      <p>
        It is of type <Name>{type}</Name> and runs <Name>{shown(valueOf(device, "inventory", "artifact_name")) || "nothing known"}</Name>.
      </p>
      {error && <Banner is="danger" title="The update was not begun">{error}</Banner>}
      {can("deployments:manage") && can("artifacts:upload") ? (
        <div>
          <Button kind="primary" icon="deployments" onClick={update}>
            Update it now
          </Button>
        </div>
      ) : (
        <p class="muted">A user who may upload and deploy releases can update it now.</p>
      )}
    </Stack>
  );
}

function Follow({ device, deployment }: { device: string; deployment: string }) {
  const rows = useApi({ path: paths.deployments(device), query: { per_page: 20 } }, { every: 3000 });
  const row = rows.data?.find((each) => each.deployment.id === deployment);
  if (!row) return <Loader label="Waiting for the device to poll for its update" />;
  if (isUnfinished(row)) return <Loader label="The device is at work" note={statusInWords(row.device.status)} />;
  const done = row.device.status === "success" || row.device.status === "already-installed";
  return (
    <Stack>
      {done ? (
        <Banner is="ok" title="Updated">
          The device has installed its first update. Updating a hundred thousand devices works in the same way.
        </Banner>
      ) : (
        <Banner is="warning" title="The update did not succeed">
          <Status is={meaningOf(row.device.status)}>{statusInWords(row.device.status)}</Status>
        </Banner>
      )}
      <Row>
        <Link button="primary" to={pathTo("devices", device)} query={done ? {} : { tab: "deployments" }}>
          Show the device
        </Link>
        <Link button="plain" to={pathTo("deployments", deployment)}>
          Show the deployment
        </Link>
        {done && (
          <Link button="plain" to="/releases" query={{ upload: "file" }}>
            Upload your own release
          </Link>
        )}
      </Row>
    </Stack>
  );
}
