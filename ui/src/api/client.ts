/** Calls to the server's API. The session is an HttpOnly cookie: no token ever reaches this code. */
import { signal } from "@preact/signals";
import type { AnswerOf, BodyOf, Checked, Method, QueryOf } from "./calls";

/** Where the API is, from where the page is: all before `/ui/`, and `/api` unless it ends with that. */
export function apiBase(pathname: string): string {
  const cut = pathname.lastIndexOf("/ui/");
  const before = cut < 0 ? "" : pathname.slice(0, cut);
  return before.endsWith("/api") ? before : `${before}/api`;
}

export const base = apiBase(globalThis.location?.pathname ?? "/ui/");

export type Params = Readonly<Record<string, string | number | boolean | readonly (string | number)[] | null | undefined>>;

export interface Options {
  /** Parameters of the URL; an array repeats its name, empty ones are left out. */
  query?: Params;
  /** Sent as JSON, unless it is a FormData, Blob or string. */
  body?: unknown;
  headers?: Record<string, string>;
  signal?: AbortSignal;
  /** Sent as If-None-Match; an answer of 304 has `notModified`. */
  etag?: string | undefined;
  /** A 401 is reported to the caller alone: the sign-in itself. */
  quiet?: boolean;
}

export interface Answer<T> {
  data: T;
  status: number;
  headers: Headers;
  etag: string | undefined;
  notModified: boolean;
  /** The header X-Total-Count, where there is one. */
  total: number | undefined;
}

/** The server's refusal, or no answer at all (status 0). */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    message: string,
    readonly requestId: string = "",
    readonly body: unknown = undefined,
    /** Seconds to wait before another try, where the server says so. */
    readonly retryAfter: number | undefined = undefined,
  ) {
    super(message);
    this.name = "ApiError";
  }
}

/** Counts up when the server no longer takes the session: the app then asks to sign in again. */
export const sessionsLost = signal(0);

const JSON_TYPE = "application/json";

export function urlOf(path: string, query: Params = {}): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value === null || value === undefined || value === "") continue;
    for (const each of Array.isArray(value) ? value : [value]) search.append(name, String(each));
  }
  const text = search.toString();
  return `${base}${path}${text ? `?${text}` : ""}`;
}

/** Options of a call that the description has: its parameters and its body. */
export interface CallOptions<P extends string, M extends Method> extends Omit<Options, "query" | "body"> {
  query?: QueryOf<P, M>;
  body?: BodyOf<P, M>;
}

/** A call with status, headers and total of its answer. Method, path, parameters and body are checked against the description. */
export const call = <M extends Method, P extends string>(method: M, path: P, ...[options]: Checked<P, M, [options?: CallOptions<P, M>]>): Promise<Answer<AnswerOf<P, M>>> =>
  send(method, path, options as Options);

/** Any call at all, for what is not known before it runs. */
export async function send<T>(method: string, path: string, options: Options = {}): Promise<Answer<T>> {
  const headers: Record<string, string> = { Accept: JSON_TYPE, ...options.headers };
  let body: BodyInit | undefined;
  if (options.body !== undefined) {
    const raw = options.body;
    if (raw instanceof FormData || raw instanceof Blob || typeof raw === "string") body = raw;
    else {
      body = JSON.stringify(raw);
      headers["Content-Type"] ??= JSON_TYPE;
    }
  }
  if (options.etag) headers["If-None-Match"] = options.etag;
  let response: Response;
  try {
    response = await fetch(urlOf(path, options.query), {
      method,
      headers,
      ...(body === undefined ? {} : { body }),
      ...(options.signal ? { signal: options.signal } : {}),
      credentials: "same-origin",
      // The browser's cache would answer a conditional request with the whole body; freshness is decided here.
      cache: "no-store",
    });
  } catch (error) {
    if ((error as Error).name === "AbortError") throw error;
    throw new ApiError(0, "The server could not be reached. Check your connection. The console tries again by itself.");
  }
  const { status } = response;
  if (status === 401 && !options.quiet) sessionsLost.value += 1;
  if (!response.ok && status !== 304) throw await refusal(response);
  const total = Number.parseInt(response.headers.get("x-total-count") ?? "", 10);
  return {
    data: (status === 304 ? undefined : await content(response)) as T,
    status,
    headers: response.headers,
    etag: response.headers.get("etag") ?? undefined,
    notModified: status === 304,
    total: Number.isNaN(total) ? undefined : total,
  };
}

async function content(response: Response): Promise<unknown> {
  const text = await response.text();
  if (!text) return undefined;
  return /[/+]json\b/.test(response.headers.get("content-type") ?? "") ? JSON.parse(text) : text;
}

const BY_STATUS: Record<number, string> = {
  401: "Your session has ended. Sign in again.",
  403: "You do not have the right to do this. Ask an administrator of your organization.",
  404: "This does not exist (any more).",
  413: "This is larger than the server accepts.",
  429: "Too many requests in a short time.",
  502: "The server did not answer. Try again in a moment.",
  503: "The server is busy or being updated. Try again in a moment.",
  504: "The server took too long to answer. Try again in a moment.",
};

async function refusal(response: Response): Promise<ApiError> {
  let body: unknown;
  try {
    body = await content(response);
  } catch {
    body = undefined;
  }
  const said = body as { error?: unknown; request_id?: unknown } | undefined;
  const text = typeof said?.error === "string" && said.error ? sentence(said.error) : undefined;
  const id = response.headers.get("x-men-requestid") ?? (typeof said?.request_id === "string" ? said.request_id : "");
  const wait = Number.parseInt(response.headers.get("retry-after") ?? "", 10);
  return new ApiError(
    response.status,
    text ?? BY_STATUS[response.status] ?? `The server answered with status ${response.status}.`,
    id,
    body,
    Number.isNaN(wait) ? undefined : wait,
  );
}

function sentence(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1) + (/[.!?]$/.test(text) ? "" : ".");
}

type Rest = Omit<Options, "query" | "body">;
type Sends<P extends string, M extends Method> = Checked<P, M, [body?: BodyOf<P, M>, options?: Rest]>;

/** The calls that screens make: each gives the decoded body and throws an {@link ApiError}. */
export const api = {
  get: async <P extends string>(path: P, ...[query, options]: Checked<P, "GET", [query?: QueryOf<P>, options?: Rest]>): Promise<AnswerOf<P>> =>
    (await send<AnswerOf<P>>("GET", path, { ...(options as Rest), ...(query ? { query: query as Params } : {}) })).data,
  post: async <P extends string>(path: P, ...[body, options]: Sends<P, "POST">): Promise<AnswerOf<P, "POST">> => (await send<AnswerOf<P, "POST">>("POST", path, { ...(options as Rest), body })).data,
  put: async <P extends string>(path: P, ...[body, options]: Sends<P, "PUT">): Promise<AnswerOf<P, "PUT">> => (await send<AnswerOf<P, "PUT">>("PUT", path, { ...(options as Rest), body })).data,
  patch: async <P extends string>(path: P, ...[body, options]: Sends<P, "PATCH">): Promise<AnswerOf<P, "PATCH">> => (await send<AnswerOf<P, "PATCH">>("PATCH", path, { ...(options as Rest), body })).data,
  del: async <P extends string>(path: P, ...[options]: Checked<P, "DELETE", [options?: CallOptions<P, "DELETE">]>): Promise<AnswerOf<P, "DELETE">> =>
    (await send<AnswerOf<P, "DELETE">>("DELETE", path, options as Options)).data,
  call,
};
