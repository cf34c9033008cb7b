/** The protection of a deployment that is being made: as typed, in the page's address, and as the API takes it. */
import { secondsOf, WEEK, type Day } from "./rollout";
import type { RolloutSettings } from "./types";

export interface DraftWindow {
  /** None: every day. */
  days: readonly Day[];
  /** `HH:MM`. */
  start: string;
  hours: string;
}

/** Numbers are as typed. */
export interface Protection {
  /** Phases open after success; only if there are phases. */
  gate: boolean;
  success: string;
  least: string;
  soakHours: string;
  stop: boolean;
  failedPercent: string;
  reports: string;
  failed: string;
  perPhase: boolean;
  abort: boolean;
  windows: readonly DraftWindow[];
  /** Empty: that of the organization. */
  zone: string;
  /** The attribute with a device's own time zone; empty: none. */
  ownZone: string;
  tellWhen: boolean;
  rate: string;
  jitterMinutes: string;
  /** While it is paused, devices get newer deployments. */
  skip: boolean;
}

export const PROTECTED: Protection = {
  gate: true, success: "95", least: "", soakHours: "1",
  stop: true, failedPercent: "5", reports: "20", failed: "", perPhase: false, abort: false,
  windows: [], zone: "", ownZone: "", tellWhen: false,
  rate: "", jitterMinutes: "", skip: false,
};
const MANY = 40;

/** What a deployment is protected by at first. Of few devices, half of them are enough results to stop it. */
export const protectionFor = (total: number | undefined): Protection =>
  total === undefined || total >= MANY ? PROTECTED : { ...PROTECTED, reports: String(Math.max(1, Math.floor(total / 2))) };

export const NEW_WINDOW: DraftWindow = { days: [], start: "02:00", hours: "4" };
export const MAX_WINDOWS = 14;
const MAX_COUNT = 1_000_000_000;
const MAX_RATE = 60_000;
const MAX_SOAK_HOURS = 30 * 24;
const MAX_WINDOW_HOURS = 7 * 24;
const MAX_JITTER_MINUTES = 24 * 60;

/** Only what differs from {@link PROTECTED}, so that addresses stay short. */
export function writeProtection(protection: Protection | undefined): string {
  if (!protection) return "";
  const changed = Object.entries(protection).filter(([name, value]) => JSON.stringify(value) !== JSON.stringify(PROTECTED[name as keyof Protection]));
  return JSON.stringify(Object.fromEntries(changed));
}

/** What of an address is no protection counts as not changed. */
export function readProtection(text: string): Protection | undefined {
  if (!text) return undefined;
  try {
    const given = JSON.parse(text) as Record<string, unknown>;
    const fits = Object.entries(given).filter(([name, value]) => name in PROTECTED && name !== "windows" && typeof value === typeof PROTECTED[name as keyof Protection]);
    const windows = Array.isArray(given.windows) ? given.windows.slice(0, MAX_WINDOWS).map(readWindow) : [];
    return { ...PROTECTED, ...Object.fromEntries(fits), windows };
  } catch {
    return undefined;
  }
}

function readWindow(given: unknown): DraftWindow {
  const { days, start, hours } = (given ?? {}) as Record<string, unknown>;
  return {
    days: Array.isArray(days) ? WEEK.filter((day) => days.includes(day)) : [],
    start: typeof start === "string" ? start : NEW_WINDOW.start,
    hours: typeof hours === "string" ? hours : NEW_WINDOW.hours,
  };
}

const between = (text: string, least: number, most: number): boolean => text.trim() !== "" && Number(text) >= least && Number(text) <= most;
const whole = (text: string, least: number, most: number): boolean => /^\d+$/.test(text.trim()) && between(text, least, most);
const orNone = (text: string, fits: boolean): boolean => text.trim() === "" || fits;

export type Wrong = Partial<Record<keyof Protection, string>>;

/** What is wrong, by field. `phased`: the deployment has phases. */
export function wrongIn(protection: Protection, phased: boolean): Wrong {
  const { success, least, soakHours, failedPercent, reports, failed, windows, rate, jitterMinutes } = protection;
  const wrong: Wrong = {};
  const jitterHours = (Number(jitterMinutes) || 0) / 60;
  if (protection.gate && phased) {
    if (!whole(success, 1, 100)) wrong.success = "A whole number from 1 to 100.";
    if (!orNone(least, whole(least, 1, MAX_COUNT))) wrong.least = "A whole number, 1 or more.";
    if (!orNone(soakHours, between(soakHours, 0, MAX_SOAK_HOURS))) wrong.soakHours = `Hours, at most ${MAX_SOAK_HOURS}.`;
  }
  if (protection.stop) {
    if (!orNone(failedPercent, whole(failedPercent, 1, 100))) wrong.failedPercent = "A whole number from 1 to 100.";
    if (!orNone(reports, whole(reports, 1, MAX_COUNT))) wrong.reports = "A whole number, 1 or more.";
    if (!orNone(failed, whole(failed, 1, MAX_COUNT))) wrong.failed = "A whole number, 1 or more.";
    if (!failedPercent.trim() && !failed.trim()) wrong.failedPercent = "Enter a share, a number of devices, or both.";
  }
  if (windows.some(({ start }) => !/^([01]\d|2[0-3]):[0-5]\d$/.test(start))) wrong.windows = "A window starts at a time such as 02:00.";
  else if (windows.some(({ hours }) => !between(hours, 1 / 60, MAX_WINDOW_HOURS))) wrong.windows = `A window lasts a minute to ${MAX_WINDOW_HOURS} hours.`;
  else if (windows.some(({ hours }) => Number(hours) <= jitterHours)) wrong.jitterMinutes = "It must be shorter than each window, or some devices would never begin.";
  if (!orNone(rate, whole(rate, 1, MAX_RATE))) wrong.rate = `A whole number from 1 to ${MAX_RATE}.`;
  if (!orNone(jitterMinutes, between(jitterMinutes, 0, MAX_JITTER_MINUTES))) wrong.jitterMinutes = `Minutes, at most ${MAX_JITTER_MINUTES}.`;
  return wrong;
}

