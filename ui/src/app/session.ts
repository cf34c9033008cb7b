/** Who is signed in and what they may do, for every screen. */
import { computed, signal } from "@preact/signals";
import { ApiError, sessionsLost } from "../api/client";
import * as calls from "../api/session";
import type { Permission, PublicFacts, Scope, Session } from "../api/types";
import { forgetAll, resume } from "./resource";
import { navigate, parse, place } from "./router";

export type State = "starting" | "out" | "in" | "lost" | "failed";

/** "lost": somebody was signed in, and the server no longer takes the session; their screen stays where it is. */
export const state = signal<State>("starting");
export const session = signal<Session | undefined>(undefined);
export const facts = signal<PublicFacts | undefined>(undefined);
export const failure = signal<unknown>(undefined);

const permissions = computed(() => session.value?.rights.permissions ?? {});
const features = computed(() => new Set(session.value?.features ?? []));

/** Whether the user has a right at all, perhaps for some groups or releases only. The server decides each call. */
export function can(permission: Permission): boolean {
  return permission === "basic:use" || (permissions.value[permission]?.length ?? 0) > 0;
}

/** Whether the user has a right for all devices and releases, or for a device of these groups. */
export function canFor(permission: Permission, groups?: readonly string[]): boolean {
  return (permissions.value[permission] ?? []).some(
    (scope) => scope.groups === null || groups?.some((group) => scope.groups?.includes(group)),
  );
}

/** Where a right holds. */
export const scopesOf = (permission: Permission): readonly Scope[] => permissions.value[permission] ?? [];

/** Whether the tenant's plan has a feature (`chalicelib/features.py`). */
export const has = (feature: string): boolean => features.value.has(feature);

export async function start(): Promise<void> {
  try {
    const found = await calls.loadSession();
    session.value = found;
    state.value = found ? "in" : "out";
    if (found) comeBack();
    else facts.value = await calls.publicFacts().catch(() => undefined);
  } catch (error) {
    failure.value = error;
    state.value = "failed";
  }
}

const RETURN = "lamplighter.return";

/** Go to an identity provider, which leads back to the console's start; from there the reader returns to this screen. */
export function goToProvider(url: string): void {
  if (place.peek().path !== "/") sessionStorage.setItem(RETURN, location.hash);
  location.assign(url);
}

/** Return to the screen from which the reader went to an identity provider, unless they have gone elsewhere since. */
function comeBack(): void {
  const hash = sessionStorage.getItem(RETURN);
  sessionStorage.removeItem(RETURN);
  const { path, query } = parse(hash ?? "");
  if (hash && place.peek().path === "/") navigate(path, query, { replace: true });
}

/** After the server took a sign-in. Whoever was here before goes on where they were. */
export async function entered(): Promise<void> {
  const before = session.value;
  const found = await calls.loadSession();
  session.value = found;
  state.value = found ? "in" : "out";
  sessionStorage.removeItem(RETURN);
  if (before && before.user.id === found?.user.id && before.tenant.id === found.tenant.id) resume();
  else forgetAll();
}

/** Ask again who is signed in: after a change of the profile, the plan or the rights. */
export async function reloadSession(): Promise<void> {
  const found = await calls.loadSession();
  if (found) session.value = found;
  else state.value = "lost";
}

export async function leave(everywhere = false): Promise<void> {
  await calls.signOut(everywhere).catch((error: unknown) => {
    // The session is over already: that is what was wanted.
    if (!(error instanceof ApiError && error.status === 401)) throw error;
  });
  startAnew();
}

export async function changeTenant(tenant: string): Promise<void> {
  await calls.switchTenant(tenant);
  startAnew();
}

/** Load the page again, at the overview: nothing that the last user saw stays in memory. */
function startAnew(): void {
  // Setting `location.hash` would show the overview before the page is loaded again, and ask the server for it.
  history.replaceState(null, "", "#/");
  location.reload();
}

sessionsLost.subscribe((count) => {
  if (count > 0 && state.peek() === "in") state.value = "lost";
});
