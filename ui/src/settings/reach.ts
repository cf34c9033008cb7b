/** What a role reaches, from its permission sets and their scopes: for the builder and the list of roles. */
import type { Shape } from "../api/calls";

export type Role = Shape<"Role">;
/** The built-in ones have no permissions to show: their descriptions say what they hold. */
export type PermissionSet = Shape<"PermissionSet">;
export type Permission = Shape<"Permission">;
export type Scoped = Shape<"ScopedSet">;
export type ScopeType = Shape<"Scope">["type"];

export const EVERYTHING = "SuperUser";
/** Every user has it, in a role or not. */
export const BASIC = "Basic";
const BUILT_IN = "RBAC_ROLE_";

export const isBuiltIn = (role: Pick<Role, "name">): boolean => role.name.startsWith(BUILT_IN);

/** The names at which a set ends; undefined: it holds everywhere. */
export const endsAt = (set: Scoped): readonly string[] | undefined => (set.scope?.type ? set.scope.value : undefined);

const list = (names: readonly string[]): string => names.join(", ");

/** Where a set of a role holds, in words. */
export function where(set: Scoped): string {
  const names = endsAt(set);
  if (names === undefined) return "everywhere";
  if (set.scope?.type === "ReleaseTags") return `releases tagged ${list(names)}`;
  return `devices in ${list(names)}`;
}

/** One line for the list of roles: "ReadDevices: devices in lab; ReadReleases: everywhere". */
export function inShort(role: Role): string {
  const sets = (role.permission_sets_with_scope ?? []).filter((set) => set.name !== BASIC);
  if (sets.some((set) => set.name === EVERYTHING)) return "Everything";
  const paths = role.permissions?.length ?? 0;
  const parts = sets.map((set) => (endsAt(set) ? `${set.name} (${where(set)})` : set.name));
  return [...parts, ...(paths ? [`${paths} by path`] : [])].join(", ") || "Only the own account";
}

/** What keeps a role from being saved, in words; undefined: nothing. */
export function problem(name: string, sets: readonly Scoped[]): string | undefined {
  if (!name.trim()) return "Give the role a name.";
  if (name.includes("/")) return "A name has no slash.";
  const open = sets.find((set) => endsAt(set)?.length === 0);
  return open && `Choose at least one ${open.scope?.type === "ReleaseTags" ? "tag" : "group"} for ${open.name}, or let it apply everywhere.`;
}

/** Groups of the devices that a role reaches; null: all devices; empty: none. */
export function groupsOf(sets: readonly Scoped[], known: readonly PermissionSet[]): readonly string[] | null {
  return namesOf(sets, known, "DeviceGroups");
}

/** Tags of the releases that a role reaches; null: all releases; empty: none. */
export function tagsOf(sets: readonly Scoped[], known: readonly PermissionSet[]): readonly string[] | null {
  return namesOf(sets, known, "ReleaseTags");
}

function namesOf(sets: readonly Scoped[], known: readonly PermissionSet[], kind: ScopeType): readonly string[] | null {
  const found = new Set<string>();
  for (const set of sets) {
    if (set.name === EVERYTHING) return null;
    if (!known.find((each) => each.name === set.name)?.supported_scope_types?.includes(kind)) continue;
    if (set.scope?.type && set.scope.type !== kind) continue;
    const names = endsAt(set);
    if (names === undefined) return null;
    for (const name of names) found.add(name);
  }
  return [...found].sort();
}

/** The role with a set switched on or off, or ended elsewhere. */
export function withSet(sets: readonly Scoped[], changed: Scoped, on: boolean): Scoped[] {
  const at = sets.findIndex((set) => set.name === changed.name);
  if (!on) return sets.filter((set) => set.name !== changed.name);
  return at < 0 ? [...sets, changed] : sets.map((set, index) => (index === at ? changed : set));
}
