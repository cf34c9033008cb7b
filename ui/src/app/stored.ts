/** What the console remembers in this browser: choices only, nothing secret and nothing of a tenant's data. */
import { signal, type Signal } from "@preact/signals";

const PREFIX = "lamplighter:";

export function recall<T>(name: string, fallback: T): T {
  try {
    const text = localStorage.getItem(PREFIX + name);
    return text === null ? fallback : (JSON.parse(text) as T);
  } catch {
    return fallback;
  }
}

export function remember(name: string, value: unknown): void {
  try {
    localStorage.setItem(PREFIX + name, JSON.stringify(value));
  } catch {
    // Storage may be full or switched off: the choice then lasts as long as the page.
  }
}

const known = new Map<string, Signal<unknown>>();

/** A choice that is kept: one signal by name, written back when it changes. */
export function stored<T>(name: string, fallback: T): Signal<T> {
  let found = known.get(name) as Signal<T> | undefined;
  if (!found) {
    const made = signal<T>(recall(name, fallback));
    let first = true;
    made.subscribe((value) => {
      if (!first) remember(name, value);
      first = false;
    });
    known.set(name, made as Signal<unknown>);
    found = made;
  }
  return found;
}

export type Theme = "system" | "light" | "dark";
export const theme = stored<Theme>("theme", "system");

export function applyTheme(): void {
  theme.subscribe((value) => {
    if (value === "system") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = value;
  });
}
