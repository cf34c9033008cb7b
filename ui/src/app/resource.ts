/**
 * Data of a screen: fetched, kept fresh, and kept in sight while it is fetched again.
 *
 * One store for each call, shared by all who show it. It refreshes by conditional requests, stops while the page is
 * hidden, catches up when it is seen again, waits longer after each failure, and goes when nobody shows it any more.
 */
import { useEffect, useMemo, useState } from "preact/hooks";
import type { AnswerOf, BodyOf, Checked, QueryOf } from "../api/calls";
import { type Answer, ApiError, type Params, sessionsLost, send } from "../api/client";
import { moveOn } from "./format";

type Reading = "GET" | "POST";

export interface Wanted<P extends string = string, M extends Reading = Reading> {
  path: P;
  query?: QueryOf<P, M>;
  /** POST for searches that take a body; GET otherwise. */
  method?: M;
  body?: BodyOf<P, M>;
}

export interface LiveOptions {
  /** Milliseconds between two refreshes; none: loaded once, and again by `reload()`. */
  every?: number;
  /** While another call is loaded (next page, next filter), go on showing the last one's data. On by default. */
  keep?: boolean;
}

export interface Live<T> {
  data: T | undefined;
  /** The header X-Total-Count of the last answer. */
  total: number | undefined;
  headers: Headers | undefined;
  error: ApiError | undefined;
  /** Nothing to show yet. */
  loading: boolean;
  /** What is shown is another call's, or is being fetched again by `reload()`. */
  stale: boolean;
  /** When the data was last known to be true, in milliseconds. */
  at: number | undefined;
  reload: () => Promise<void>;
  /** Show a change at once, before the server was asked again. */
  change: (how: (data: T) => T) => void;
}

type Fetch<T> = (signal: AbortSignal, etag: string | undefined) => Promise<Answer<T>>;

const MAX_WAIT = 60_000;
/** What could not be loaded is asked for again after twice this time, then four times, and so on. */
const RETRY = 1000;
const KEPT = 60;

class Store<T> {
  data: T | undefined;
  answer: Answer<T> | undefined;
  error: ApiError | undefined;
  at: number | undefined;
  busy = false;
  /** Counts what the watchers were told. */
  told = 0;
  every: number | undefined;
  private readonly watchers = new Set<() => void>();
  private timer: ReturnType<typeof setTimeout> | undefined;
  private abort: AbortController | undefined;
  private failures = 0;

  constructor(private readonly fetch: Fetch<T>) {}

  get watched(): boolean {
    return this.watchers.size > 0;
  }

  watch(watcher: () => void, every: number | undefined): () => void {
    this.watchers.add(watcher);
    this.every = every === undefined ? this.every : Math.min(every, this.every ?? every);
    if (!this.busy && (this.at === undefined || this.error || Date.now() - this.at > 1000)) void this.load();
    else this.plan();
    return () => {
      this.watchers.delete(watcher);
      if (this.watchers.size === 0) {
        this.every = undefined;
        this.stop();
      }
    };
  }

  stop(): void {
    clearTimeout(this.timer);
    this.abort?.abort();
    this.abort = undefined;
    this.busy = false;
  }

  async load(): Promise<void> {
    this.stop();
    const abort = new AbortController();
    this.abort = abort;
    this.busy = true;
    this.tell();
    try {
      const answer = await this.fetch(abort.signal, this.answer?.etag);
      if (abort.signal.aborted) return;
      if (!answer.notModified) {
        this.answer = answer;
        this.data = answer.data;
        moveOn();
      }
      this.error = undefined;
      this.failures = 0;
      this.at = Date.now();
    } catch (error) {
      if (abort.signal.aborted) return;
      this.error = error instanceof ApiError ? error : new ApiError(0, error instanceof Error ? error.message : String(error));
      this.failures += 1;
    }
    this.busy = false;
    this.plan();
    this.tell();
  }

  /** Called when the page is seen again: load what is older than it should be. */
  wake(): void {
    if (this.watched && !this.busy && this.every !== undefined && Date.now() - (this.at ?? 0) >= this.every) void this.load();
    else if (this.watched) this.plan();
  }

  sleep(): void {
    clearTimeout(this.timer);
  }

  change(how: (data: T) => T): void {
    if (this.data === undefined) return;
    this.data = how(this.data);
    this.tell();
  }

