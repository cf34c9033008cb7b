/** What protects a deployment, in words, and how far that is. Nothing here draws. */
import { format } from "../app/format";
import type { Gate, RolloutSettings, Stop, Window } from "./types";

const DURATION = /^P(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?$/;
const SECONDS = [604_800, 86_400, 3600, 60, 1];

/** The seconds of an ISO 8601 duration; 0 for none, or for one that the server would not give. */
export function secondsOf(duration: string | undefined): number {
  const [, ...found] = DURATION.exec(duration ?? "") ?? [];
  return found.reduce((sum, count, index) => sum + Number(count ?? 0) * (SECONDS[index] ?? 0), 0);
}

/** `PT1H` as "1 h". */
export const lasting = (duration: string | undefined): string => format.duration(secondsOf(duration));

export function gateInWords({ success_percent: share = 100, minimum_devices: least = 1, soak }: Gate): string {
  const who = share === 100 ? "all devices of the phase before" : `${share} % of the devices of the phase before`;
  const more = least > 1 ? ` (at least ${format.number(least)})` : "";
  return `A phase opens when ${who}${more} have succeeded${secondsOf(soak) ? `, and that has been so for ${lasting(soak)}` : ""}.`;
}

export function stopInWords({ max_failures: most, max_failures_percent: share, minimum_reports: least = 1, per, action }: Stop): string {
  const number = most === undefined || most === null ? "" : `${format.count(most, "device")} ${most === 1 ? "has" : "have"} failed`;
  const part = share === undefined || share === null ? "" : `${share} % of the devices with a result have failed${least > 1 ? `, once there are ${format.number(least)} results` : ""}`;
  const where = per === "phase" ? " Each phase is counted on its own." : "";
  return `It is ${action === "abort" ? "aborted" : "paused"} when ${[number, part].filter(Boolean).join(", or when ")}.${where}`;
}

const DAYS = { mon: "Monday", tue: "Tuesday", wed: "Wednesday", thu: "Thursday", fri: "Friday", sat: "Saturday", sun: "Sunday" } as const;
export type Day = keyof typeof DAYS;
export const WEEK = Object.keys(DAYS) as Day[];
export const dayInWords = (day: Day): string => DAYS[day];

export function windowInWords({ days = [], start_time: start, duration }: Window): string {
  const chosen = WEEK.filter((day) => days.includes(day));
  const when = chosen.length === 0 || chosen.length === WEEK.length ? "every day" : chosen.map(dayInWords).join(", ");
  return `${when} from ${start}, for ${lasting(duration)}`;
}

/** What was requested to protect a deployment: names and texts. */
export function protection(settings: RolloutSettings): [string, string][] {
  const { gate, stop, windows = [], time_zone: zone, device_time_zone: own, maximum_per_minute: rate, jitter, when_paused: paused, retry_after: told } = settings;
  const found: [string, string][] = [];
  if (gate) found.push(["Gate", gateInWords(gate)]);
  if (stop) found.push(["Stop", stopInWords(stop)]);
  if (windows.length) {
    const where = own ? `in the time zone of each device (${own}), otherwise ${zone ?? "UTC"}` : (zone ?? "UTC");
    found.push(["Windows", `Devices begin ${windows.map(windowInWords).join("; ")} (${where}).${told ? " Devices that poll at another time are told when to come back." : ""}`]);
  }
  if (rate) found.push(["Rate", `At most ${format.count(rate, "device")} ${rate === 1 ? "begins" : "begin"} in a minute.`]);
  if (secondsOf(jitter)) found.push(["Jitter", `Each device begins up to ${lasting(jitter)} later, by a delay of its own.`]);
  if (stop || paused === "skip") found.push(["When paused", paused === "skip" ? "While it is paused, devices get newer deployments." : "While it is paused, devices wait for it."]);
  return found;
}

const MOMENT = /(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z)/;

/** A text of the server as a sentence, cut at its times: every second part is one. */
export function cutAtTimes(text: string): string[] {
  const sentence = text.charAt(0).toUpperCase() + text.slice(1) + (/[.!?]$/.test(text) ? "" : ".");
  return sentence.split(MOMENT);
}
