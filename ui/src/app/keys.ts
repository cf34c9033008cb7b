/** Keyboard shortcuts: single keys, with "mod" for Ctrl or Cmd, and sequences such as "g d". */
import { useEffect } from "preact/hooks";

const bound = new Map<string, { run: () => void; text: string }>();
let pending = "";
let forget: ReturnType<typeof setTimeout> | undefined;

export function bind(keys: string, text: string, run: () => void): () => void {
  const entry = { run, text };
  bound.set(keys, entry);
  return () => {
    if (bound.get(keys) === entry) bound.delete(keys);
  };
}

/** All shortcuts that work now, for the help. */
export function shortcuts(): { keys: string; text: string }[] {
  return [...bound].map(([keys, { text }]) => ({ keys, text }));
}

export function useShortcut(keys: string, text: string, run: () => void): void {
  useEffect(() => bind(keys, text, run));
}

function typing(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName) || target.closest(".xterm") !== null);
}

globalThis.document?.addEventListener("keydown", (event) => {
  const mod = event.ctrlKey || event.metaKey;
  const name = (mod ? "mod+" : "") + event.key.toLowerCase();
  if (!mod && (typing(event.target) || event.altKey || document.querySelector("dialog[open]"))) return;
  if (mod && event.target instanceof HTMLElement && event.target.closest(".xterm")) return;
  const found = bound.get(pending ? `${pending} ${name}` : name) ?? bound.get(name);
  clearTimeout(forget);
  pending = "";
  if (found) {
    event.preventDefault();
    found.run();
  } else if ([...bound.keys()].some((keys) => keys.startsWith(`${name} `))) {
    pending = name;
    forget = setTimeout(() => (pending = ""), 1200);
  }
});
