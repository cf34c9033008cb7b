/** Numbers, sizes and times as people read them, in the language and zone of their browser. */
import { signal } from "@preact/signals";

const numbers = new Intl.NumberFormat();
const shortNumbers = new Intl.NumberFormat(undefined, { notation: "compact", maximumFractionDigits: 1 });
const percents = new Intl.NumberFormat(undefined, { style: "percent", maximumFractionDigits: 1 });
const moments = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
const exactMoments = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
const days = new Intl.DateTimeFormat(undefined, { dateStyle: "medium" });
const clocks = new Intl.DateTimeFormat(undefined, { timeStyle: "short" });
const relatives = new Intl.RelativeTimeFormat(undefined, { numeric: "auto" });

export const zone = new Intl.DateTimeFormat().resolvedOptions().timeZone;

/**
 * The time by which relative times are told; moves on twice a minute while the page is seen, and with new data, whose
 * times would otherwise be in the future.
 */
export const now = signal(Date.now());
export const moveOn = (): void => {
  if (!globalThis.document?.hidden) now.value = Date.now();
};
globalThis.document?.addEventListener("visibilitychange", moveOn);
if (globalThis.document) setInterval(moveOn, 30_000);

export type Moment = string | number | Date;

export function toDate(value: Moment): Date {
  return value instanceof Date ? value : new Date(value);
}

/**
 * Sort by a time, the newest first. Times are not compared as texts: the server leaves out zeros at their end, and
 * `00.4Z` follows `00.435Z` as a text.
 */
export function newestFirst<T>(rows: readonly T[], timeOf: (row: T) => Moment): T[] {
  return [...rows].sort((a, b) => toDate(timeOf(b)).getTime() - toDate(timeOf(a)).getTime());
}

export const format = {
  number: (value: number): string => numbers.format(value),
  /** 12,345 as 12.3K, for small places. */
  short: (value: number): string => shortNumbers.format(value),
  /** A share between 0 and 1. Never 100 % before all of it is there, never 0 % when something is. */
  percent: (share: number): string => {
    const bounded = share > 0.999 && share < 1 ? 0.999 : share > 0 && share < 0.001 ? 0.001 : share;
    return percents.format(bounded);
  },
  bytes: (value: number): string => {
    const units = ["B", "kB", "MB", "GB", "TB"];
    let size = value;
    let unit = 0;
    while (Math.abs(size) >= 1000 && unit < units.length - 1) {
      size /= 1000;
      unit += 1;
    }
    const digits = unit === 0 || Math.abs(size) >= 100 ? 0 : 1;
    return `${new Intl.NumberFormat(undefined, { maximumFractionDigits: digits }).format(size)} ${units[unit]}`;
  },
  moment: (value: Moment): string => moments.format(toDate(value)),
  exact: (value: Moment): string => exactMoments.format(toDate(value)),
  day: (value: Moment): string => days.format(toDate(value)),
  clock: (value: Moment): string => clocks.format(toDate(value)),
  utc: (value: Moment): string => `${toDate(value).toISOString().replace("T", " ").replace(/\.\d+Z$/, "")} UTC`,
  relative: (value: Moment, since: number = now.value): string => {
    const seconds = (toDate(value).getTime() - since) / 1000;
    const size = Math.abs(seconds);
    if (size < 45) return seconds > 5 ? "in a few seconds" : "just now";
    if (size < 45 * 60) return relatives.format(Math.round(seconds / 60), "minute");
    if (size < 22 * 3600) return relatives.format(Math.round(seconds / 3600), "hour");
    if (size < 26 * 86_400) return relatives.format(Math.round(seconds / 86_400), "day");
    if (size < 320 * 86_400) return relatives.format(Math.round(seconds / (30.4 * 86_400)), "month");
    return relatives.format(Math.round(seconds / (365.25 * 86_400)), "year");
  },
  /** 4210 seconds as "1 h 10 min". */
  duration: (seconds: number): string => {
    const total = Math.max(0, Math.round(seconds));
    const parts: [number, string][] = [
      [Math.floor(total / 86_400), "d"],
      [Math.floor((total % 86_400) / 3600), "h"],
      [Math.floor((total % 3600) / 60), "min"],
      [total % 60, "s"],
    ];
    const from = parts.findIndex(([count]) => count > 0);
    if (from < 0) return "0 s";
    return parts
      .slice(from, from + 2)
      .filter(([count]) => count > 0)
      .map(([count, unit]) => `${count} ${unit}`)
      .join(" ");
  },
  /** `count(3, "device")`: "3 devices". */
  count: (value: number, one: string, many = `${one}s`): string => `${numbers.format(value)} ${value === 1 ? one : many}`,
};

/** With a capital at its start: texts of the server that stand alone. */
export const titled = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);
