/** Conditions of a search: how they are written in the URL, said in words, and sent to the server. */
import type { Shape } from "../api/calls";
import { SILENT, SILENT_HOURS } from "./types";

/** A condition as the API has it (`filters` of a search, `terms` of a saved filter). */
export type Condition = Shape<"Term">;
export type Operator = Condition["type"];
/** What an attribute is compared with. */
export type Operand = string | number | boolean | readonly (string | number)[];

export const OPERATORS: readonly { value: Operator; label: string; hint: string }[] = [
  { value: "$eq", label: "is", hint: "equals this value" },
  { value: "$ne", label: "is not", hint: "is another value, or there is none" },
  { value: "$regex", label: "matches", hint: "a regular expression finds something in it" },
  { value: "$in", label: "is one of", hint: "equals one of several values" },
  { value: "$nin", label: "is none of", hint: "equals none of several values" },
  { value: "$gt", label: ">", hint: "is greater, or later in the alphabet" },
  { value: "$gte", label: "≥", hint: "is greater or equal" },
  { value: "$lt", label: "<", hint: "is less" },
  { value: "$lte", label: "≤", hint: "is less or equal" },
  { value: "$ltne", label: "< or missing", hint: "is less, or there is no value" },
  { value: "$exists", label: "exists", hint: "there is a value" },
];

export const takesList = (type: Operator): boolean => type === "$in" || type === "$nin";

/** What somebody typed, as the value that the operator takes. Numbers stay numbers where the server compares them. */
export function typed(type: Operator, text: string, number: boolean): Operand {
  if (type === "$exists") return text !== "false";
  if (takesList(type)) return text.split(",").map((each) => one(each.trim(), number)).filter((each) => each !== "");
  return one(text, number);
}

function one(text: string, number: boolean): string | number {
  const value = Number(text);
  return number && text !== "" && Number.isFinite(value) ? value : text;
}

export function inWords(condition: Condition): string {
  if (condition.type === "$exists") return `${condition.attribute} ${condition.value === false ? "is missing" : "exists"}`;
  const operator = OPERATORS.find((each) => each.value === condition.type)?.label ?? condition.type;
  const value = Array.isArray(condition.value) ? condition.value.join(", ") : String(condition.value);
  return `${condition.attribute} ${operator} ${value}`;
}

/** The conditions of a URL; what is not one is left out. */
export function read(text: string): Condition[] {
  if (!text) return [];
  try {
    const found: unknown = JSON.parse(text);
    return Array.isArray(found) ? found.filter(isCondition) : [];
  } catch {
    return [];
  }
}

export const write = (conditions: readonly Condition[]): string => (conditions.length ? JSON.stringify(conditions) : "");

function isCondition(value: unknown): value is Condition {
  const { scope, attribute, type, value: wanted } = (value ?? {}) as Partial<Condition>;
  return typeof scope === "string" && typeof attribute === "string" && attribute !== "" && OPERATORS.some((each) => each.value === type) && wanted !== undefined && wanted !== null;
}

export interface Wanted {
  status: string;
  group: string;
  text: string;
  conditions: readonly Condition[];
  /** `scope/attribute:asc`, or empty. */
  sort: string;
}

export interface SearchBody {
  page: number;
  per_page: number;
  text: string;
  filters: Condition[];
  sort: { scope: string; attribute: string; order: string }[];
}

/** Devices without a group are asked for by this name, which no group can have. */
export const UNGROUPED = "-";

/** To the minute, so that a search stays the same while pages of it are fetched. */
function silentSince(): string {
  const minute = 60_000;
  return new Date(Math.floor(Date.now() / minute) * minute - SILENT_HOURS * 60 * minute).toISOString();
}

export function searchBody(wanted: Wanted, page: number, perPage: number): SearchBody {
  const filters: Condition[] = [...wanted.conditions];
  const silent = wanted.status === SILENT;
  if (wanted.status) filters.push({ scope: "identity", attribute: "status", type: "$eq", value: silent ? "accepted" : wanted.status });
  if (silent) filters.push({ scope: "system", attribute: "check_in_time", type: "$lt", value: silentSince() });
  if (wanted.group === UNGROUPED) filters.push({ scope: "system", attribute: "group", type: "$exists", value: false });
  else if (wanted.group) filters.push({ scope: "system", attribute: "group", type: "$eq", value: wanted.group });
  const [place, order] = wanted.sort.split(":");
  const cut = (place ?? "").indexOf("/");
  const sort = cut > 0 ? [{ scope: place?.slice(0, cut) ?? "", attribute: place?.slice(cut + 1) ?? "", order: order === "desc" ? "desc" : "asc" }] : [];
  return { page, per_page: perPage, text: wanted.text.trim(), filters, sort };
}
