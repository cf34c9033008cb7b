/** The log that a device sent when its update failed. */
import { useApi } from "../app/resource";
import { pathTo } from "../app/router";
import { saveText } from "../app/save";
import { Button, CodeBlock, Drawer, EmptyState, Link, Loaded, Name, Stack } from "../parts";
import { deploymentPath } from "./types";

export function LogDrawer({ deployment, device, onClose }: { deployment: string; device: string; onClose: () => void }) {
  const log = useApi(`${deploymentPath(deployment)}/devices/${encodeURIComponent(device)}/log`, { keep: false });
  return (
    <Drawer
      open
      title="Deployment log"
      onClose={onClose}
      actions={
        <>
          <Button icon="download" disabled={!log.data} onClick={() => saveText(log.data ?? "", `${device}-${deployment}.log`)}>
            Download
          </Button>
          <Link class="button" to={pathTo("devices", device)}>
            Show device
          </Link>
        </>
      }
    >
      <Stack>
        <div>
          <span class="muted small">Device</span> <Name mono>{device}</Name>
        </div>
        <Loaded from={log} title="The log could not be loaded">
          {(text) =>
            text ? (
              <CodeBlock label="Log" wrap>
                {text}
              </CodeBlock>
            ) : (
              <EmptyState small icon="file" title="The log is empty" />
            )
          }
        </Loaded>
      </Stack>
    </Drawer>
  );
}
