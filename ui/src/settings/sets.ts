/** A tenant's own permission sets between the API and the form: calls by method and path. */
import type { Shape } from "../api/calls";
import type { Permission, PermissionSet } from "./reach";

/** One line of the form. */
export type Call = Shape<"Call">;

export const SETS = "/management/v2/useradm/permission_sets";
export const METHODS = ["any", "GET", "POST", "PUT", "PATCH", "DELETE"];
const ANYTHING = ".*";
const API = "/api/";

/** Built-in sets name an action, and the API shows none of their permissions. */
export const isOwn = (set: PermissionSet): boolean => (set.permissions?.length ?? 0) > 0 || !set.action;

const isEverything = ({ action, object }: Permission): boolean => action === "any" || (object.type.toLowerCase() === "any" && ["any", ANYTHING].includes(object.value));

export const callsOf = (set: PermissionSet): Call[] =>
  (set.permissions ?? []).map((permission) => (isEverything(permission) ? { method: "any", path: ANYTHING } : { method: permission.object.type.toLowerCase() === "any" ? "any" : permission.object.type.toUpperCase(), path: permission.object.value }));

/** Whether a set of the tenant's own makes its users administrators, where a role does not limit it. */
export const holdsEverything = (set: PermissionSet): boolean => (set.permissions ?? []).some(isEverything);

export const permissionsOf = (calls: readonly Call[]): Permission[] => calls.map(({ method, path }) => ({ action: "http", object: { type: method, value: path.trim() } }));

/** What a set holds, for people: its description, or its calls. */
export function contents(set: PermissionSet): string[] {
  if (!isOwn(set)) return [set.description];
  const calls = callsOf(set);
  return calls.length ? calls.map(({ method, path }) => (path === ANYTHING && method === "any" ? "Everything, as SuperUser" : `${method === "any" ? "Any call" : method} ${path}`)) : ["Nothing yet"];
}

/** What is wrong with a path, in words; undefined: nothing. */
export function wrongPath(path: string): string | undefined {
  const literal = path.trim().split(ANYTHING)[0] ?? "";
  if (!path.trim()) return "Enter a path.";
  if (!/^[A-Za-z0-9/_.~%:@-]*$/.test(path.trim().replaceAll(ANYTHING, ""))) return "A path is literal text; the only wildcard is .*";
  if (!literal.startsWith(API) && !(path.includes(ANYTHING) && API.startsWith(literal))) return `Paths of the API begin with ${API}`;
  return undefined;
}
