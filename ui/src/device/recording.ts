/** A recorded terminal session: read from its file, on a line of time without long silences. */
import { decode } from "@msgpack/msgpack";

export interface Part {
  /** Milliseconds from the beginning, silences cut. */
  at: number;
  output: Uint8Array;
  width: number;
  height: number;
}

/** Silence is shown no longer than this. */
const LONGEST = 1500;

export function read(data: Uint8Array): Part[] {
  const raw = decode(data) as [number, Uint8Array?, number?, number?][];
  let at = 0;
  let before: number | undefined;
  return raw.map(([time, output, width, height]) => {
    at += before === undefined ? 0 : Math.min(LONGEST, Math.max(0, Number(time) - before));
    before = Number(time);
    return { at, output: output ?? new Uint8Array(), width: width ?? 0, height: height ?? 0 };
  });
}

export async function unpack(response: Response): Promise<Part[]> {
  const plain = response.body?.pipeThrough(new DecompressionStream("gzip"));
  return read(new Uint8Array(await new Response(plain).arrayBuffer()));
}
