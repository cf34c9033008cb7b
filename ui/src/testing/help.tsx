/** Helps of unit tests: show something, look at it. */
import type { ComponentChild } from "preact";
import { render } from "preact";

/** Render into the page; gives the element. */
export function show(what: ComponentChild): HTMLElement {
  const place = document.createElement("div");
  document.body.replaceChildren(place);
  render(what, place);
  return place;
}

/** Let effects and promises have their turn. */
export const settle = (): Promise<void> => new Promise((done) => setTimeout(done, 20));

/** Until it holds; an error if it does not within two seconds. */
export async function until(holds: () => boolean): Promise<void> {
  const end = Date.now() + 2000;
  while (!holds()) {
    if (Date.now() > end) throw new Error(`did not come true: ${holds}`);
    await settle();
  }
}
