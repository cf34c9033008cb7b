/** The title of the tab, and what readers of screens are told when the screen changes. */
import { effect, signal } from "@preact/signals";
import { useEffect } from "preact/hooks";

export const title = signal("");
/** Said by the live region. */
export const said = signal("");

effect(() => {
  if (globalThis.document) document.title = title.value ? `${title.value} · Lamplighter` : "Lamplighter";
});

/** The title of the current screen. `Page` does this. */
export function useTitle(text: string): void {
  useEffect(() => {
    title.value = text;
  }, [text]);
}

/** Tell readers of screens something that has just changed. */
export function say(text: string): void {
  said.value = "";
  setTimeout(() => (said.value = text), 50);
}
