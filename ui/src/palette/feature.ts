/** What the command palette finds and does beyond the screens themselves. */
import type { Shape } from "../api/calls";
import { api } from "../api/client";
import type { Command, Feature } from "../app/feature";
import { navigate, pathTo } from "../app/router";
import { can, leave } from "../app/session";
import { attempt } from "../app/toasts";

/** Of each kind, at most. */
const FOUND = 5;
const LOOKED_AT = 50;

type Device = Shape<"InventoryDevice">;

const STATUSES: Record<string, string> = { inprogress: "in progress" };

/** The tag "name", else what the device identifies itself by, a hardware address last; as on the overview. */
function nameOf(device: Device): string {
  const tag = device.attributes.find((each) => each.scope === "tags" && each.name === "name")?.value;
  const identity = device.attributes
    .filter((each) => each.scope === "identity" && each.name !== "status" && typeof each.value === "string")
    .sort((a, b) => Number(a.name === "mac") - Number(b.name === "mac") || a.name.localeCompare(b.name));
  return typeof tag === "string" && tag ? tag : String(identity[0]?.value ?? device.id);
}

async function findDevices(text: string, signal: AbortSignal): Promise<Command[]> {
  if (!can("devices:read")) return [];
  const found = await api.post("/management/v2/inventory/filters/search", { text, page: 1, per_page: LOOKED_AT }, { signal });
  // The server looks for words anywhere; what is typed here is a name most of the time.
  const named = (device: Device): boolean => nameOf(device).toLowerCase().includes(text.toLowerCase());
  const best = [...found.filter(named), ...found.filter((device) => !named(device))].slice(0, FOUND);
  return best.map((device) => ({ title: nameOf(device), hint: "device", icon: "device", run: () => navigate(pathTo("devices", device.id)) }));
}

async function findDeployments(text: string, signal: AbortSignal): Promise<Command[]> {
  if (!can("deployments:read")) return [];
  const found = await api.get("/management/v2/deployments/deployments", { name: text, per_page: FOUND }, { signal });
  return found.map((deployment) => ({
    title: deployment.name,
    hint: `deployment, ${STATUSES[deployment.status] ?? deployment.status}`,
    icon: "deployment",
    run: () => navigate(pathTo("deployments", deployment.id)),
  }));
}

export const palette: Feature = {
  screens: [],
  commands: [
    { title: "New deployment", icon: "deployment", words: "create deploy rollout update", needs: "deployments:manage", run: () => navigate("/deployments/new") },
    { title: "Connect a device", icon: "device", words: "add first install", needs: "devices:manage", run: () => navigate("/start") },
    { title: "Sign out", icon: "signout", words: "log out leave", run: () => void attempt(() => leave()) },
    { title: "Sign out everywhere", icon: "signout", words: "log out leave sessions stolen", run: () => void attempt(() => leave(true)) },
  ],
  find: async (text, signal) => (await Promise.all([findDevices(text, signal), findDeployments(text, signal)])).flat(),
};
