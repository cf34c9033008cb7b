/** One request with a body, and how far it is: `fetch` does not tell that. */

export const stopped = (): DOMException => new DOMException("The upload was stopped.", "AbortError");

/** Resolves with the request when it has ended; status 0: there was no answer. Rejects with an `AbortError` when `signal` is aborted. */
export function transfer(method: string, url: string, headers: Record<string, string>, body: Blob | FormData, onSent: (bytes: number) => void, signal: AbortSignal): Promise<XMLHttpRequest> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) {
      reject(stopped());
      return;
    }
    const request = new XMLHttpRequest();
    const stop = (): void => request.abort();
    request.open(method, url);
    for (const [name, value] of Object.entries(headers)) if (!/^(host|content-length)$/i.test(name)) request.setRequestHeader(name, value);
    request.upload.onprogress = (event) => onSent(event.loaded);
    request.onloadend = () => {
      signal.removeEventListener("abort", stop);
      if (signal.aborted) reject(stopped());
      else resolve(request);
    };
    signal.addEventListener("abort", stop);
    request.send(body);
  });
}
