/** The command palette: go anywhere, find a device, release or deployment, do something. Ctrl-K, Cmd-K or "/". */
import { signal } from "@preact/signals";
import { useEffect, useRef, useState } from "preact/hooks";
import { classes, Kbd, useUid } from "../parts/basic";
import { Icon } from "../parts/icons";
import type { Command } from "./feature";
import { shortcuts } from "./keys";
import { navigate } from "./router";
import { commands, features, nav } from "./screens";
import { theme } from "./stored";

export const paletteOpen = signal<false | "search" | "keys">(false);

function fixed(): Command[] {
  return [
    ...nav.value.map((entry): Command => ({ title: `Go to ${entry.label.toLowerCase()}`, icon: entry.icon, ...(entry.keys ? { hint: entry.keys } : {}), run: () => navigate(entry.path) })),
    ...commands(),
    { title: "Appearance: light", icon: "light", words: "theme", run: () => void (theme.value = "light") },
    { title: "Appearance: dark", icon: "dark", words: "theme", run: () => void (theme.value = "dark") },
    { title: "Keyboard shortcuts", icon: "help", words: "help keys", run: () => void setTimeout(() => (paletteOpen.value = "keys")) },
  ];
}

/** All words of what is typed are somewhere in it. */
function fits(command: Command, text: string): boolean {
  const all = `${command.title} ${command.words ?? ""}`.toLowerCase();
  return text.toLowerCase().split(/\s+/).every((word) => all.includes(word));
}

export function Palette() {
  const dialog = useRef<HTMLDialogElement>(null);
  const id = useUid("palette");
  const [text, setText] = useState("");
  const [found, setFound] = useState<Command[]>([]);
  const [busy, setBusy] = useState(false);
  const [active, setActive] = useState(0);
  const keys = paletteOpen.value === "keys";

  useEffect(() => {
    const before = document.activeElement;
    dialog.current?.showModal();
    return () => {
      if (before instanceof HTMLElement && before.isConnected) before.focus();
    };
  }, []);

  useEffect(() => {
    setFound([]);
    const wanted = text.trim();
    if (wanted.length < 2) return;
    const abort = new AbortController();
    const wait = setTimeout(() => {
      setBusy(true);
      const searches = features.flatMap((feature) => (feature.find ? [feature.find(wanted, abort.signal).catch((): Command[] => [])] : []));
      void Promise.all(searches).then((all) => {
        if (abort.signal.aborted) return;
        setFound(all.flat());
        setBusy(false);
      });
    }, 150);
    return () => {
      clearTimeout(wait);
      abort.abort();
    };
  }, [text]);

  const close = (): void => void (paletteOpen.value = false);
  const shown = [...found, ...fixed().filter((command) => fits(command, text.trim()))].slice(0, 12);
  const run = (command: Command | undefined): void => {
    if (!command) return;
    close();
    command.run();
  };
  return (
    <dialog
      ref={dialog}
      class="dialog palette"
      aria-label={keys ? "Keyboard shortcuts" : "Search and commands"}
      onCancel={(event) => {
        event.preventDefault();
        close();
      }}
      onClick={(event) => event.target === dialog.current && close()}
    >
      {keys ? (
        <div class="palette__keys">
          <h2>Keyboard shortcuts</h2>
          <dl>
            {shortcuts().map(({ keys: combination, text: what }) => (
              <div key={combination}>
                <dt>{what}</dt>
                <dd>
                  {combination.split(" ").map((key) => (
                    <Kbd key={key}>{key.replace("mod+", "Ctrl ").replace(/\b[a-z]$/, (letter) => letter.toUpperCase())}</Kbd>
                  ))}
                </dd>
              </div>
            ))}
            <div>
              <dt>In tables: move, select, open</dt>
              <dd>
                <Kbd>↑</Kbd>
                <Kbd>↓</Kbd>
                <Kbd>Space</Kbd>
                <Kbd>Enter</Kbd>
              </dd>
            </div>
          </dl>
        </div>
      ) : (
        <>
          <div class="palette__input">
            <Icon name={busy ? "loading" : "search"} size={18} class={busy ? "spin" : ""} />
            <input
              type="text"
              role="combobox"
              aria-label="Search and commands"
              aria-expanded
              aria-controls={id}
              aria-activedescendant={shown[active] ? `${id}-${active}` : undefined}
              placeholder="Find a device, a release, a deployment, or something to do"
              autocomplete="off"
              spellcheck={false}
              dir="auto"
              autofocus
              value={text}
              onInput={(event) => {
                setText(event.currentTarget.value);
                setActive(0);
              }}
              onKeyDown={(event) => {
                const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
                if (step) {
                  event.preventDefault();
                  setActive((active + step + shown.length) % Math.max(1, shown.length));
                } else if (event.key === "Enter") {
                  event.preventDefault();
                  run(shown[active]);
                }
              }}
            />
            <Kbd>Esc</Kbd>
          </div>
          <div class="palette__list" role="listbox" id={id} aria-label="Results">
            {shown.map((command, index) => (
              <div
                key={`${command.title}${index}`}
                id={`${id}-${index}`}
                role="option"
                aria-selected={index === active}
                class={classes("options__one", index === active && "options__one--active")}
                onClick={() => run(command)}
                onMouseMove={() => setActive(index)}
              >
                <Icon name={command.icon ?? "forward"} />
                <span class="name" dir="auto">
                  {command.title}
                </span>
                {command.hint && <span class="muted small">{command.hint}</span>}
              </div>
            ))}
            {shown.length === 0 && (
              <div class="options__none" role="option" aria-selected={false} aria-disabled>
                {busy ? "Searching…" : "Nothing fits"}
              </div>
            )}
          </div>
        </>
      )}
    </dialog>
  );
}
