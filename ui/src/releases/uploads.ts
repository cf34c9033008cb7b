/**
 * An artifact's way to the server: in parts straight to the bucket, or through the API where the bucket can't be reached.
 * Then the server verifies it, and the verdict is asked for until it is there.
 */
import type { Shape } from "../api/calls";
import { ApiError, api, urlOf } from "../api/client";
import { Gate, heedNetwork } from "./gate";
import { type Part, PART_SIZE, persist, sendParts, Unreachable } from "./parts";
import { stopped, transfer } from "./transfer";
import { ARTIFACTS } from "./types";
import { digestOf, forget, note, unfinished } from "./unfinished";

export type Stage = "sending" | "verifying" | "done";

export interface Progress {
  stage: Stage;
  /** Bytes sent so far. */
  sent: number;
  /** It can be paused. */
  inParts?: boolean;
}

type Report = (progress: Progress) => void;

type Verdict = Shape<"Verdict">;

const DIRECT = `${ARTIFACTS}/directupload` as const;
const direct = (id: string) => `${DIRECT}/${encodeURIComponent(id)}` as const;

/** What sends one file. */
export interface Job {
  /** Pauses it, where it can be paused. */
  gate?: Gate;
  /** Send it, or what is missing of it. Gives the new artifact's id. Throws an `ApiError` with what the server says, or `AbortError`. */
  run(report: Report): Promise<string>;
  /** End it for now. */
  leave(): void;
  /** End it for good. */
  stop(): void;
}

/** A file that is sent in parts: it can be paused, resumed, stopped, and left to go on another time. */
export class Upload implements Job {
  readonly gate = new Gate();
  private readonly ended = new AbortController();
  private digest = "";
  private id = "";

  constructor(private readonly file: File, private readonly description: string) {}

  async run(report: Report): Promise<string> {
    const ignore = heedNetwork(this.gate);
    try {
      return await this.send(report);
    } finally {
      ignore();
    }
  }

  /** The same file then goes on where it stopped. */
  leave(): void {
    this.ended.abort();
  }

  /** What has arrived is deleted. */
  stop(): void {
    this.ended.abort();
    void this.giveUp();
  }

  private async send(report: Report): Promise<string> {
    const { file } = this;
    const { signal } = this.ended;
    const sending = (sent: number): void => report({ stage: "sending", sent, inParts: true });
    sending(0);
    this.digest = await digestOf(file);
    if ((await this.begin()) === "pending") {
      const way = {
        list: (page: number, perPage: number) => api.get(`${direct(this.id)}/parts`, { page, per_page: perPage }, { signal }),
        put: (part: Part, onSent: (bytes: number) => void, until: AbortSignal) => this.put(part, onSent, until),
      };
      try {
        await sendParts(way, this.gate, sending, signal);
      } catch (error) {
        if (error instanceof Unreachable) return this.throughApi(report);
        if (error instanceof ApiError && error.status === 404) forget(this.digest); // the server has given it up
        throw error;
      }
      await persist(() => api.post(`${direct(this.id)}/complete`, undefined, { signal }), this.gate, signal);
    }
    report({ stage: "verifying", sent: file.size });
    const found = await verdict(this.id, this.gate, signal);
    forget(this.digest);
    if (found.status === "refused") throw refused(found.refusal);
    return found.id;
  }

  /** Go on with what this file began some time, or begin; gives what is known of it. */
  private async begin(): Promise<Verdict["status"]> {
    const { signal } = this.ended;
    const known = unfinished()[this.digest];
    if (known) {
      try {
        const { status } = await persist(() => api.get(direct(known.id), {}, { signal }), this.gate, signal);
        this.id = known.id;
        if (status !== "refused") return status;
      } catch (error) {
        if (!(error instanceof ApiError) || error.status !== 404) throw error;
      }
      forget(this.digest);
    }
    const about = { description: this.description, size: this.file.size, part_size: PART_SIZE };
    const announced = await persist(() => api.post(DIRECT, about, { signal }), this.gate, signal);
    this.id = announced.id;
    if ("valid_until" in announced) note(this.digest, { id: announced.id, until: announced.valid_until });
    return "pending";
  }

  private async put(part: Part, onSent: (bytes: number) => void, signal: AbortSignal): Promise<number> {
    const start = (part.number - 1) * PART_SIZE;
    const answer = await transfer("PUT", part.uri ?? "", {}, this.file.slice(start, start + part.size), onSent, signal);
    return answer.status;
  }

  private throughApi(report: Report): Promise<string> {
    void this.giveUp();
    const fields = { description: this.description, size: String(this.file.size) };
    return throughApi(ARTIFACTS, form(fields, "artifact", this.file), (sent) => report({ stage: "sending", sent }), this.ended.signal);
  }

  private async giveUp(): Promise<void> {
    forget(this.digest);
    try {
      if (this.id) await api.del(direct(this.id));
    } catch {
      // The server gives it up by itself after some days.
    }
  }
}

export interface Wish {
  name: string;
  description: string;
  deviceTypes: string[];
  directory: string;
}

/** Have the server make an artifact of a file, to be installed into a directory of the device. */
export function making(file: File, wish: Wish): Job {
  const ended = new AbortController();
  const end = (): void => ended.abort();
  return { run: (report) => generate(file, wish, report, ended.signal), leave: end, stop: end };
}

export function generate(file: File, wish: Wish, report: Report, signal: AbortSignal): Promise<string> {
  const fields = {
    name: wish.name,
    description: wish.description,
    device_types_compatible: wish.deviceTypes.join(","),
    type: "single_file",
    args: JSON.stringify({ filename: file.name, dest_dir: wish.directory }),
  };
  return throughApi(`${ARTIFACTS}/generate`, form(fields, "file", file), (sent) => report({ stage: "sending", sent }), signal);
}

/** The server reads a form as it comes: the file is its last part. */
export function form(fields: Record<string, string>, name: string, file: File): FormData {
  const data = new FormData();
  for (const [field, value] of Object.entries(fields)) data.append(field, value);
  data.append(name, file);
  return data;
}

async function throughApi(path: string, data: FormData, onSent: (bytes: number) => void, signal: AbortSignal): Promise<string> {
  const answer = await transfer("POST", urlOf(path), {}, data, onSent, signal);
  if (answer.status === 0) throw new ApiError(0, "The upload was cut off. Check your connection and try again.");
  if (answer.status >= 300) throw refusal(answer.status, answer.responseText, answer.getResponseHeader("x-men-requestid") ?? "");
  return (answer.getResponseHeader("location") ?? "").split("/").pop() ?? "";
}

async function verdict(id: string, gate: Gate, signal: AbortSignal): Promise<Verdict> {
  for (let wait = 300; ; wait = Math.min(wait * 1.5, 5000)) {
    const found = await persist(() => api.get(direct(id), {}, { signal }), gate, signal);
    if (found.status === "accepted" || found.status === "refused") return found;
    await pause(wait, signal);
  }
}

function refused(refusal: Verdict["refusal"]): ApiError {
  return new ApiError(refusal?.status ?? 422, refusal?.error ?? "The server refused the artifact.", "", refusal);
}

function refusal(status: number, text: string, requestId: string): ApiError {
  let body: { error?: string } | undefined;
  try {
    body = JSON.parse(text) as { error?: string };
  } catch {
    body = undefined;
  }
  return new ApiError(status, body?.error ?? `The server refused the file (status ${status}).`, requestId, body);
}

function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, milliseconds);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(stopped());
    });
  });
}
