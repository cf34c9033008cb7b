/**
 * A file in parts, straight to the bucket: several parts at once, each tried again when it is lost.
 *
 * The server knows which parts have arrived, so an upload goes on wherever it stopped.
 */
import type { Shape } from "../api/calls";
import { ApiError } from "../api/client";
import type { Gate } from "./gate";

/** Bytes of a part. The server takes parts from 5 MiB. */
export const PART_SIZE = 8 * 1024 * 1024;
const AT_ONCE = 3;
/** Parts whose links one call asks for: 800 MiB. */
const PAGE = 100;
const LONGEST_REST = 30_000;
/** Tries without any answer before the bucket counts as unreachable, if it never took a part. */
const SILENT_TRIES = 3;

export type Part = Shape<"Parts">["parts"][number];
export type Parts = Pick<Shape<"Parts">, "count" | "parts">;

/** The bucket can't be reached from here, though the server can. */
export class Unreachable extends Error {}

/** The requests that sending takes. Tests bring their own. */
export interface Way {
  /** A page of the parts. */
  list: (page: number, perPage: number) => Promise<Parts>;
  /** Write a part; gives the status, 0 without an answer. Rejects with an `AbortError` when `signal` is aborted. */
  put: (part: Part, onSent: (bytes: number) => void, signal: AbortSignal) => Promise<number>;
}

/** Milliseconds before the next try. */
export const restAfter = (failures: number): number => Math.min(1000 * 2 ** (failures - 1), LONGEST_REST);

/** Whether another try may succeed: there was no answer, or the other side is too busy or broken. */
const mayPass = (status: number): boolean => status === 0 || status === 429 || status >= 500;

/** How often a request is tried. Without an answer, until there is one. */
const tries = (status: number): number => (status === 0 ? Infinity : mayPass(status) ? 6 : 3);

/** A call to the server, tried again while it does not answer or is too busy. */
export async function persist<T>(run: () => Promise<T>, gate: Gate, signal: AbortSignal): Promise<T> {
  for (let failures = 1; ; failures += 1) {
    await gate.through(signal);
    try {
      const found = await run();
      gate.lost = false;
      return found;
    } catch (error) {
      if (!(error instanceof ApiError) || !mayPass(error.status) || failures >= tries(error.status)) throw error;
      gate.lost = error.status === 0;
    }
    await gate.rest(restAfter(failures), signal);
  }
}

/**
 * Send all parts that have not arrived.
 *
 * Throws `Unreachable` if the bucket never took a part and does not answer, an `ApiError` when a part is refused for good
 * or the upload is gone, and an `AbortError` when `stop` is aborted.
 */
export async function sendParts(way: Way, gate: Gate, onSent: (bytes: number) => void, stop: AbortSignal): Promise<void> {
  const failed = new AbortController();
  const sending = new Sending(way, gate, onSent, AbortSignal.any([stop, failed.signal]));
  try {
    await Promise.all(Array.from({ length: AT_ONCE }, () => sending.work()));
  } catch (error) {
    failed.abort(); // the other workers stop as well
    throw error;
  }
}

class Sending {
  private readonly pages = new Map<number, Promise<Parts>>();
  private readonly missing: Part[] = [];
  /** Bytes that are on their way, by part. */
  private readonly flying = new Map<number, number>();
  private stored = 0;
  private seen = 0;
  private count = Infinity;
  private filling: Promise<void> | undefined;

  constructor(private readonly way: Way, private readonly gate: Gate, private readonly onSent: (bytes: number) => void, private readonly signal: AbortSignal) {}

  /** Send one part after the other, until none is left. */
  async work(): Promise<void> {
    for (let part = await this.take(); part; part = await this.take()) await this.send(part);
  }

  private async take(): Promise<Part | undefined> {
    if (!this.missing.length) await (this.filling ??= this.fill().finally(() => (this.filling = undefined)));
    return this.missing.shift();
  }

  private async fill(): Promise<void> {
    while (!this.missing.length && this.seen * PAGE < this.count) {
      const found = await this.page((this.seen += 1));
      this.count = found.count;
      this.missing.push(...found.parts.filter((part) => !part.stored));
      this.stored += found.parts.reduce((sum, part) => sum + (part.stored ? part.size : 0), 0);
      this.tell();
    }
  }

  private page(number: number): Promise<Parts> {
    let found = this.pages.get(number);
    if (!found) this.pages.set(number, (found = persist(() => this.way.list(number, PAGE), this.gate, this.signal)));
    return found;
  }

  private async send({ number, size }: Part): Promise<void> {
    const page = Math.ceil(number / PAGE);
    for (let failures = 0; ; ) {
      await this.gate.through(this.signal);
      const part = (await this.page(page)).parts.find((each) => each.number === number);
      const status = part && !part.stored ? await this.put(part) : 200;
      if (status === undefined) continue;
      this.gate.lost = status === 0;
      if (status >= 200 && status < 300) {
        this.stored += size;
        this.tell();
        return;
      }
      failures += 1;
      if (failures > 1 || !mayPass(status)) {
        // The link may have expired, the answer may have been lost, the upload may be gone: the server knows.
        this.pages.delete(page);
        await this.page(page);
      }
      if (status === 0 && !this.stored && failures >= SILENT_TRIES) throw new Unreachable();
      if (failures >= tries(status)) throw new ApiError(status, `The storage refused a part of the file (status ${status}). The other parts are kept: try again.`);
      await this.gate.rest(restAfter(failures), this.signal);
    }
  }

  /** Write a part; the status, or undefined if the gate was closed meanwhile. */
  private async put(part: Part): Promise<number | undefined> {
    const closed = this.gate.signal;
    try {
      return await this.way.put(part, (bytes) => this.flies(part.number, bytes), AbortSignal.any([this.signal, closed]));
    } catch (error) {
      if (this.signal.aborted || !closed.aborted) throw error;
      return undefined;
    } finally {
      this.flying.delete(part.number);
    }
  }

  private flies(number: number, bytes: number): void {
    this.flying.set(number, bytes);
    this.tell();
  }

  private tell(): void {
    this.onSent([...this.flying.values()].reduce((sum, bytes) => sum + bytes, this.stored));
  }
}
