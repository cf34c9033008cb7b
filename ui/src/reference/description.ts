/** The API's description (`GET /api/openapi.json`, OpenAPI 3.1) as its screens show it. */
import { useLive } from "../app/resource";
import { type Answer, send, urlOf } from "../api/client";

export interface Schema {
  $ref?: string;
  type?: string | string[];
  properties?: Record<string, Schema>;
  additionalProperties?: boolean | Schema;
  required?: string[];
  items?: Schema;
  enum?: unknown[];
  anyOf?: Schema[];
  allOf?: Schema[];
  description?: string;
  format?: string;
  examples?: unknown[];
  default?: unknown;
  minimum?: number;
  maximum?: number;
  maxLength?: number;
  maxItems?: number;
}

export interface Parameter {
  name: string;
  in: "path" | "query" | "header";
  description?: string;
  required?: boolean;
  schema: Schema;
}

/** A body by its media type. */
export interface Content {
  media: string;
  schema: Schema;
}

export interface AnswerKind {
  status: string;
  description: string;
  headers: string[];
  contents: Content[];
}

export interface Operation {
  id: string;
  method: string;
  path: string;
  tag: string;
  summary: string;
  description: string;
  /** Who may call it: "device", "user", "session", "password"; nobody has to be anybody if it is empty. */
  callers: string[];
  permission: string;
  feature: string;
  parameters: Parameter[];
  bodies: Content[];
  answers: AnswerKind[];
}

export interface Description {
  version: string;
  operations: Operation[];
  schemas: Record<string, Schema>;
}

type Reference = { $ref?: string };
type RawAnswer = Reference & { description?: string; headers?: Record<string, unknown>; content?: Record<string, { schema: Schema }> };
interface RawOperation {
  operationId: string;
  tags: string[];
  summary: string;
  description?: string;
  security: Record<string, unknown>[];
  parameters?: (Reference & Parameter)[];
  requestBody?: { content: Record<string, { schema: Schema }> };
  responses: Record<string, RawAnswer>;
  "x-permission"?: string;
  "x-feature"?: string;
}
export interface Raw {
  info: { version: string };
  paths: Record<string, Record<string, RawOperation>>;
  components: { schemas: Record<string, Schema>; parameters: Record<string, Parameter>; responses: Record<string, RawAnswer> };
}

const nameIn = (ref: string): string => ref.slice(ref.lastIndexOf("/") + 1);
const contents = (found: Record<string, { schema: Schema }> = {}): Content[] => Object.entries(found).map(([media, { schema }]) => ({ media, schema }));

/** The document with what it refers to put in its place; shapes stay references to `schemas`. */
export function read({ info, paths, components }: Raw): Description {
  const operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, raw]): Operation => ({
      id: raw.operationId,
      method: method.toUpperCase(),
      path,
      tag: raw.tags[0] ?? "",
      summary: raw.summary,
      description: raw.description ?? "",
      callers: raw.security.flatMap((each) => Object.keys(each)),
      permission: raw["x-permission"] ?? "",
      feature: raw["x-feature"] ?? "",
      parameters: (raw.parameters ?? []).flatMap((each) => (each.$ref ? (components.parameters[nameIn(each.$ref)] ?? []) : each)),
      bodies: contents(raw.requestBody?.content),
      answers: Object.entries(raw.responses).map(([status, answer]) => {
        const told = answer.$ref ? (components.responses[nameIn(answer.$ref)] ?? {}) : answer;
        return { status, description: told.description ?? "", headers: Object.keys(told.headers ?? {}), contents: contents(told.content) };
      }),
    })),
  );
  return { version: info.version, operations, schemas: components.schemas };
}

/** The server's own description; asked for once, however often these screens are opened. */
export const useDescription = () =>
  useLive<Description>("openapi", async (signal, etag): Promise<Answer<Description>> => {
    const answer = await send<Raw>("GET", "/openapi.json", { signal, etag });
    return { ...answer, data: (answer.notModified ? undefined : read(answer.data)) as Description };
  });

/** Operations whose method, path, words or id contain all that was typed. */
export function search(operations: readonly Operation[], text: string): Operation[] {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  return operations.filter((each) => {
    const all = `${each.method} ${each.path} ${each.summary} ${each.id} ${each.tag}`.toLowerCase();
    return words.every((word) => all.includes(word));
  });
}

/** By feature, in the order of the document's headings; what devices call comes last. */
export function grouped(operations: readonly Operation[]): [string, Operation[]][] {
  const groups = new Map<string, Operation[]>();
  for (const each of operations) groups.set(each.tag, [...(groups.get(each.tag) ?? []), each]);
  const rank = (tag: string): number => Number(tag.endsWith("(devices)"));
  return [...groups].sort(([a], [b]) => rank(a) - rank(b) || a.localeCompare(b));
}

const WORDS: Record<string, string> = { string: "text", integer: "whole number", number: "number", boolean: "true or false", object: "object", null: "null", array: "list" };

/** What a value can be, in words: "list of Artifact", "text: asc or desc". */
export function kindOf(schema: Schema): string {
  if (schema.$ref) return nameIn(schema.$ref);
  if (schema.anyOf) return [...new Set(schema.anyOf.map(kindOf))].join(" or ");
  if (schema.allOf) return schema.allOf.map(kindOf).join(" and ");
  const types = [schema.type ?? []].flat();
  const words = types.map((type) => (type === "array" && schema.items ? `list of ${kindOf(schema.items)}` : (WORDS[type] ?? type)));
  const values = schema.enum?.map(String).join(", ");
  return `${words.join(" or ") || "anything"}${values ? `: ${values}` : schema.format ? ` (${schema.format})` : ""}`;
}

