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

/** An element whose `style` attribute xterm may set: it is written through `style`, which the policy allows. */
function withStyle(element: HTMLElement): HTMLElement {
  element.setAttribute = setAttribute;
  return element;
}

function setAttribute(this: HTMLElement, name: string, value: string): void {
  if (name === "style") this.style.cssText = value;
  else HTMLElement.prototype.setAttribute.call(this, name, value);
}

let shown = 0;

/** While a terminal is shown, the page makes elements whose styles are allowed: xterm knows no other way to be told. */
function allow(): () => void {
  if (shown++ === 0) {
    document.createElement = ((tag: string) =>
      tag === "style" ? allowedStyle() : withStyle(Document.prototype.createElement.call(document, tag))) as Document["createElement"];
  }
  let over = false;
  return () => {
    if (over) return;
    over = true;
    if (--shown === 0) delete (document as Partial<Document>).createElement;
  };
}

export interface Screen {
  terminal: Terminal;
  /** As large as its place. */
  fit: () => void;
  dispose: () => void;
}

/** Show a terminal in an element; its colours and font are those of the element. */
export function show(place: HTMLElement, { readOnly = false }: { readOnly?: boolean } = {}): Screen {
  const forbid = allow();
  const style = getComputedStyle(place);
  const terminal = new Terminal({
    cursorBlink: !readOnly && !matchMedia("(prefers-reduced-motion: reduce)").matches,
    disableStdin: readOnly,
    fontFamily: style.fontFamily,
    fontSize: Number.parseFloat(style.fontSize),
    minimumContrastRatio: 4.5,
    scrollback: 5000,
    theme: { background: style.backgroundColor, foreground: style.color, cursor: style.color },
  });
  const fit = new FitAddon();
  terminal.loadAddon(fit);
  terminal.open(place);
  return {
    terminal,
    fit: () => fit.fit(),
    dispose: () => {
      terminal.dispose();
      forbid();
    },
  };
}
