/** Acceptance rules (`docs/acceptance.md`) as forms have them, and in words. */
import type { Shape } from "../api/calls";
import { format } from "../app/format";

export type Rule = Shape<"AcceptanceRule">;
export type NewRule = Shape<"NewAcceptanceRule">;
export type Expected = Shape<"Expected">;
export type Registered = Shape<"Registered">;
export type Kind = "identities" | "pattern" | "certificate";

export const RULES = "/management/v2/devauth/acceptance/rules";
export const IDENTITIES = "/management/v2/devauth/acceptance/identities";
export const PREVIEW = "/management/v2/devauth/acceptance/preview";

export const KINDS: readonly { value: Kind; label: string; hint: string }[] = [
  { value: "pattern", label: "Patterns", hint: "Devices whose identity data match. Anybody with the organization token can make such data up." },
  { value: "identities", label: "Preregistered identities", hint: "Devices whose identity you have uploaded." },
  { value: "certificate", label: "Certificates", hint: "Devices with a certificate of your CA for their key. Copying their identity data is not enough." },
];

/** Attributes and their patterns, one on each line: `mac=00:1b:44:*`. */
export const linesOf = (pattern: Readonly<Record<string, string | null | undefined>>): string => Object.entries(pattern).map(([name, text]) => `${name}=${text ?? ""}`).join("\n");

/** The patterns of such lines; undefined if a line is not one. */
export function patternOf(lines: string): Record<string, string> | undefined {
  const found: Record<string, string> = {};
  for (const line of lines.split("\n").map((each) => each.trim()).filter(Boolean)) {
    const at = line.indexOf("=");
    const [name, text] = [line.slice(0, at).trim(), line.slice(at + 1).trim()];
    if (at < 1 || !name || !text) return undefined;
    found[name] = text;
  }
  return found;
}

/** Each of the certificates in a text. */
export const certificatesOf = (text: string): string[] => text.match(/-----BEGIN CERTIFICATE-----[^]*?-----END CERTIFICATE-----/g) ?? [];

/** What a rule accepts, in words. */
export function accepts(rule: Rule): string {
  const matching = Object.keys(rule.pattern).length ? linesOf(rule.pattern).replaceAll("\n", ", ") : "";
  if (rule.type === "pattern") return matching;
  const what = rule.type === "identities" ? "Preregistered identities" : `Certificates of ${rule.authorities.map((each) => each.subject).join("; ")}`;
  return matching ? `${what}, with ${matching}` : what;
}

export const today = (rule: Rule): string => (rule.max_per_day ? `${format.number(rule.accepted_today)} of ${format.number(rule.max_per_day)}` : format.number(rule.accepted_today));

/** Identity data in one line. */
export const identityText = (data: Readonly<Record<string, unknown>>): string =>
  Object.entries(data)
    .map(([name, value]) => `${name}: ${typeof value === "string" ? value : JSON.stringify(value)}`)
    .join(", ");

/** The rule as it is sent back, with changes. */
export const changed = (rule: Rule, changes: Partial<NewRule>): NewRule => ({
  name: rule.name,
  type: rule.type,
  enabled: rule.enabled,
  pattern: rule.pattern,
  certificates: rule.certificates,
  common_name: rule.common_name,
  max_per_day: rule.max_per_day,
  ...changes,
});