const duration = (text: string, unit: number): string => `PT${Math.round(Number(text) * unit)}S`;

/** The member `rollout` of the call; undefined: none of it protects anything. */
export function settingsOf(protection: Protection, phased: boolean): RolloutSettings | undefined {
  const { success, least, soakHours, failedPercent, reports, failed, windows, zone, ownZone, rate, jitterMinutes } = protection;
  const gated = protection.gate && phased;
  const settings: RolloutSettings = {
    ...(gated ? { gate: { success_percent: Number(success), ...(least ? { minimum_devices: Number(least) } : {}), ...(Number(soakHours) ? { soak: duration(soakHours, 3600) } : {}) } } : {}),
    ...(protection.stop
      ? {
          stop: {
            ...(failed ? { max_failures: Number(failed) } : {}),
            ...(failedPercent ? { max_failures_percent: Number(failedPercent), ...(reports ? { minimum_reports: Number(reports) } : {}) } : {}),
            ...(protection.perPhase && phased ? { per: "phase" } : {}),
            ...(protection.abort ? { action: "abort" } : {}),
          },
        }
      : {}),
    ...(windows.length
      ? {
          windows: windows.map(({ days, start, hours }) => ({ start_time: start, duration: duration(hours, 3600), ...(days.length ? { days: [...days] } : {}) })),
          ...(zone ? { time_zone: zone } : {}),
          ...(ownZone ? { device_time_zone: ownZone } : {}),
          ...(protection.tellWhen ? { retry_after: true } : {}),
        }
      : {}),
    ...(rate ? { maximum_per_minute: Number(rate) } : {}),
    ...(Number(jitterMinutes) ? { jitter: duration(jitterMinutes, 60) } : {}),
    ...(protection.skip ? { when_paused: "skip" } : {}),
  };
  return Object.keys(settings).length ? settings : undefined;
}

/** The protection of an existing deployment, to make it again. */
export function protectionOf(settings: RolloutSettings): Protection {
  const { gate, stop, windows = [] } = settings;
  const number = (value: number | null | undefined): string => (value ? String(value) : "");
  return {
    gate: gate !== undefined,
    success: gate ? String(gate.success_percent ?? 100) : PROTECTED.success,
    least: number(gate?.minimum_devices),
    soakHours: gate ? number(secondsOf(gate.soak) / 3600) : PROTECTED.soakHours,
    stop: stop !== undefined,
    failedPercent: stop ? number(stop.max_failures_percent) : PROTECTED.failedPercent,
    reports: stop ? number(stop.minimum_reports) : PROTECTED.reports,
    failed: number(stop?.max_failures),
    perPhase: stop?.per === "phase",
    abort: stop?.action === "abort",
    windows: windows.map(({ days = [], start_time: start, duration: length }) => ({ days, start, hours: String(secondsOf(length) / 3600) })),
    zone: settings.time_zone ?? "",
    ownZone: settings.device_time_zone ?? "",
    tellWhen: settings.retry_after ?? false,
    rate: number(settings.maximum_per_minute),
    jitterMinutes: number(secondsOf(settings.jitter) / 60),
    skip: settings.when_paused === "skip",
  };
}

/** The phases of a fleet that is protected: few devices, a quarter, the rest. A phase without a device would be refused. */
export function protectedPhases(total: number | undefined): { unit: "percent" | "devices"; sizes: readonly string[] } {
  if (total === undefined || total >= 20) return { unit: "percent", sizes: ["5", "25", ""] };
  if (total >= 3) return { unit: "devices", sizes: ["1", String(Math.max(1, Math.floor(total / 4))), ""] };
  return { unit: "devices", sizes: total === 2 ? ["1", ""] : [""] };
}

/** The field that a refusal of the server is about; undefined: none of these. */
export function fieldOf(refusal: string): keyof Protection | undefined {
  const about = /rollout\b(.*)/is.exec(refusal)?.[1];
  if (about === undefined) return undefined;
  const names: [string, keyof Protection][] = [
    ["success_percent", "success"], ["minimum_devices", "least"], ["soak", "soakHours"],
    ["max_failures_percent", "failedPercent"], ["minimum_reports", "reports"], ["max_failures", "failed"],
    ["device_time_zone", "ownZone"], ["time_zone", "zone"], ["jitter", "jitterMinutes"], ["maximum_per_minute", "rate"],
    ["window", "windows"], ["gate", "success"], ["stop", "failedPercent"],
  ];
  return names.find(([name]) => about.includes(name))?.[1];
}
