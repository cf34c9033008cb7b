/** The text dialect of remote access (docs/remote-access.md): numbered frames of MessagePack envelopes in base64. */
import { decode, encode } from "@msgpack/msgpack";

export interface Message {
  proto: number;
  typ: string;
  props: Record<string, unknown>;
  body: Uint8Array;
}

export const SHELL = 1;
export const FILES = 2;
export const CONTROL = 0xffff;

/** Bytes of a body: what devices take in one message. */
export const CHUNK = 4096;

const NONE = new Uint8Array();

export const message = (proto: number, typ: string, { props = {}, body = NONE }: Partial<Pick<Message, "props" | "body">> = {}): Message => ({ proto, typ, props, body });

function toBase64(bytes: Uint8Array): string {
  let text = "";
  for (let start = 0; start < bytes.length; start += 8192) text += String.fromCharCode(...bytes.subarray(start, start + 8192));
  return btoa(text);
}

export function toFrame(number: number, { proto, typ, props, body }: Message): string {
  const hdr = { proto, typ, ...(Object.keys(props).length ? { props } : {}) };
  return `${number}:${toBase64(encode(body.length ? { hdr, body } : { hdr }))}`;
}

export interface Frame {
  source: string;
  number: number;
  message: Message;
}

/** What the server sends; undefined for what is no frame. */
export function fromFrame(text: string): Frame | undefined {
  const [source, number, data] = text.split(":");
  if (source === undefined || number === undefined || data === undefined) return undefined;
  try {
    const bytes = Uint8Array.from(atob(data), (char) => char.charCodeAt(0));
    const { hdr, body } = decode(bytes) as { hdr: Partial<Message>; body?: unknown };
    const content = body instanceof Uint8Array ? body : typeof body === "string" ? new TextEncoder().encode(body) : NONE;
    return { source, number: Number(number) || 0, message: { proto: hdr.proto ?? 0, typ: hdr.typ ?? "", props: hdr.props ?? {}, body: content } };
  } catch {
    return undefined;
  }
}

/** Messages that may overtake each other, in order again, source by source. */
export class InOrder {
  private readonly sources = new Map<string, { next: number; waiting: Map<number, Message> }>();

  /** `later(run)` is asked to call back in a moment: a source that began before us begins with what has come by then. */
  constructor(
    private readonly give: (message: Message) => void,
    private readonly later: (run: () => void) => void,
  ) {}

  add({ source, number, message: one }: Frame): void {
    if (!source || !number) {
      this.give(one);
      return;
    }
    let state = this.sources.get(source);
    if (!state) {
      const began = source.startsWith("+");
      state = { next: began ? 0 : 1, waiting: new Map() };
      this.sources.set(source, state);
      if (began) this.later(() => this.begin(source));
    }
    if (number < state.next) return;
    state.waiting.set(number, one);
    this.due(state);
  }

  private begin(source: string): void {
    const state = this.sources.get(source);
    if (!state || state.next) return;
    state.next = Math.min(...state.waiting.keys());
    this.due(state);
  }

  private due(state: { next: number; waiting: Map<number, Message> }): void {
    for (let one = state.waiting.get(state.next); state.next && one; one = state.waiting.get(state.next)) {
      state.waiting.delete(state.next++);
      this.give(one);
    }
  }
}

/** What a message's body says, where it is a map. */
export function mapOf(body: Uint8Array): Record<string, unknown> {
  try {
    const found = body.length ? decode(body) : {};
    return found && typeof found === "object" ? (found as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}

export { encode };
