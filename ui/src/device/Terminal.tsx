/** A shell on the device, in the page. */
import { useEffect, useRef, useState } from "preact/hooks";
import { useApi } from "../app/resource";
import { textOf } from "../app/toasts";
import { Banner, Button, Card, EmptyState, Kbd, Link, Loaded, Status } from "../parts";
import type { TabProps } from "./DevicePage";
import { ConnectionState } from "./Overview";
import type { Session } from "./session";
import { type Connection, paths } from "./types";

type State = "idle" | "connecting" | "open" | "ended";

export function Terminal({ device }: TabProps) {
  const connection = useApi(paths.connection(device.id), { every: 5000 });
  return <Loaded from={connection}>{(found) => <Shell id={device.id} connection={found} />}</Loaded>;
}

function Shell({ id, connection }: { id: string; connection: Connection }) {
  const [state, setState] = useState<State>("idle");
  const [why, setWhy] = useState("");
  const place = useRef<HTMLDivElement>(null);
  const head = useRef<HTMLDivElement>(null);
  const end = useRef<() => void>(() => undefined);
  useEffect(() => () => end.current(), []);

  const connect = async (): Promise<void> => {
    end.current();
    setWhy("");
    setState("connecting");
    try {
      if (place.current) end.current = await shell(id, place.current, { onOpen: () => setState("open"), onEnd: (reason) => (setWhy(reason), setState("ended")), onLeave: () => head.current?.querySelector("button")?.focus() });
    } catch (error) {
      setWhy(textOf(error));
      setState("ended");
    }
  };
  const there = connection.status === "connected";
  return (
    <Card
      title="Terminal"
      lead="Who opened a terminal is in the audit log."
      actions={
        <div ref={head} class="row gap-3">
          {state === "open" ? <Status is="running">Terminal is open</Status> : <ConnectionState connection={connection} />}
          {state === "open" ? (
            <Button small icon="close" onClick={() => (end.current(), setState("ended"))}>
              Disconnect
            </Button>
          ) : (
            <Button small kind="primary" icon="terminal" disabled={!there} busy={state === "connecting"} onClick={connect}>
              {state === "ended" ? "Connect again" : "Connect"}
            </Button>
          )}
        </div>
      }
    >
      {why && <Banner is="warning">{why}</Banner>}
      {!there && state === "idle" && (
        <EmptyState small icon="offline" title="The device is not connected" action={<Link to="/start">How to set it up</Link>}>
          A terminal needs mender-connect on the device. As soon as it connects, you can open one here.
        </EmptyState>
      )}
      <div class="device-terminal" ref={place} role="group" aria-label="Terminal" hidden={state === "idle"} />
      {state === "open" && (
        <p class="muted small">
          <Kbd>Ctrl</Kbd> <Kbd>F6</Kbd> leaves the terminal for the buttons above.
        </p>
      )}
    </Card>
  );
}

interface Happenings {
  onOpen: () => void;
  onEnd: (reason: string) => void;
  onLeave: () => void;
}

/** Opens the shell in an element; gives the function that ends it. */
async function shell(device: string, place: HTMLElement, { onOpen, onEnd, onLeave }: Happenings): Promise<() => void> {
  const [{ show }, { open, complaint }, { SHELL, message }] = await Promise.all([import("./screen"), import("./session"), import("./dialect")]);
  place.hidden = false;
  place.replaceChildren();
  const screen = show(place);
  const { terminal } = screen;
  screen.fit();
  const size = () => ({ terminal_width: terminal.cols, terminal_height: terminal.rows });
  let session: Session | undefined;
  const watch = new ResizeObserver(() => screen.fit());
  let over = false;
  const finish = (): void => {
    if (over) return;
    over = true;
    watch.disconnect();
    session?.send(message(SHELL, "stop"));
    session?.close();
    terminal.options.disableStdin = true;
  };
  const ended = (reason: string): void => {
    if (over) return;
    finish();
    onEnd(reason);
  };
  try {
    session = await open(device, {
      onMessage: (one) => {
        if (one.proto !== SHELL) return;
        const failed = Number(one.props.status) === 2;
        if (one.typ === "new") failed ? ended(`The device could not start a shell: ${complaint(one)}`) : onOpen();
        else if (one.typ === "shell") terminal.write(one.body);
        else if (one.typ === "stop") ended("The shell ended.");
      },
      onEnd: ended,
    });
  } catch (error) {
    finish();
    screen.dispose();
    throw error;
  }
  const bytes = new TextEncoder();
  terminal.onData((text) => session?.send(message(SHELL, "shell", { body: bytes.encode(text) })));
  terminal.onBinary((text) => session?.send(message(SHELL, "shell", { body: Uint8Array.from(text, (char) => char.charCodeAt(0)) })));
  terminal.onResize(() => session?.send(message(SHELL, "resize", { props: size() })));
  terminal.attachCustomKeyEventHandler((event) => {
    if (!(event.ctrlKey && event.key === "F6")) return true;
    if (event.type === "keydown") onLeave();
    return false;
  });
  session.send(message(SHELL, "new", { props: size() }));
  watch.observe(place);
  terminal.focus();
  return () => {
    finish();
    screen.dispose();
  };
}
