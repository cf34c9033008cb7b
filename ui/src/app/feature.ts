/** What a feature brings to the console: screens, entries of the navigation, commands and things to find. */
import type { ComponentType } from "preact";
import type { Permission } from "../api/types";
import type { IconName } from "../parts/icons";

export interface Screen {
  /** Pattern of the path: `/devices/:id`, or `/settings/*` for all below. The first that fits is taken. */
  path: string;
  /** Title of the tab and of the screen's `<h1>`, until the screen says more by `useTitle`. */
  title: string;
  load: () => Promise<{ default: ComponentType }>;
  /** The right that it takes to see it. Without: everybody who is signed in. */
  needs?: Permission;
  /** The feature of the plan (`chalicelib/features.py`) that it takes. */
  feature?: string;
  /** Shown without a session and without the frame: sign-in, links in mails. */
  open?: boolean;
}

export interface NavEntry {
  path: string;
  label: string;
  icon: IconName;
  needs?: Permission;
  feature?: string;
  /** Order in the sidebar; the first four are in the bar at the bottom of a phone. */
  order: number;
  /** Keys that lead there: "g d". */
  keys?: string;
  /** At the foot of the sidebar. */
  foot?: boolean;
}

export interface Command {
  title: string;
  hint?: string;
  icon?: IconName;
  /** Further words by which it is found. */
  words?: string;
  needs?: Permission;
  run: () => void;
}

export interface Feature {
  screens: Screen[];
  nav?: NavEntry;
  commands?: Command[];
  /** Things that the command palette finds by what is typed: devices, releases. At most a handful. */
  find?: (text: string, signal: AbortSignal) => Promise<Command[]>;
}
