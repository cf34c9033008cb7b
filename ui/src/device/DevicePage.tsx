/** One device, in tabs that load what they show. */
import { useState } from "preact/hooks";
import { api } from "../api/client";
import { refresh, useApi } from "../app/resource";
import { navigate, useParam, useQuery } from "../app/router";
import { can, canFor, has } from "../app/session";
import { attempt } from "../app/toasts";
import { type Device, nameOf, shown, STATUSES, statusOf, valueOf } from "../devices/types";
import { ConfirmDialog, Link, Loaded, Menu, type MenuItem, Page, Skeleton, Status, type Tab, Tabs, Time } from "../parts";
import { Alerts } from "./Alerts";
import { ConfigurationTab } from "./Configuration";
import { Deployments } from "./Deployments";
import { Files } from "./Files";
import { Inventory } from "./Inventory";
import { Overview } from "./Overview";
import { Recordings } from "./Recordings";
import { Terminal } from "./Terminal";
import { groupOf, paths } from "./types";

/** Tabs whose own data is what stays fresh; elsewhere it is the device itself. */
const LIVE = ["configuration", "alerts", "deployments", "terminal", "files", "recordings"];

export default function DevicePage() {
  const id = useParam("id");
  const [tab] = useQuery("tab", "overview");
  const [deleting, setDeleting] = useState(false);
  const device = useApi(paths.inventory(id), LIVE.includes(tab) ? {} : { every: 10_000 });
  const found = device.data?.id === id ? device.data : undefined;
  const name = found ? nameOf(found) : id;
  const groups = found && groupOf(found) ? [groupOf(found)] : [];
  const connects = has("terminal") && canFor("devices:connect", groups);
  const manages = canFor("devices:manage", groups);
  const status = STATUSES.find((each) => each.id === (found && statusOf(found)));
  const tabs: (Tab | false)[] = [
    { id: "overview", label: "Overview" },
    { id: "inventory", label: "Inventory" },
    can("deployments:read") && { id: "deployments", label: "Deployments" },
    has("configuration") && { id: "configuration", label: "Configuration" },
    has("monitoring") && { id: "alerts", label: "Alerts", count: Number(shown(found && valueOf(found, "monitor", "alert_count"))) || undefined },
    connects && { id: "terminal", label: "Terminal" },
    connects && has("file_transfer") && { id: "files", label: "Files" },
    connects && has("playback") && can("audit:read") && { id: "recordings", label: "Recordings" },
  ];
  const ask = async (what: "check-update" | "send-inventory", done: string): Promise<void> => {
    await attempt(() => api.post(`${paths.connection(id)}/${what}`), done, "The device was not asked");
  };
  const actions: (MenuItem | false)[] = [
    connects && { label: "Check for updates now", icon: "refresh", onSelect: () => void ask("check-update", "The device checks for updates now.") },
    connects && { label: "Send inventory now", icon: "send", onSelect: () => void ask("send-inventory", "The device sends its inventory now.") },
    manages && { label: "Decommission", icon: "delete", danger: true, onSelect: () => setDeleting(true) },
  ];
  return (
    <Page
      title={name}
      back={{ to: "/devices", label: "Devices" }}
      lead={
        found && (
          <span class="row gap-3">
            <Status is={status?.is ?? "neutral"}>{status?.label ?? "Unknown"}</Status>
            {groups[0] && <Link to="/devices" query={{ group: groups[0] }}><bdi>{groups[0]}</bdi></Link>}
            <span>
              Last check-in <Time at={shown(valueOf(found, "system", "check_in_time"))} />
            </span>
          </span>
        )
      }
      actions={
        found && (
          <>
            {actions.some(Boolean) && <Menu label="Actions" items={actions} />}
            {can("deployments:manage") && statusOf(found) === "accepted" && (
              <Link button="primary" icon="deployments" to="/deployments/new" query={{ devices: id }}>
                Deploy
              </Link>
            )}
          </>
        )
      }
    >
      <Tabs label="Views of the device" tabs={tabs.filter((each): each is Tab => Boolean(each))} value={tab} />
      <Loaded from={{ ...device, data: found, stale: false }} title="This device could not be loaded" skeleton={<Skeleton lines={6} />}>
        {(shownDevice) => <Shown key={id} tab={tab} device={shownDevice} manages={manages} onChanged={device.reload} />}
      </Loaded>
      <ConfirmDialog
        open={deleting}
        title={`Decommission ${name}?`}
        action="Decommission 1 device"
        onConfirm={async () => {
          await api.del(paths.auth(id));
          void refresh("/devauth");
          navigate("/devices");
        }}
        onClose={() => setDeleting(false)}
      >
        <p>The device is locked out at once, and everything known about it is removed: keys, inventory, configuration, alerts. If it calls again, it is a new pending device.</p>
      </ConfirmDialog>
    </Page>
  );
}

export interface TabProps {
  device: Device;
  manages: boolean;
  onChanged: () => Promise<void>;
}

function Shown({ tab, ...props }: TabProps & { tab: string }) {
  switch (tab) {
    case "inventory":
      return <Inventory {...props} />;
    case "configuration":
      return <ConfigurationTab {...props} />;
    case "alerts":
      return <Alerts {...props} />;
    case "deployments":
      return <Deployments {...props} />;
    case "terminal":
      return <Terminal {...props} />;
    case "files":
      return <Files {...props} />;
    case "recordings":
      return <Recordings {...props} />;
    default:
      return <Overview {...props} />;
  }
}
