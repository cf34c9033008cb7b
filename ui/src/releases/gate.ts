/** Lets an upload pass, or has it wait: while somebody has paused it, and while the computer is offline. */
import { stopped } from "./transfer";

export type Hold = "paused" | "offline";

export class Gate {
  private readonly holds = new Set<Hold>();
  private closing = new AbortController();
  private readonly watchers = new Set<() => void>();
  private unanswered = false;

  /** Why nothing passes; undefined: it does. */
  get held(): Hold | undefined {
    return this.holds.has("paused") ? "paused" : this.holds.has("offline") ? "offline" : undefined;
  }

  /** Whether the network seems to be lost: the computer is offline, or the last request had no answer. */
  get lost(): boolean {
    return this.unanswered || this.holds.has("offline");
  }

  set lost(lost: boolean) {
    if (this.unanswered === lost) return;
    this.unanswered = lost;
    this.tell();
  }

  /** Aborted when the gate closes: that breaks off what is on its way. */
  get signal(): AbortSignal {
    return this.closing.signal;
  }

  hold(why: Hold): void {
    this.holds.add(why);
    this.closing.abort();
    this.tell();
  }

  release(why: Hold): void {
    if (!this.holds.delete(why)) return;
    if (!this.held) this.closing = new AbortController();
    this.tell();
  }

  /** Run something whenever the gate opens or closes; gives what ends that. */
  watch(run: () => void): () => void {
    this.watchers.add(run);
    return () => this.watchers.delete(run);
  }

  /** Resolves when the gate is open. Rejects with an `AbortError` when `signal` is aborted. */
  through(signal: AbortSignal): Promise<void> {
    return this.until(() => !this.held, signal);
  }

  /** Resolves after some time, or as soon as the gate opens or closes. Rejects as `through` does. */
  rest(milliseconds: number, signal: AbortSignal): Promise<void> {
    const before = this.held;
    let over = false;
    const timer = setTimeout(() => {
      over = true;
      this.tell();
    }, milliseconds);
    return this.until(() => over || this.held !== before, signal).finally(() => clearTimeout(timer));
  }

  private until(isTrue: () => boolean, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const look = (): void => {
        if (!signal.aborted && !isTrue()) return;
        forget();
        signal.removeEventListener("abort", look);
        if (signal.aborted) reject(stopped());
        else resolve();
      };
      const forget = this.watch(look);
      signal.addEventListener("abort", look);
      look();
    });
  }

  private tell(): void {
    for (const run of [...this.watchers]) run();
  }
}

/** Keep a gate closed while the computer is offline; gives what ends that. */
export function heedNetwork(gate: Gate): () => void {
  const lost = (): void => gate.hold("offline");
  const back = (): void => gate.release("offline");
  if (navigator.onLine === false) lost();
  window.addEventListener("offline", lost);
  window.addEventListener("online", back);
  return () => {
    window.removeEventListener("offline", lost);
    window.removeEventListener("online", back);
  };
}
