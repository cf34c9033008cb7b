/** What devices are called, for lists that only have their ids. */
import { useApi } from "../app/resource";
import { can } from "../app/session";
import { nameOf } from "../devices/types";
import { SEARCH } from "./types";

/** The names of some devices; empty until they are known, and where the user has no right to read devices. */
export function useNames(ids: readonly string[]): ReadonlyMap<string, string> {
  const wanted = ids.length > 0 && can("devices:read");
  const found = useApi(wanted ? { path: SEARCH, method: "POST", body: { page: 1, per_page: ids.length, device_ids: [...ids].sort() } } : null);
  return new Map((found.data ?? []).map((device) => [device.id, nameOf(device)]));
}
