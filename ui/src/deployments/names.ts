/** What devices are called, for lists that only have their ids. */
import { useApi } from "../app/resource";
import { can } from "../app/session";
import { SEARCH } from "./types";

export interface InventoryDevice {
  id: string;
  attributes: readonly { name: string; scope: string; value: unknown }[];
}

/** The tag `name`, else a serial number, MAC address or another part of the identity, else the id. */
export function nameOf(device: InventoryDevice): string {
  const identity = device.attributes.filter(({ scope, name }) => scope === "identity" && name !== "status");
  const named =
    device.attributes.find(({ scope, name, value }) => scope === "tags" && name === "name" && value) ??
    ["serial", "serial_number", "sn", "mac"].map((wanted) => identity.find(({ name }) => name.toLowerCase() === wanted)).find(Boolean) ??
    identity[0];
  return named ? String(named.value) : device.id;
}

/** The names of some devices; empty until they are known, and where the user has no right to read devices. */
export function useNames(ids: readonly string[]): ReadonlyMap<string, string> {
  const wanted = ids.length > 0 && can("devices:read");
  const found = useApi<InventoryDevice[]>(
    wanted ? { path: SEARCH, method: "POST", body: { page: 1, per_page: ids.length, device_ids: [...ids].sort() } } : null,
  );
  return new Map((found.data ?? []).map((device) => [device.id, nameOf(device)]));
}
