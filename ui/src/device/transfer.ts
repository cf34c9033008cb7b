/** Files to and from a device, over a session of their own (docs/behaviour.md, "File transfers"). */
import { CHUNK, CONTROL, encode, FILES, mapOf, type Message, message } from "./dialect";
import { open } from "./session";

const ACK_EVERY = 10;
/** Chunks that may be on their way without the device having said that it has them. */
const WINDOW = 20;
const PATIENCE = 60_000;

type Progress = (bytes: number, of: number) => void;

/** Messages of the device, one after the other, for code that asks for the next one. */
class Inbox {
  private readonly here: Message[] = [];
  private waiting: { resolve: (one: Message) => void; reject: (error: Error) => void } | undefined;
  private ended: Error | undefined;

  add(one: Message): void {
    if (this.waiting) this.waiting.resolve(one);
    else this.here.push(one);
  }

  end(error: Error): void {
    this.ended = error;
    this.waiting?.reject(error);
  }

  async next(): Promise<Message> {
    const first = this.here.shift();
    if (first) return first;
    if (this.ended) throw this.ended;
    const timer = setTimeout(() => this.waiting?.reject(new Error("The device did not answer within a minute.")), PATIENCE);
    try {
      return await new Promise<Message>((resolve, reject) => {
        this.waiting = { resolve, reject };
      });
    } finally {
      clearTimeout(timer);
      this.waiting = undefined;
    }
  }

  /** The next message of a type; what the device complains about is thrown. */
  async wanted(typ: string): Promise<Message> {
    for (;;) {
      const one = await this.next();
      if (one.typ === "error") throw new Error(String(mapOf(one.body).err ?? "The device refused."));
      if (one.proto === CONTROL && one.typ === "close") throw new Error("The device ended the session.");
      if (one.proto === FILES && one.typ === typ) return one;
      if (one.proto === CONTROL && one.typ === typ) return one;
    }
  }
}

async function within<T>(device: string, signal: AbortSignal, doing: (send: (one: Message) => void, inbox: Inbox) => Promise<T>): Promise<T> {
  const inbox = new Inbox();
  const session = await open(device, { onMessage: (one) => inbox.add(one), onEnd: (reason) => inbox.end(new Error(reason)) }, "file");
  const stop = (): void => inbox.end(new DOMException("Stopped", "AbortError"));
  signal.addEventListener("abort", stop);
  try {
    session.send(message(CONTROL, "open", { body: encode({ versions: [1] }) }));
    const { protocols } = mapOf((await inbox.wanted("accept")).body);
    if (!Array.isArray(protocols) || !protocols.includes(FILES)) throw new Error("The device does not support file transfer.");
    return await doing(session.send, inbox);
  } finally {
    signal.removeEventListener("abort", stop);
    session.send(message(CONTROL, "close"));
    session.close();
  }
}

const numberOf = (value: unknown): number => (typeof value === "bigint" ? Number(value) : typeof value === "number" ? value : 0);

export function download(device: string, path: string, onProgress: Progress, signal: AbortSignal): Promise<Blob> {
  return within(device, signal, async (send, inbox) => {
    send(message(FILES, "stat", { body: encode({ path }) }));
    const size = numberOf(mapOf((await inbox.wanted("file_info")).body).size);
    send(message(FILES, "get_file", { body: encode({ path }) }));
    const parts: Uint8Array<ArrayBuffer>[] = [];
    let offset = 0;
    for (let count = 1; ; count++) {
      const chunk = await inbox.wanted("file_chunk");
      if (numberOf(chunk.props.offset ?? offset) !== offset) throw new Error("A part of the file is missing. Try again.");
      offset += chunk.body.length;
      if (!chunk.body.length || count % ACK_EVERY === 0) send(message(FILES, "ack", { props: { offset } }));
      if (!chunk.body.length) return new Blob(parts);
      parts.push(chunk.body.slice());
      onProgress(offset, size);
    }
  });
}

export function upload(device: string, file: Blob, path: string, onProgress: Progress, signal: AbortSignal): Promise<void> {
  return within(device, signal, async (send, inbox) => {
    send(message(FILES, "put_file", { body: encode({ path, src_path: path }) }));
    await inbox.wanted("ack");
    let known = 0;
    for (let sent = 0; ; ) {
      const body = new Uint8Array(await file.slice(sent, sent + CHUNK).arrayBuffer());
      send(message(FILES, "file_chunk", { props: { offset: sent }, body }));
      sent += body.length;
      while (sent - known > WINDOW * CHUNK || (!body.length && known < sent)) {
        known = Math.max(known, numberOf((await inbox.wanted("ack")).props.offset));
        onProgress(known, file.size);
      }
      if (!body.length) {
        if (!sent) await inbox.wanted("ack");
        return;
      }
    }
  });
}
