/** Phases over time: each one's start can be dragged, or moved with the arrow keys. */
import { useRef, useState } from "preact/hooks";
import { format } from "../app/format";
import { moved, shareOf, type Span, spanOf, ticksOf } from "./timeline";

interface Props {
  /** Milliseconds; the first is now if it begins at once. */
  starts: readonly number[];
  /** Share of all devices that each phase takes, between 0 and 1. */
  shares: readonly number[];
  now: number;
  onMove: (index: number, at: number) => void;
}

export function PhaseTimeline({ starts, shares, now, onMove }: Props) {
  const track = useRef<HTMLDivElement>(null);
  const [drag, setDrag] = useState<{ index: number; at: number; span: Span } | undefined>(undefined);
  // While one is dragged the scale stays as it is, or it would run away from the pointer.
  const span = drag?.span ?? spanOf(starts, now);
  const shown = starts.map((start, index) => (drag?.index === index ? drag.at : start));
  const percent = (share: number): string => `${(share * 100).toFixed(2)}%`;
  const pointed = (event: PointerEvent): number => {
    const box = track.current?.getBoundingClientRect();
    return box ? span.from + ((event.clientX - box.left) / box.width) * (span.to - span.from) : 0;
  };
  let done = 0;
  return (
    <div class="deployments-timeline" role="group" aria-label="Phases over time">
      <div class="deployments-timeline__track" ref={track}>
        {shown.map((start, index) => {
          done += shares[index] ?? 0;
          const from = shareOf(span, start);
          const to = index === shown.length - 1 ? 1 : shareOf(span, shown[index + 1] ?? span.to);
          return (
            <div
              key={index}
              class="deployments-timeline__phase"
              aria-hidden="true"
              style={{ insetInlineStart: percent(from), width: percent(Math.max(0, to - from)), height: percent(Math.min(1, Math.max(0.06, done))) }}
            />
          );
        })}
        {shown.map((start, index) => (
          <button
            key={index}
            type="button"
            class="deployments-timeline__handle"
            role="slider"
            aria-label={`Start of phase ${index + 1}`}
            aria-orientation="horizontal"
            aria-valuemin={Math.round(span.from / 60_000)}
            aria-valuemax={Math.round(Math.max(span.to, start) / 60_000)}
            aria-valuenow={Math.round(start / 60_000)}
            aria-valuetext={format.moment(start)}
            title={`Phase ${index + 1}: ${format.moment(start)}`}
            style={{ insetInlineStart: percent(shareOf(span, start)) }}
            onPointerDown={(event) => {
              event.currentTarget.setPointerCapture(event.pointerId);
              setDrag({ index, at: start, span });
            }}
            onPointerMove={(event) => drag?.index === index && setDrag({ ...drag, at: moved(starts, index, pointed(event), span, now) })}
            onPointerUp={() => {
              if (drag && drag.at !== starts[index]) onMove(index, drag.at);
              setDrag(undefined);
            }}
            onPointerCancel={() => setDrag(undefined)}
            onKeyDown={(event) => {
              const by = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1, PageUp: 12, PageDown: -12 }[event.key];
              if (!by) return;
              event.preventDefault();
              onMove(index, moved(starts, index, start + by * span.step, span, now));
            }}
          >
            {index + 1}
          </button>
        ))}
      </div>
      <div class="deployments-timeline__axis muted small" aria-hidden="true">
        {ticksOf(span).map((at) => (
          <span key={at} style={{ insetInlineStart: percent(shareOf(span, at)) }}>
            {span.to - span.from <= 86_400_000 ? format.clock(at) : format.day(at)}
          </span>
        ))}
      </div>
      {drag && (
        <p class="deployments-timeline__says small" role="status">
          Phase {drag.index + 1} starts {format.moment(drag.at)}
        </p>
      )}
    </div>
  );
}
