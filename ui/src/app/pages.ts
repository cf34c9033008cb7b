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

/** Pages that are kept; those farthest from what is in sight are fetched again when they are. */
const KEPT = 40;
/** Milliseconds for which rows must be in sight before they are fetched: whoever drags the bar passes most of them. */
const REST = 80;

/** `load(page, signal)` gives page 1, 2, ... of `perPage` rows. What `key` stands for (filter, sort) starts anew if it changes. */
export function usePages<R>(key: string, perPage: number, load: (page: number, signal: AbortSignal) => Promise<Answer<R[]>>): Pages<R> {
  const [, redraw] = useState(0);
  const state = useRef({ key: "", pages: new Map<number, R[] | "loading">(), total: undefined as number | undefined, error: undefined as ApiError | undefined, abort: new AbortController(), range: [0, 0] as [number, number], timer: undefined as ReturnType<typeof setTimeout> | undefined });
  const now = state.current;

  const fetchPage = useCallback((page: number): void => {
    const mine = state.current.abort;
    if (state.current.pages.has(page)) return;
    state.current.pages.set(page, "loading");
    load(page, mine.signal)
      .then((answer) => {
        if (mine.signal.aborted) return;
        state.current.pages.set(page, answer.data);
        forget(state.current.pages, state.current.range, perPage);
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
      for (const page of pagesOf([first, last], perPage)) fetchPage(page);
      redraw((count) => count + 1);
    },
    [key],
  );
  useEffect(() => {
    begin(false);
    return () => {
      clearTimeout(state.current.timer);
      state.current.abort.abort();
    };
  }, [key]);

  return {
    rowAt: useCallback((index: number) => {
      const page = state.current.pages.get(Math.floor(index / perPage) + 1);
      return Array.isArray(page) ? page[index % perPage] : undefined;
    }, [key, perPage]),
    onRange: useCallback(
      (first: number, last: number) => {
        state.current.range = [first, last];
        clearTimeout(state.current.timer);
        if (pagesOf([first, last], perPage).every((page) => state.current.pages.has(page))) return;
        state.current.timer = setTimeout(() => {
          for (const page of pagesOf(state.current.range, perPage)) fetchPage(page);
        }, REST);
      },
      [key],
    ),
    total: now.key === key ? now.total : undefined,
    error: now.error,
    reload: () => begin(true),
  };
}

/** The pages with these rows, from 1. */
function pagesOf([first, last]: readonly [number, number], perPage: number): number[] {
  const from = Math.floor(first / perPage) + 1;
  return Array.from({ length: Math.floor(last / perPage) + 2 - from }, (_, index) => from + index);
}

/** Drop the pages that are farthest from the rows in sight, if there are too many. */
function forget(pages: Map<number, unknown>, range: readonly [number, number], perPage: number): void {
  const [here = 1] = pagesOf(range, perPage);
  const far = [...pages.keys()].sort((one, other) => Math.abs(one - here) - Math.abs(other - here));
  for (const page of far.slice(KEPT)) pages.delete(page);
}
