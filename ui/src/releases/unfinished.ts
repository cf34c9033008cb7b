/**
 * Which uploads were not finished, so that the same file goes on where it stopped, also after a reload of the page.
 *
 * Kept are the upload's id and a digest by which the file is recognised: neither its name nor any secret.
 */
import { session } from "../app/session";
import { stored } from "../app/stored";
import { PART_SIZE } from "./parts";

interface Known {
  id: string;
  /** When the server gives it up. */
  until: string;
}

const kept = () => stored<Record<string, Known>>(`uploads:${session.value?.tenant.id ?? ""}`, {});

/** Those that the server still has, by the digests of their files. */
export const unfinished = (now = Date.now()): Record<string, Known> =>
  Object.fromEntries(Object.entries(kept().value).filter(([, each]) => Date.parse(each.until) > now));

export const note = (file: string, known: Known): void => {
  if (file) kept().value = { ...unfinished(), [file]: known };
};

export const forget = (file: string): void => {
  const { [file]: _, ...others } = unfinished();
  kept().value = others;
};

/**
 * Tells a file from others: by name, size, time of its last change, and the content of its first part.
 *
 * Empty over plain HTTP, where browsers have no digests: such an upload does not go on after a reload.
 */
export async function digestOf(file: File): Promise<string> {
  if (!globalThis.crypto?.subtle) return "";
  const first = await sha256(await file.slice(0, PART_SIZE).arrayBuffer());
  return sha256(new TextEncoder().encode(JSON.stringify([file.name, file.size, file.lastModified, first])));
}

async function sha256(data: BufferSource): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", data);
  return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
