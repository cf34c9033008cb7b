/** One action on many devices: a few calls at a time, with what became of each device. */
import { ApiError, api, call } from "../api/client";
import { newestFirst } from "../app/format";
import { textOf } from "../app/toasts";
import type { Selection } from "../parts";
import type { SearchBody } from "./conditions";

export type Action = "accept" | "reject" | "dismiss" | "decommission" | "tag" | "group" | "ungroup";

export interface Result {
  done: number;
  failed: { id: string; why: string }[];
}

const AT_ONCE = 6;
const PER_PAGE = 500;
const SEARCH = "/management/v2/inventory/filters/search";
const DEVAUTH = "/management/v2/devauth/devices";
const INVENTORY = "/management/v1/inventory";

/** The ids of what is selected; all that a search finds, but for some, is asked for page by page. */
export async function idsOf(selection: Selection, body: SearchBody, signal: AbortSignal): Promise<string[]> {
  if (!selection.all) return [...selection.keys];
  const found: string[] = [];
  for (let page = 1; ; page++) {
    const { data } = await call("POST", SEARCH, { body: { ...body, page, per_page: PER_PAGE }, signal });
    found.push(...data.map((device) => device.id).filter((id) => !selection.keys.has(id)));
    if (data.length < PER_PAGE) return found;
  }
}

/** Do it for each; `onProgress` is called after each device. What fails for one does not stop the others. */
export async function each(ids: readonly string[], doing: (id: string) => Promise<unknown>, onProgress: (result: Result) => void, signal: AbortSignal): Promise<Result> {
  const result: Result = { done: 0, failed: [] };
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < ids.length && !signal.aborted) {
      const id = ids[next++] as string;
      try {
        await patiently(() => doing(id), signal);
        result.done += 1;
      } catch (error) {
        if (signal.aborted) return;
        result.failed.push({ id, why: textOf(error) });
      }
      onProgress({ ...result });
    }
  };
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, ids.length) }, worker));
  return result;
}

/** Again after a moment where the server asks to wait, at most twice. */
async function patiently(doing: () => Promise<unknown>, signal: AbortSignal, left = 2): Promise<unknown> {
  try {
    return await doing();
  } catch (error) {
    const wait = error instanceof ApiError && (error.status === 429 || error.status === 503);
    if (!wait || !left || signal.aborted) throw error;
    await new Promise((resolve) => setTimeout(resolve, (error.retryAfter ?? 1) * 1000));
    return patiently(doing, signal, left - 1);
  }
}

interface AuthDevice {
  id: string;
  auth_sets: { id: string; status: string; ts: string }[] | null;
}

/** The auth set that a decision is about: the newest one that waits for it, else the newest. */
export function decided(device: AuthDevice, status: string): string | undefined {
  const sets = newestFirst(device.auth_sets ?? [], (set) => set.ts);
  return (sets.find((set) => set.status === (status === "rejected" ? "accepted" : "pending")) ?? sets.find((set) => set.status === "pending") ?? sets[0])?.id;
}

async function decide(id: string, status: "accepted" | "rejected"): Promise<void> {
  const device = await api.get(`${DEVAUTH}/${encodeURIComponent(id)}`);
  const set = decided(device, status);
  if (!set) throw new Error("The device has no auth set that is waiting for a decision.");
  await api.put(`${DEVAUTH}/${encodeURIComponent(id)}/auth/${encodeURIComponent(set)}/status`, { status });
}

async function dismiss(id: string): Promise<void> {
  const device = await api.get(`${DEVAUTH}/${encodeURIComponent(id)}`);
  for (const set of device.auth_sets ?? []) {
    if (set.status !== "accepted") await api.del(`${DEVAUTH}/${encodeURIComponent(id)}/auth/${encodeURIComponent(set.id)}`);
  }
}

export interface Details {
  group?: string;
  tag?: { name: string; value: string };
}

/** What an action does to one device. */
export function doing(action: Action, { group = "", tag = { name: "", value: "" } }: Details): (id: string) => Promise<unknown> {
  const device = (id: string) => `${INVENTORY}/devices/${encodeURIComponent(id)}` as const;
  switch (action) {
    case "accept":
      return (id) => decide(id, "accepted");
    case "reject":
      return (id) => decide(id, "rejected");
    case "dismiss":
      return dismiss;
    case "decommission":
      return (id) => api.del(`${DEVAUTH}/${encodeURIComponent(id)}`);
    case "tag":
      return (id) => api.patch(`${device(id)}/tags`, [tag]);
    case "group":
      return (id) => api.put(`${device(id)}/group`, { group });
    case "ungroup":
      return (id) => api.del(`${device(id)}/group/${encodeURIComponent(group)}`);
  }
}
