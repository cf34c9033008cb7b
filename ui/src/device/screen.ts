/** The terminal's screen: xterm.js under a policy without inline styles. Loaded when a terminal is shown. */
import { FitAddon } from "@xterm/addon-fit";
import { Terminal } from "@xterm/xterm";

/**
 * A `style` element that the page's policy allows: what is written into it goes into a constructed style sheet. The
 * element itself is an empty `span`, so that xterm may append and remove it.
 */
function allowedStyle(): HTMLElement {
  const element = document.createElement("span");
  const sheet = new CSSStyleSheet();
  element.hidden = true;
  document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];
  let text = "";
  Object.defineProperty(element, "textContent", {
    get: () => text,
    set: (next: string) => {
      text = next;
      sheet.replaceSync(next);
    },
  });
  element.remove = () => {
    document.adoptedStyleSheets = document.adoptedStyleSheets.filter((each) => each !== sheet);
    HTMLElement.prototype.remove.call(element);
  };
  return element;
}

/** The page's document, but for its `style` elements. */
function documentForXterm(): Document {
  return new Proxy(document, {
    get(target, name) {
      if (name === "createElement") return (tag: string) => (tag === "style" ? allowedStyle() : target.createElement(tag));
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === "function" ? (value.bind(target) as unknown) : value;
    },
  });
}

export interface Screen {
  terminal: Terminal;
  /** As large as its place. */
  fit: () => void;
  dispose: () => void;
}

/** Show a terminal in an element; its colours and font are those of the element. */
export function show(place: HTMLElement, { readOnly = false }: { readOnly?: boolean } = {}): Screen {
  const style = getComputedStyle(place);
  const terminal = new Terminal({
    cursorBlink: !readOnly && !matchMedia("(prefers-reduced-motion: reduce)").matches,
    disableStdin: readOnly,
    documentOverride: documentForXterm(),
    fontFamily: style.fontFamily,
    fontSize: Number.parseFloat(style.fontSize),
    minimumContrastRatio: 4.5,
    scrollback: 5000,
    theme: { background: style.backgroundColor, foreground: style.color, cursor: style.color },
  });
  const fit = new FitAddon();
  terminal.loadAddon(fit);
  terminal.open(place);
  return { terminal, fit: () => fit.fit(), dispose: () => terminal.dispose() };
}
