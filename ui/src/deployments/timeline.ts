/** Where phases are on a timeline, and where they may be moved to. Times are in milliseconds. */
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

export interface Span {
  from: number;
  to: number;
  /** Times are rounded to this when they are moved. */
  step: number;
}

/** What a timeline shows: all starts, with room after the last one. */
export function spanOf(starts: readonly number[], now: number): Span {
  const from = Math.min(now, ...starts);
  const last = Math.max(now, ...starts);
  const length = Math.max(2 * HOUR, (last - from) * 1.25);
  const step = length <= 12 * HOUR ? 5 * MINUTE : length <= 4 * DAY ? 15 * MINUTE : HOUR;
  return { from, to: from + length, step };
}

export const shareOf = (span: Span, at: number): number => Math.max(0, Math.min(1, (at - span.from) / (span.to - span.from)));

/** A phase's start, moved: rounded, and still between its neighbours. */
export function moved(starts: readonly number[], index: number, to: number, span: Span, now: number): number {
  const before = starts[index - 1];
  const after = starts[index + 1];
  const rounded = Math.round(to / span.step) * span.step;
  const least = before === undefined ? now : before + MINUTE;
  const most = after === undefined ? Number.POSITIVE_INFINITY : after - MINUTE;
  return Math.max(least, Math.min(most, rounded));
}

/** A few moments to write below a timeline, round in the reader's zone. */
export function ticksOf(span: Span, count = 5): number[] {
  const sizes = [15 * MINUTE, 30 * MINUTE, HOUR, 2 * HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR, DAY, 2 * DAY, 7 * DAY, 14 * DAY, 30 * DAY, 90 * DAY, 365 * DAY, 730 * DAY];
  // Above a day only dates are written, which then have to differ.
  const least = span.to - span.from > DAY ? DAY : 0;
  const size = sizes.find((each) => each >= least && (span.to - span.from) / each <= count) ?? 3650 * DAY;
  const shift = new Date(span.from).getTimezoneOffset() * MINUTE;
  const ticks: number[] = [];
  for (let at = Math.ceil((span.from - shift) / size) * size + shift; at < span.to - (span.to - span.from) / 20; at += size) ticks.push(at);
  return ticks;
}

/** Starts of phases that follow each other by `hours`; the first is "at once" unless it has a time already. */
export function evenly(count: number, hours: number, first: string, now: number): string[] {
  const begin = first ? Date.parse(first) : Math.ceil(now / (15 * MINUTE)) * 15 * MINUTE;
  return Array.from({ length: count }, (_, index) => (index === 0 ? first : new Date(begin + index * hours * HOUR).toISOString()));
}
