/** A long list of the server's, page by page as it is scrolled: for `DataTable` with `rowAt`. */
import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { type Answer, ApiError } from "../api/client";

export interface Pages<R> {
  rowAt: (index: number) => R | undefined;
  onRange: (first: number, last: number) => void;
  total: number | undefined;
  error: ApiError | undefined;
  /** All pages anew; those in sight at once. */
  reload: () => void;
}

/** `load(page, signal)` gives page 1, 2, ... of `perPage` rows. What `key` stands for (filter, sort) starts anew if it changes. */
export function usePages<R>(key: string, perPage: number, load: (page: number, signal: AbortSignal) => Promise<Answer<R[]>>): Pages<R> {
  const [, redraw] = useState(0);
  const state = useRef({ key: "", pages: new Map<number, R[] | "loading">(), total: undefined as number | undefined, error: undefined as ApiError | undefined, abort: new AbortController(), range: [0, 0] as [number, number] });
  const now = state.current;

  const fetchPage = useCallback((page: number): void => {
    const mine = state.current.abort;
    if (state.current.pages.has(page)) return;
    state.current.pages.set(page, "loading");
    load(page, mine.signal)
      .then((answer) => {
        if (mine.signal.aborted) return;
        state.current.pages.set(page, answer.data);
        state.current.total = answer.total ?? (answer.data.length < perPage ? (page - 1) * perPage + answer.data.length : state.current.total);
        state.current.error = undefined;
      })
      .catch((error: unknown) => {
        if (mine.signal.aborted) return;
        state.current.pages.delete(page);
        state.current.error = error instanceof ApiError ? error : new ApiError(0, String(error));
      })
      .finally(() => !mine.signal.aborted && redraw((count) => count + 1));
  }, [key]);

  const begin = useCallback(
    (keepTotal: boolean): void => {
      state.current.abort.abort();
      state.current = { ...state.current, key, pages: new Map(), total: keepTotal ? state.current.total : undefined, error: undefined, abort: new AbortController() };
      const [first, last] = keepTotal ? state.current.range : [0, 0];
      for (let page = Math.floor(first / perPage) + 1; page <= Math.floor(last / perPage) + 1; page++) fetchPage(page);
      redraw((count) => count + 1);
    },
    [key],
  );
  useEffect(() => {
    begin(false);
    return () => state.current.abort.abort();
  }, [key]);

  return {
    rowAt: useCallback((index: number) => {
      const page = state.current.pages.get(Math.floor(index / perPage) + 1);
      return Array.isArray(page) ? page[index % perPage] : undefined;
    }, [key, perPage]),
    onRange: useCallback(
      (first: number, last: number) => {
        state.current.range = [first, last];
        for (let page = Math.floor(first / perPage) + 1; page <= Math.floor(last / perPage) + 1; page++) fetchPage(page);
      },
      [key],
    ),
    total: now.key === key ? now.total : undefined,
    error: now.error,
    reload: () => begin(true),
  };
}
