/** A page for unit tests. Comes before every other module. */
import { Window } from "happy-dom";

const window = new Window({ url: "https://lamplighter.example/api/ui/" });
const names = [
  "document", "location", "history", "localStorage", "HTMLElement", "HTMLDialogElement", "HTMLInputElement", "Element", "Node", "Event", "KeyboardEvent", "MouseEvent",
  "InputEvent", "FormData", "ResizeObserver", "requestAnimationFrame", "cancelAnimationFrame", "getComputedStyle", "getSelection", "matchMedia", "innerHeight", "innerWidth",
  "addEventListener", "removeEventListener", "dispatchEvent", "scrollTo", "confirm", "HTMLAnchorElement", "SVGElement", "Text", "CSSStyleDeclaration",
];
for (const name of names) {
  const value = (window as unknown as Record<string, unknown>)[name];
  const bound = typeof value === "function" && !/^[A-Z]/.test(name) ? (value as (...all: unknown[]) => unknown).bind(window) : value;
  Object.defineProperty(globalThis, name, { value: bound, configurable: true, writable: true });
}
Object.defineProperty(globalThis, "window", { value: globalThis, configurable: true });