  private plan(): void {
    clearTimeout(this.timer);
    const lost = this.error?.status === 0 || (this.error?.status ?? 0) >= 500 || this.error?.status === 429;
    const pace = this.every ?? (lost ? RETRY : undefined);
    if (pace === undefined || !this.watched || document.hidden || this.error?.status === 401) return;
    const asked = (this.error?.retryAfter ?? 0) * 1000;
    const wait = this.failures ? Math.max(asked, Math.min(MAX_WAIT, pace * 2 ** this.failures)) : pace;
    this.timer = setTimeout(() => void this.load(), wait);
  }

  private tell(): void {
    this.told += 1;
    for (const watcher of this.watchers) watcher();
  }
}

const stores = new Map<string, Store<unknown>>();

function storeOf<T>(key: string, fetch: Fetch<T>): Store<T> {
  let found = stores.get(key);
  if (found) stores.delete(key);
  else found = new Store<unknown>(fetch as Fetch<unknown>);
  stores.set(key, found);
  for (const [old, store] of stores) {
    if (stores.size <= KEPT) break;
    if (!store.watched && old !== key) stores.delete(old);
  }
  return found as Store<T>;
}

globalThis.document?.addEventListener("visibilitychange", () => {
  for (const store of stores.values()) document.hidden ? store.sleep() : store.wake();
});

/** Forget all data: somebody else signs in, or works in another tenant. */
export function forgetAll(): void {
  for (const [key, store] of stores) {
    store.stop();
    if (!store.watched) stores.delete(key);
    else {
      store.answer = undefined;
      store.data = undefined;
      void store.load();
    }
  }
}

/** Fetch again all that is shown and whose path begins so: after an action that changes it. */
export async function refresh(prefix = ""): Promise<void> {
  const wanted = [...stores].filter(([key, store]) => store.watched && key.includes(prefix));
  for (const [key, store] of stores) if (!store.watched && key.includes(prefix)) stores.delete(key);
  await Promise.all(wanted.map(([, store]) => store.load()));
}

/** Load again what failed for want of a session. */
export function resume(): void {
  for (const store of stores.values()) if (store.watched && store.error?.status === 401) void store.load();
}

interface UseApi {
  <P extends string>(wanted: P | null, ...options: Checked<P, "GET", [options?: LiveOptions]>): Live<AnswerOf<P>>;
  <P extends string, M extends Reading = "GET">(wanted: Wanted<P, M> | null, ...options: Checked<P, M, [options?: LiveOptions]>): Live<AnswerOf<P, M>>;
}

/**
 * The answer to one call, live. `null`: nothing to load yet. Path, parameters and answer are those of `api/calls.ts`.
 *
 *     const devices = useApi({ path: "/management/v1/inventory/devices", query: { page } }, { every: 5000 });
 */
export const useApi = ((wanted: { path: string; query?: Params; method?: Reading; body?: unknown } | string | null, options?: LiveOptions): Live<unknown> => {
  const call = typeof wanted === "string" ? { path: wanted } : wanted;
  const method = call?.method ?? "GET";
  const key = call === null ? null : `${method} ${call.path} ${JSON.stringify([call.query ?? {}, call.body ?? null])}`;
  const query = call?.query;
  return useLive(
    key,
    (signal, etag) => send(method, call?.path ?? "", { ...(query ? { query } : {}), ...(call?.body === undefined ? {} : { body: call.body }), signal, etag }),
    options,
  );
}) as UseApi;

/** The same for anything that can be fetched, under a key that says what it is. */
export function useLive<T>(key: string | null, fetch: Fetch<T>, { every, keep = true }: LiveOptions = {}): Live<T> {
  const [, redraw] = useState(0);
  const store = useMemo(() => (key === null ? null : storeOf<T>(key, fetch)), [key]);
  const last = useMemo<{ store: Store<T> | null }>(() => ({ store: null }), []);
  const told = store?.told;
  useEffect(() => {
    const draw = (): void => redraw((count) => count + 1);
    const stop = store?.watch(draw, every);
    // Another one who shows it may have got an answer after this was drawn, and before it watched.
    if (store?.told !== told) draw();
    return stop;
  }, [store, every]);
  if (store?.data !== undefined) last.store = store;
  const other = keep && store !== null && store.data === undefined && !store.error ? last.store : null;
  const shown = other ?? store;
  return {
    data: shown?.data,
    total: shown?.answer?.total,
    headers: shown?.answer?.headers,
    error: store?.error,
    loading: store !== null && shown?.data === undefined && !store.error,
    stale: other !== null,
    at: shown?.at,
    reload: async () => store?.load(),
    change: (how) => store?.change(how),
  };
}

export { sessionsLost };
