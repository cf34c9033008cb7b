/** Whom a draft reaches, counted by the inventory as it is now. */
import type { Shape } from "../api/calls";
import { useApi, type Wanted } from "../app/resource";
import { can } from "../app/session";
import type { Device } from "../devices/types";
import type { Draft } from "./draft";
import { devicesWith } from "./states";
import { type Deployment, RELEASES, SEARCH, type Term } from "./types";

export interface Reach {
  /** Accepted devices that it is for; undefined while unknown. */
  total: number | undefined;
  /** They are being counted for the first time. */
  counting: boolean;
  /** Those of them with a device type that the release has an artifact for. */
  fitting: number | undefined;
  /** The device types of the release. */
  types: readonly string[];
  /** Some of them, by which to recognize them. */
  some: readonly Device[];
  error: unknown;
}

export type SavedFilter = Shape<"SavedFilter">;
type Search = Wanted<typeof SEARCH, "POST">;

export const FILTERS = "/management/v2/inventory/filters";

/** Enough rows to name the devices of a short list. */
const NAMED = 100;
const ACCEPTED: Term = { scope: "identity", attribute: "status", type: "$eq", value: "accepted" };

/** The search for the devices of a draft; null: nobody yet. `filter` is the saved filter that it names. */
export function searchOf(draft: Draft, filter: SavedFilter | undefined, types?: readonly string[]): Search | null {
  const fit: Term[] = types ? [{ scope: "inventory", attribute: "device_type", type: "$in", value: [...types] }] : [];
  const search = (terms: Term[], more: Partial<Shape<"InventorySearch">> = {}): Search => ({
    path: SEARCH,
    method: "POST",
    body: { page: 1, per_page: 1, filters: [ACCEPTED, ...terms, ...fit], ...more },
  });
  switch (draft.whom) {
    case "all":
      return search([]);
    case "group":
      return draft.group ? search([{ scope: "system", attribute: "group", type: "$eq", value: draft.group }]) : null;
    case "filter":
      return filter ? search(filter.terms) : null;
    case "devices":
      return draft.devices.length ? search([], { device_ids: draft.devices.slice(0, 1000), ...(types ? {} : { per_page: NAMED }) }) : null;
    default:
      return null;
  }
}

/** `parent`: of a retry, whose devices the earlier deployment has counted. */
export function useReach(draft: Draft, filter: SavedFilter | undefined, parent: Deployment | undefined): Reach {
  const mayCount = can("devices:read");
  const release = useApi(draft.release && can("releases:read") ? `${RELEASES}/${encodeURIComponent(draft.release)}` : null, { keep: false });
  const types = [...new Set((release.data?.artifacts ?? []).flatMap((artifact) => artifact.device_types_compatible))].sort();
  const all = useApi(mayCount ? searchOf(draft, filter) : null, { keep: false });
  const fitting = useApi(mayCount && types.length ? searchOf(draft, filter, types) : null, { keep: false });
  return {
    total: draft.whom === "retry" ? parent && devicesWith(parent.statistics.status, draft.statuses) : all.data && all.total,
    counting: draft.whom !== "retry" && all.loading,
    fitting: fitting.data && fitting.total,
    types,
    some: all.data ?? [],
    error: release.error ?? all.error ?? fitting.error,
  };
}
