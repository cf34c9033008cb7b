/** Short messages about what was just done, with undo where it can be undone. */
import { signal } from "@preact/signals";
import { ApiError } from "../api/client";

export interface Toast {
  id: number;
  kind: "ok" | "danger" | "neutral";
  text: string;
  requestId?: string;
  undo?: () => void | Promise<unknown>;
}

export const toasts = signal<readonly Toast[]>([]);
let next = 1;

function show(toast: Omit<Toast, "id">): void {
  const id = next++;
  toasts.value = [...toasts.value.slice(-3), { ...toast, id }];
  // Errors stay until they are closed: somebody may want to copy the request's id.
  if (toast.kind !== "danger") setTimeout(() => dismiss(id), toast.undo ? 10_000 : 5_000);
}

export function dismiss(id: number): void {
  toasts.value = toasts.value.filter((toast) => toast.id !== id);
}

export const toast = {
  ok: (text: string, undo?: Toast["undo"]): void => show({ kind: "ok", text, ...(undo ? { undo } : {}) }),
  note: (text: string): void => show({ kind: "neutral", text }),
  /** What went wrong; takes any error. `doing`: "The device was not renamed". */
  error: (error: unknown, doing?: string): void => {
    if (error instanceof Error && error.name === "AbortError") return;
    if (error instanceof ApiError && error.status === 401) return;
    const text = textOf(error);
    const requestId = error instanceof ApiError ? error.requestId : "";
    show({ kind: "danger", text: doing ? `${doing}: ${text}` : text, ...(requestId ? { requestId } : {}) });
  },
};

export function textOf(error: unknown): string {
  if (error instanceof ApiError && error.status === 429 && error.retryAfter) {
    return `${error.message} Try again in ${error.retryAfter} seconds.`;
  }
  return error instanceof Error ? error.message : String(error);
}

/** Do something and tell how it went. Gives whether it worked. */
export async function attempt(doing: () => Promise<unknown>, done?: string, failed?: string): Promise<boolean> {
  try {
    await doing();
    if (done) toast.ok(done);
    return true;
  } catch (error) {
    toast.error(error, failed);
    return false;
  }
}
