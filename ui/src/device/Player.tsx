/** Plays a recorded session: pause, speed, any moment of it. */
import { useEffect, useRef, useState } from "preact/hooks";
import { api } from "../api/client";
import { format } from "../app/format";
import { textOf } from "../app/toasts";
import { Banner, Button, Card, IconButton, Segments, Skeleton } from "../parts";
import type { Part } from "./recording";
import type { Screen } from "./screen";
import { paths } from "./types";

const SPEEDS = [1, 2, 4, 8].map((speed) => ({ value: String(speed), label: `${speed}×` }));
const TICK = 50;

export function Player({ session, onClose }: { session: string; onClose: () => void }) {
  const [parts, setParts] = useState<readonly Part[] | undefined>();
  const [error, setError] = useState("");
  const [playing, setPlaying] = useState(true);
  const [speed, setSpeed] = useState("1");
  const [at, setAt] = useState(0);
  const place = useRef<HTMLDivElement>(null);
  const screen = useRef<Screen | undefined>(undefined);
  const next = useRef(0);
  const length = parts?.at(-1)?.at ?? 0;

  useEffect(() => {
    let gone = false;
    const load = async (): Promise<void> => {
      const { uri } = await api.get(paths.recording(session));
      const [{ show }, { unpack }, answer] = await Promise.all([import("./screen"), import("./recording"), fetch(uri)]);
      if (!answer.ok) throw new Error("The recording could not be fetched. Open it again for a new link.");
      const found = await unpack(answer);
      if (gone || !place.current) return;
      place.current.hidden = false;
      screen.current = show(place.current, { readOnly: true });
      setParts(found);
    };
    load().catch((failed: unknown) => !gone && setError(textOf(failed)));
    return () => {
      gone = true;
      screen.current?.dispose();
    };
  }, [session]);

  /** Show everything up to a moment. */
  const show = (moment: number): void => {
    const terminal = screen.current?.terminal;
    if (!parts || !terminal) return;
    if (moment < at) {
      terminal.reset();
      next.current = 0;
    }
    for (let part = parts[next.current]; part && part.at <= moment; part = parts[++next.current]) {
      if (part.width && part.height) terminal.resize(part.width, part.height);
      else terminal.write(part.output);
    }
    setAt(moment);
    if (moment >= length) setPlaying(false);
  };
  useEffect(() => {
    if (!playing || !parts) return;
    const timer = setTimeout(() => show(Math.min(length, at + TICK * Number(speed))), TICK);
    return () => clearTimeout(timer);
  }, [playing, parts, at, speed]);
  const toggle = (): void => {
    if (!playing && at >= length) show(0);
    setPlaying(!playing);
  };
  return (
    <Card title="Playback" actions={<IconButton icon="close" label="Close playback" onClick={onClose} />}>
      <div class="stack gap-3">
        {error && <Banner is="danger">{error}</Banner>}
        {!parts && !error && <Skeleton block />}
        <div class="device-terminal device-terminal--played" ref={place} role="group" aria-label="Recorded terminal" hidden={!parts} />
        {parts && (
          <div class="row gap-3">
            <Button icon={playing ? "pause" : "play"} onClick={toggle}>
              {playing ? "Pause" : "Play"}
            </Button>
            <input class="device-position" type="range" aria-label="Position" min={0} max={length} step={TICK} value={at} onInput={(event) => show(Number(event.currentTarget.value))} />
            <span class="numbers muted small">
              {format.duration(at / 1000)} of {format.duration(length / 1000)}
            </span>
            <Segments label="Speed" value={speed} options={SPEEDS} onChange={setSpeed} />
          </div>
        )}
      </div>
    </Card>
  );
}
