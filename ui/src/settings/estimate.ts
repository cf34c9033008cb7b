/** The estimate of a month's bill: what can be changed, and money as people read it. The model is the server's. */
import type { Shape } from "../api/calls";
import { format } from "../app/format";

export const COST = "/management/v1/console/cost";

export type Estimate = Shape<"Estimate">;
export type Bill = Shape<"Bill">;

export type Lever = "poll" | "report" | "updates" | "artifact";

const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const INTERVALS = [MINUTE, 5 * MINUTE, 10 * MINUTE, 30 * MINUTE, HOUR, 2 * HOUR, 4 * HOUR, 8 * HOUR, 12 * HOUR, DAY, 7 * DAY];

/** The sliders; `usual` is also what the server takes where nothing is said. */
export const LEVERS: readonly { id: Lever; label: string; hint?: string; steps: readonly number[]; usual: number; show: (value: number) => string }[] = [
  { id: "poll", label: "Devices poll for updates every", hint: "UpdatePollIntervalSeconds of the client.", steps: INTERVALS, usual: 30 * MINUTE, show: format.duration },
  { id: "report", label: "They report their inventory every", hint: "InventoryPollIntervalSeconds. One report a day is assumed to differ from the last.", steps: INTERVALS, usual: DAY, show: format.duration },
  { id: "updates", label: "Updates of each device in a month", steps: [0, 0.25, 0.5, 1, 2, 4, 8, 15, 30], usual: 1, show: format.number },
  { id: "artifact", label: "An update brings", steps: [0, 1, 5, 10, 20, 50, 100, 200, 500, 1000, 2000], usual: 0, show: (mb) => format.bytes(mb * 1e6) },
];

/** Percent of the devices that keep a connection for remote access. */
export const CONNECTED = [0, 1, 2, 5, 10, 20, 30, 50, 75, 100];

const DOLLARS = { style: "currency", currency: "USD", currencyDisplay: "narrowSymbol" } as const;
const cents = new Intl.NumberFormat(undefined, DOLLARS);
const whole = new Intl.NumberFormat(undefined, { ...DOLLARS, maximumFractionDigits: 0 });
const small = new Intl.NumberFormat(undefined, { ...DOLLARS, maximumSignificantDigits: 2 });

/** Dollars: with cents below a hundred; what a single device costs with two digits. */
export const money = (dollars: number): string => (dollars >= 100 ? whole : dollars > 0 && dollars < 0.1 ? small : cents).format(dollars);

/** The number of devices as it was typed; undefined if it is none. */
export function devicesOf(text: string): number | undefined {
  const number = Number(text);
  return /^\d{1,9}$/.test(text) && number >= 1 && number <= 100_000_000 ? number : undefined;
}