/** Bounds and the default of a value, in words. */
export function boundsOf({ minimum, maximum, maxLength, maxItems, default: usual }: Schema): string {
  const said = [
    minimum !== undefined && maximum !== undefined ? `${minimum} to ${maximum}` : minimum !== undefined ? `from ${minimum}` : maximum !== undefined ? `up to ${maximum}` : "",
    maxLength === undefined ? "" : `up to ${maxLength} characters`,
    maxItems === undefined ? "" : `up to ${maxItems}`,
    usual === undefined ? "" : `default ${String(usual)}`,
  ];
  return said.filter(Boolean).join("; ");
}

export interface Member {
  name: string;
  kind: string;
  required: boolean;
  description: string;
  /** Its own members, or those of its items or values. */
  members: Member[];
}

/** The members of a shape, with theirs. A shape in itself is told once. */
export function membersOf(schema: Schema, schemas: Record<string, Schema>, above: readonly string[] = []): Member[] {
  if (schema.$ref) {
    const name = nameIn(schema.$ref);
    const found = schemas[name];
    return found && !above.includes(name) ? membersOf(found, schemas, [...above, name]) : [];
  }
  if (schema.items) return membersOf(schema.items, schemas, above);
  if (typeof schema.additionalProperties === "object") return membersOf(schema.additionalProperties, schemas, above);
  const parts = [...(schema.anyOf ?? []), ...(schema.allOf ?? [])];
  if (parts.length) return parts.flatMap((each) => membersOf(each, schemas, above)).filter(({ name }, index, all) => all.findIndex((each) => each.name === name) === index);
  return Object.entries(schema.properties ?? {}).map(([name, member]) => ({
    name,
    kind: kindOf(member),
    required: schema.required?.includes(name) ?? false,
    description: member.description ?? "",
    members: membersOf(member, schemas, above),
  }));
}

/** A value of a shape, for a body to begin with. */
export function exampleOf(schema: Schema, schemas: Record<string, Schema>): unknown {
  if (schema.examples?.length) return schema.examples[0];
  if (schema.$ref) {
    const found = schemas[nameIn(schema.$ref)];
    return found ? exampleOf(found, schemas) : undefined;
  }
  if (schema.allOf) return Object.assign({}, ...schema.allOf.map((each) => exampleOf(each, schemas)));
  if (schema.anyOf?.[0]) return exampleOf(schema.anyOf[0], schemas);
  if (schema.enum) return schema.enum[0];
  if (schema.items) return [exampleOf(schema.items, schemas)];
  if (schema.properties) return Object.fromEntries(Object.entries(schema.properties).map(([name, member]) => [name, exampleOf(member, schemas)]));
  const [type] = [schema.type ?? []].flat();
  return { string: "", integer: schema.minimum ?? 1, number: 1, boolean: false, object: {}, array: [] }[type ?? ""] ?? null;
}

export type Values = Readonly<Record<string, string>>;

export interface Call {
  path: string;
  query: Record<string, string | string[]>;
  headers: Record<string, string>;
  /** Variables of the path without a value. */
  missing: string[];
}

/** The call that an operation's parameters make. Several values of one parameter are separated by commas. */
export function callOf(operation: Operation, values: Values): Call {
  const call: Call = { path: operation.path, query: {}, headers: {}, missing: [] };
  for (const { name, in: where, schema, required } of operation.parameters) {
    const value = values[name] ?? "";
    if (!value && required) call.missing.push(name);
    if (!value) continue;
    if (where === "path") call.path = call.path.replace(`{${name}}`, encodeURIComponent(value));
    else if (where === "header") call.headers[name] = value;
    else call.query[name] = schema.type === "array" ? value.split(",").map((each) => each.trim()) : value;
  }
  return call;
}

const quoted = (text: string): string => `'${text.replace(/'/g, "'\\''")}'`;
const CREDENTIALS: Record<string, string> = { device: "$DEVICE_TOKEN", user: "$TOKEN" };

/** The same call as a line for a shell; the token is in a variable. */
export function curlOf(operation: Operation, call: Call, body: string, media: string): string {
  const url = new URL(urlOf(call.path, call.query), globalThis.location?.href).href;
  const who = operation.callers.map((each) => CREDENTIALS[each]).find(Boolean);
  const parts = [
    `curl ${operation.method === "GET" ? "" : `-X ${operation.method} `}${quoted(url)}`,
    who && `-H "Authorization: Bearer ${who}"`,
    operation.callers.includes("password") && `-u "$EMAIL:$PASSWORD"`,
    ...Object.entries(call.headers).map(([name, value]) => `-H ${quoted(`${name}: ${value}`)}`),
    media && media !== "multipart/form-data" && body && `-H ${quoted(`Content-Type: ${media}`)}`,
    media && media !== "multipart/form-data" && body && `-d ${quoted(body)}`,
    media === "multipart/form-data" && `-F 'FIELD=VALUE' -F 'file=@FILE'`,
  ];
  return parts.filter(Boolean).join(" \\\n  ");
}

/** Why an operation can't be tried in a browser; undefined if it can. */
export function untried(operation: Operation): string | undefined {
  if (operation.answers.some(({ status }) => status === "101")) return "This opens a websocket. The console's terminal uses it; curl shows only the refusal.";
  if (operation.callers.includes("password")) return "The sign-in page calls this. You are signed in already.";
  if (operation.callers.length && !operation.callers.includes("session")) return "Only devices call this, with a token of their own.";
  if (operation.path.startsWith("/devices/")) return "Only devices call this, and sign what they send.";
  if (operation.bodies.some(({ media }) => media === "multipart/form-data")) return "This takes a file. Use the line for a shell, or the console's own screen.";
  return undefined;
}
