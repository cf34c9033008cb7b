/**
 * Where the reader is, as a signal. Routes live in the hash (`#/devices?status=pending`), so that the console works
 * from any base path and every state of a screen has a URL that can be sent to a colleague.
 */
import { computed, signal } from "@preact/signals";
import { useEffect } from "preact/hooks";

export type Query = Readonly<Record<string, string>>;
export type QueryChange = Readonly<Record<string, string | number | boolean | null | undefined>>;

export interface Place {
  readonly path: string;
  readonly query: Query;
}

/** The place that a hash means: `#/devices?status=pending` is `/devices` with a query. */
export function parse(hash: string): Place {
  const text = hash.replace(/^#/, "");
  const cut = text.indexOf("?");
  const path = (cut < 0 ? text : text.slice(0, cut)).replace(/\/+$/, "");
  const query = Object.fromEntries(new URLSearchParams(cut < 0 ? "" : text.slice(cut + 1)));
  return { path: path.startsWith("/") ? path : `/${path}`, query };
}

/** The `href` of a place. Values that are empty, false, null or undefined are left out. */
export function href(path: string, query: QueryChange = {}): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== null && value !== undefined && value !== "" && value !== false) search.set(name, String(value));
  }
  const text = search.toString();
  return `#${path}${text ? `?${text}` : ""}`;
}

/** A path from parts that are encoded: `pathTo("devices", id)`. */
export function pathTo(...parts: string[]): string {
  return `/${parts.map(encodeURIComponent).join("/")}`;
}

/** The named parts of a path that fits a pattern (`/devices/:id`; a `*` at its end takes the rest); else undefined. */
export function match(pattern: string, path: string): Record<string, string> | undefined {
  const wanted = pattern.split("/").filter(Boolean);
  const given = path.split("/").filter(Boolean);
  const found: Record<string, string> = {};
  for (const [index, part] of wanted.entries()) {
    if (part === "*") {
      found.rest = given.slice(index).map(decoded).join("/");
      return found;
    }
    const value = given[index];
    if (value === undefined) return undefined;
    if (part.startsWith(":")) found[part.slice(1)] = decoded(value);
    else if (part !== value) return undefined;
  }
  return given.length === wanted.length ? found : undefined;
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

const here = signal<Place>(parse(globalThis.location?.hash ?? ""));

/** Where the reader is. */
export const place = computed(() => here.value);

/** The named parts of the current screen's path; set by the app when it finds the screen. */
export const params = signal<Record<string, string>>({});

type Guard = () => boolean;
const guards = new Set<Guard>();
let shown = globalThis.location?.hash ?? "";

function arrived(): void {
  if (location.hash === shown) return;
  const next = parse(location.hash);
  if (next.path !== here.value.path && ![...guards].every((mayLeave) => mayLeave())) {
    history.pushState(null, "", shown || "#/");
    return;
  }
  shown = location.hash;
  here.value = next;
}

globalThis.addEventListener?.("hashchange", arrived);
globalThis.addEventListener?.("popstate", arrived);

/** Go somewhere. `replace`: without a new entry in the history (typing into a search, for example). */
export function navigate(path: string, query: QueryChange = {}, options: { replace?: boolean } = {}): void {
  const target = href(path, query);
  if (options.replace) history.replaceState(null, "", target);
  else if (target !== location.hash) history.pushState(null, "", target);
  arrived();
}

/** Change some parameters of the current URL and keep the others; empty values are taken away. */
export function setQuery(change: QueryChange, options: { replace?: boolean } = { replace: true }): void {
  navigate(here.value.path, { ...here.value.query, ...change }, options);
}

/** One parameter of the URL with its default, and a function that sets it: state that a reload keeps. */
export function useQuery(name: string, fallback = ""): [string, (value: string, options?: { replace?: boolean }) => void] {
  const value = here.value.query[name] ?? fallback;
  return [value, (next, options) => setQuery({ [name]: next === fallback ? "" : next }, options)];
}

/** The page of a list, from 1, and a function that goes to another one, from which the back button returns. */
export function usePage(): [number, (page: number) => void] {
  const page = Math.max(1, Math.trunc(Number(here.value.query.page)) || 1);
  return [page, (next) => setQuery({ page: next === 1 ? "" : next }, { replace: false })];
}

/** A named part of the current path: `useParam("id")` in a screen at `/devices/:id`. */
export function useParam(name: string): string {
  return params.value[name] ?? "";
}

/** While `dirty`, ask before this screen is left with unsaved changes. */
export function useLeaveGuard(dirty: boolean): void {
  useEffect(() => {
    if (!dirty) return;
    const mayLeave = (): boolean => globalThis.confirm("Leave without saving? Your changes will be lost.");
    const unload = (event: BeforeUnloadEvent): void => event.preventDefault();
    guards.add(mayLeave);
    globalThis.addEventListener("beforeunload", unload);
    return () => {
      guards.delete(mayLeave);
      globalThis.removeEventListener("beforeunload", unload);
    };
  }, [dirty]);
}
