/**
 * An artifact's way to the server: by a signed link straight to the bucket, or through the API where the bucket can't be
 * reached. Then the server verifies it, and the verdict is asked for until it is there.
 */
import { ApiError, api, call, urlOf } from "../api/client";
import { ARTIFACTS } from "./types";

export type Stage = "sending" | "verifying" | "done";

export interface Progress {
  stage: Stage;
  /** Bytes sent so far. */
  sent: number;
}

interface UploadLink {
  id: string;
  uri: string;
  method: string;
  header: Record<string, string>;
}

interface Verdict {
  id: string;
  status: "pending" | "verifying" | "accepted" | "refused";
  refusal?: { status: number; error: string } | null;
}

/** The bucket did not take the file, so that it may go another way. */
class Unreachable extends Error {}

/** Send one file. Gives the new artifact's id. Throws an `ApiError` with what the server says, or `AbortError`. */
export async function upload(file: File, description: string, onProgress: (progress: Progress) => void, signal: AbortSignal): Promise<string> {
  const sending = (sent: number): void => onProgress({ stage: "sending", sent });
  sending(0);
  const link = await api.post<UploadLink>(`${ARTIFACTS}/directupload`, { description, size: String(file.size) }, { signal });
  try {
    await send(link.method, link.uri, link.header, file, sending, signal);
  } catch (error) {
    if (!(error instanceof Unreachable)) throw error;
    return throughApi(`${ARTIFACTS}`, form({ description, size: String(file.size) }, "artifact", file), sending, signal);
  }
  onProgress({ stage: "verifying", sent: file.size });
  await api.post(`${ARTIFACTS}/directupload/${encodeURIComponent(link.id)}/complete`, undefined, { signal });
  const id = await verdict(link.id, signal);
  onProgress({ stage: "done", sent: file.size });
  return id;
}

export interface Wish {
  name: string;
  description: string;
  deviceTypes: string[];
  directory: string;
}

/** Have the server make an artifact of a file, to be installed into a directory of the device. Gives its id. */
export function generate(file: File, wish: Wish, onProgress: (progress: Progress) => void, signal: AbortSignal): Promise<string> {
  const fields = {
    name: wish.name,
    description: wish.description,
    device_types_compatible: wish.deviceTypes.join(","),
    type: "single_file",
    args: JSON.stringify({ filename: file.name, dest_dir: wish.directory }),
  };
  return throughApi(`${ARTIFACTS}/generate`, form(fields, "file", file), (sent) => onProgress({ stage: "sending", sent }), signal);
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

async function send(method: string, uri: string, headers: Record<string, string>, file: File, onSent: (bytes: number) => void, signal: AbortSignal): Promise<void> {
  const answer = await transfer(method, uri, headers, file, onSent, signal);
  if (answer.status === 0) throw new Unreachable();
  if (answer.status >= 300) throw new ApiError(answer.status, `The storage refused the file (status ${answer.status}). Try again.`);
}

/** `fetch` tells nothing of how far an upload is; this does. Status 0: there was no answer. */
function transfer(method: string, url: string, headers: Record<string, string>, body: File | FormData, onSent: (bytes: number) => void, signal: AbortSignal): Promise<XMLHttpRequest> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    const stop = (): void => request.abort();
    request.open(method, url);
    for (const [name, value] of Object.entries(headers)) if (!/^(host|content-length)$/i.test(name)) request.setRequestHeader(name, value);
    request.upload.onprogress = (event) => onSent(event.loaded);
    request.onloadend = () => {
      signal.removeEventListener("abort", stop);
      if (signal.aborted) reject(new DOMException("The upload was stopped.", "AbortError"));
      else resolve(request);
    };
    signal.addEventListener("abort", stop);
    request.send(body);
  });
}

async function verdict(id: string, signal: AbortSignal): Promise<string> {
  for (let wait = 300; ; wait = Math.min(wait * 1.5, 5000)) {
    const { data } = await call<Verdict>("GET", `${ARTIFACTS}/directupload/${encodeURIComponent(id)}`, { signal });
    if (data.status === "accepted") return data.id;
    if (data.status === "refused") throw refused(data.refusal);
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
      reject(new DOMException("The upload was stopped.", "AbortError"));
    });
  });
}
