/** All features of the console. A feature lists its screens in its own folder (`src/<feature>/feature.ts`). */
import { computed } from "@preact/signals";
import { auditlogs } from "../auditlogs/feature";
import { deployments } from "../deployments/feature";
import { device } from "../device/feature";
import { devices } from "../devices/feature";
import { gallery } from "../gallery/feature";
import { overview } from "../overview/feature";
import { palette } from "../palette/feature";
import { reference } from "../reference/feature";
import { releases } from "../releases/feature";
import { settings } from "../settings/feature";
import { signin } from "../signin/feature";
import { start } from "../start/feature";
import type { Command, Feature, NavEntry, Screen } from "./feature";
import { match } from "./router";
import { can, has } from "./session";

export const features: readonly Feature[] = [
  overview,
  devices,
  device,
  releases,
  deployments,
  auditlogs,
  settings,
  start,
  signin,
  reference,
  palette,
  gallery,
];

const screens: readonly Screen[] = features.flatMap((feature) => feature.screens);

type Needs = Pick<Screen, "needs" | "feature">;
export const allowed = ({ needs, feature }: Needs): boolean => (!needs || can(needs)) && (!feature || has(feature));

/** The entries of the navigation that this user may go to. */
export const nav = computed<NavEntry[]>(() =>
  features
    .flatMap((feature) => feature.nav ?? [])
    .filter(allowed)
    .sort((a, b) => a.order - b.order),
);

export const commands = (): Command[] =>
  features.flatMap((feature) => feature.commands ?? []).filter((command) => !command.needs || can(command.needs));

/** The screen at a path, with the named parts of the path. */
export function screenAt(path: string): { screen: Screen; params: Record<string, string> } | undefined {
  for (const screen of screens) {
    const params = match(screen.path, path);
    if (params) return { screen, params };
  }
  return undefined;
}
