/**
 * The table of the console: rows are drawn only where they are seen, so 100,000 of them scroll like ten. Sort, choice of
 * columns (kept for the user), selection with actions in bulk, keyboard.
 */
import { signal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { format } from "../app/format";
import { stored } from "../app/stored";
import { Button, classes, IconButton } from "./basic";
import { ErrorState } from "./feedback";
import { Checkbox } from "./fields";
import { Icon } from "./icons";
import { Menu, type MenuProps } from "./overlay";

export interface Column<R> {
  id: string;
  title: string;
  cell: (row: R) => ComponentChildren;
  /** The server can sort by it, or `sortBy` does it here. */
  sort?: boolean;
  /** Least width in rem (8 by default), and the share of what is left (1 by default; 0: exactly `min`). */
  min?: number;
  grow?: number;
  /** Numbers stand at the end. */
  end?: boolean;
  /** Not shown until it is chosen. */
  hidden?: boolean;
  /** Can't be taken away. */
  always?: boolean;
  /** Left out where there is little room (phones). */
  wide?: boolean;
}

/** The last column, without a heading: what can be done with a row. `min` as in {@link Column}. */
export const lastColumn = <R,>(cell: (row: R) => ComponentChildren, more: Partial<Column<R>> = {}): Column<R> => ({ id: "do", title: "", min: 3, grow: 0, end: true, cell, ...more });

/** The last column, with a menu for each row for which there is something to do. `name`: of a row, for the menu's name. */
export const actionsColumn = <R,>(name: (row: R) => string, items: (row: R) => MenuProps["items"] | false): Column<R> =>
  lastColumn((row) => {
    const some = items(row);
    return some && <Menu label={`Actions for ${name(row)}`} icon="more" iconOnly items={some} />;
  });

export interface Sort {
  column: string;
  descending: boolean;
}

/** What is selected: some by key, or all that the list's filter takes, but for some. */
export interface Selection {
  all: boolean;
  keys: ReadonlySet<string>;
}

export const nothing: Selection = { all: false, keys: new Set() };

export const isSelected = (selection: Selection, key: string): boolean => selection.all !== selection.keys.has(key);

export const selectedCount = (selection: Selection, total: number): number =>
  selection.all ? Math.max(0, total - selection.keys.size) : selection.keys.size;

export interface DataTableProps<R> {
  /** Of the columns' choice: unique among tables. */
  name: string;
  /** What it lists, for readers of screens: "Devices". */
  label: string;
  columns: readonly Column<R>[];
  /** Those that are there: a page, or all. `undefined` while the first load lasts. */
  rows?: readonly R[] | undefined;
  /** Instead of `rows`, for long lists: the row at an index, if it is loaded (`usePages`). */
  rowAt?: (index: number) => R | undefined;
  /** With `rowAt`: which rows are in sight. */
  onRange?: (first: number, last: number) => void;
  rowKey: (row: R) => string;
  /** How many there are in all on the server. */
  total?: number | undefined;
  sort?: Sort | undefined;
  onSort?: (sort: Sort) => void;
  /** Enter or a click on a row. */
  onOpen?: (row: R) => void;
  selection?: Selection;
  onSelection?: (selection: Selection) => void;
  /** Buttons for what is selected. */
  actions?: (selection: Selection, count: number) => ComponentChildren;
  /** "All 12,345" can be selected, not only those that are loaded. */
  selectAll?: boolean;
  error?: unknown;
  onRetry?: () => unknown;
  /** What is shown if there are no rows. */
  empty?: ComponentChildren;
  /** Being refreshed for another filter. */
  stale?: boolean;
  /** A page's number from 1, with `onPage`: a pager below. */
  page?: number;
  perPage?: number;
  onPage?: (page: number) => void;
  /** What is left of the page's height is its height, with its own scrolling. */
  fill?: boolean;
  /** Rows higher than one line, in rem (2.5 by default). */
  rowHeight?: number;
  /** No choice of columns. */
  plain?: boolean;
}

const MARGIN = 8;
const narrow = signal(false);
if (typeof matchMedia === "function") {
  const media = matchMedia("(max-width: 40rem)");
  narrow.value = media.matches;
  media.addEventListener("change", () => (narrow.value = media.matches));
}

function rem(): number {
  return Number.parseFloat(getComputedStyle(document.documentElement).fontSize) || 16;
}

export function DataTable<R>(props: DataTableProps<R>) {
  const { name, label, columns, rows, rowKey, total, sort, onSort, onOpen, onSelection, actions, error, onRetry, empty, stale } = props;
  const selection = props.selection ?? nothing;
  const chosen = stored<string[] | null>(`columns:${name}`, null);
  const shown = columns.filter(
    (column) => (column.always || (chosen.value ? chosen.value.includes(column.id) : !column.hidden)) && !(narrow.value && column.wide),
  );
  const count = props.rowAt ? (total ?? 0) : (rows?.length ?? 0);
  const rowAt = props.rowAt ?? ((index: number): R | undefined => rows?.[index]);
  const loading = props.rowAt ? total === undefined : rows === undefined;
  const scroller = useRef<HTMLDivElement>(null);
  const [view, setView] = useState({ first: 0, last: 40 });
  const [active, setActive] = useState(0);
  const anchor = useRef(0);
  const height = (props.rowHeight ?? 2.5) * (globalThis.document ? rem() : 16);
  const selectable = onSelection !== undefined;

  // Which rows are in sight: of the table's own scrolling, or of the page's.
  useEffect(() => {
    const element = scroller.current;
    if (!element) return;
    const look = (): void => {
      const box = element.getBoundingClientRect();
      const hidden = props.fill ? element.scrollTop : Math.max(0, -box.top);
      const seen = props.fill ? element.clientHeight : innerHeight;
      const first = Math.max(0, Math.floor(hidden / height) - MARGIN);
      const last = Math.ceil((hidden + seen) / height) + MARGIN;
      setView((old) => (old.first === first && old.last === last ? old : { first, last }));
    };
    look();
    const target = props.fill ? element : globalThis;
    target.addEventListener("scroll", look, { passive: true });
    globalThis.addEventListener("resize", look);
    return () => {
      target.removeEventListener("scroll", look);
      globalThis.removeEventListener("resize", look);
    };
  }, [props.fill, height, loading, count]);

  const first = Math.min(view.first, Math.max(0, count - 1));
  const last = Math.min(count, view.last);
  useEffect(() => {
    if (count) props.onRange?.(first, Math.max(first, last - 1));
  }, [first, last, count, props.onRange]);

  const move = (index: number): void => {
    const next = Math.max(0, Math.min(count - 1, index));
    setActive(next);
    const element = scroller.current;
    if (!element) return;
    const head = 2.25 * rem();
    if (props.fill) {
      const top = next * height;
      if (top < element.scrollTop) element.scrollTop = top;
      else if (top + height + head > element.scrollTop + element.clientHeight) element.scrollTop = top + height + head - element.clientHeight;
    }
    requestAnimationFrame(() => {
      const row = element.querySelector<HTMLElement>(`[data-index="${next}"]`);
      row?.focus({ preventScroll: props.fill === true });
      if (!props.fill) row?.scrollIntoView({ block: "nearest" });
    });
  };
  const toggle = (index: number, range: boolean): void => {
    if (!onSelection) return;
    const keys = new Set(selection.keys);
    const row = rowAt(index);
    if (row === undefined) return;
    const on = !isSelected(selection, rowKey(row));
    const [from, to] = range ? [Math.min(anchor.current, index), Math.max(anchor.current, index)] : [index, index];
    for (let at = from; at <= to; at++) {
      const each = rowAt(at);
      if (each === undefined) continue;
      if (on !== selection.all) keys.add(rowKey(each));
      else keys.delete(rowKey(each));
    }
    anchor.current = index;
    onSelection({ all: selection.all, keys });
  };
  const here = useMemo(() => {
    const keys: string[] = [];
    for (let index = 0; index < (props.rowAt ? last : count); index++) {
      const row = rowAt(index);
      if (row !== undefined) keys.push(rowKey(row));
    }
    return keys;
  }, [rows, props.rowAt, count, last]);
  const picked = selectedCount(selection, total ?? count);
  const everyHere = here.length > 0 && here.every((key) => isSelected(selection, key));

  const template = [
    selectable ? "2.5rem" : "",
    ...shown.map((column) => (column.grow === 0 ? `${column.min ?? 8}rem` : `minmax(${narrow.value ? Math.min(column.min ?? 8, 7) : (column.min ?? 8)}rem, ${column.grow ?? 1}fr)`)),
  ]
    .filter(Boolean)
    .join(" ");
  const body = useRef<HTMLDivElement>(null);
  useLayoutEffect(() => {
    body.current?.style.setProperty("--columns", template);
    body.current?.style.setProperty("--row", `${props.rowHeight ?? 2.5}rem`);
  });

  if (error && count === 0) {
    return (
      <div class="table table--message">
        <ErrorState error={error} {...(onRetry ? { onRetry } : {})} />
      </div>
    );
  }
  if (!loading && count === 0) return <div class="table table--message">{empty ?? <p class="muted">Nothing here.</p>}</div>;

  const visible: ComponentChildren[] = [];
  for (let index = first; index < last; index++) {
    const row = rowAt(index);
    const key = row === undefined ? `-${index}` : rowKey(row);
    const on = row !== undefined && selectable && isSelected(selection, key);
    visible.push(
      <div
        // Of a long list by its place, so that a row that was jumped to keeps the focus when its data come.
        key={props.rowAt ? index : key}
        role="row"
        class={classes("table__row", on && "table__row--on", onOpen && "table__row--opens")}
        aria-rowindex={index + 2}
        {...(selectable ? { "aria-selected": on } : {})}
        data-index={index}
        tabIndex={index === Math.min(active, count - 1) ? 0 : -1}
        onFocus={(event) => event.target === event.currentTarget && setActive(index)}
        onClick={(event) => {
          const target = event.target as HTMLElement;
          if (row === undefined || target.closest("a, button, input, label, [popover], dialog") || getSelection()?.toString()) return;
          if (event.shiftKey && selectable) toggle(index, true);
          else onOpen?.(row);
        }}
      >
        {selectable && (
          <div role="gridcell" class="table__cell table__check">
            {row !== undefined && (
              <label
                onClick={(event) => {
                  if (!event.shiftKey) return;
                  event.preventDefault();
                  toggle(index, true);
                }}
              >
                <input type="checkbox" tabIndex={-1} checked={on} aria-label={`Select row ${index + 1}`} onChange={() => toggle(index, false)} />
              </label>
            )}
          </div>
        )}
        {shown.map((column) => (
          <div key={column.id} role="gridcell" class={classes("table__cell", column.end && "table__cell--end")}>
            {row === undefined ? <span class="skeleton__line" /> : column.cell(row)}
          </div>
        ))}
      </div>,
    );
  }

  return (
    <div class={classes("table", props.fill && "table--fill", stale && "table--stale")} aria-busy={loading || stale || undefined}>
      {picked > 0 && (
        <div class="table__bulk" role="region" aria-label="Selection">
          <strong class="numbers">{format.number(picked)} selected</strong>
          {props.selectAll && !selection.all && everyHere && (total ?? 0) > here.length && (
            <Button kind="quiet" small onClick={() => onSelection?.({ all: true, keys: new Set() })}>
              Select all {format.number(total ?? 0)}
            </Button>
          )}
          <Button kind="quiet" small onClick={() => onSelection?.(nothing)}>
            Clear
          </Button>
          <div class="table__actions">{actions?.(selection, picked)}</div>
        </div>
      )}
      <div
        class="table__scroll"
        ref={scroller}
        onKeyDown={(event) => {
          const row = (event.target as HTMLElement).closest<HTMLElement>("[data-index]");
          if (!row || event.target !== row) return;
          const at = Number(row.dataset.index);
          const page = Math.max(1, Math.floor((props.fill ? (scroller.current?.clientHeight ?? 400) : innerHeight) / height) - 2);
          const to = { ArrowDown: at + 1, ArrowUp: at - 1, PageDown: at + page, PageUp: at - page, Home: 0, End: count - 1 }[event.key];
          const found = rowAt(at);
          if (to !== undefined) {
            event.preventDefault();
            if (event.shiftKey && selectable) toggle(to, false);
            move(to);
          } else if (event.key === " " && selectable) {
            event.preventDefault();
            toggle(at, event.shiftKey);
          } else if (event.key === "Enter" && found !== undefined) onOpen?.(found);
          else if (event.key.toLowerCase() === "a" && (event.ctrlKey || event.metaKey) && onSelection) {
            event.preventDefault();
            onSelection({ all: false, keys: new Set(here) });
          } else if (event.key === "Escape" && picked) onSelection?.(nothing);
        }}
      >
        <div
          ref={body}
          class="table__grid"
          role="grid"
          aria-label={label}
          aria-rowcount={count + 1}
          aria-colcount={shown.length + (selectable ? 1 : 0)}
          {...(selectable ? { "aria-multiselectable": true } : {})}
        >
          <div role="row" class="table__head" aria-rowindex={1}>
            {selectable && (
              <div role="columnheader" class="table__cell table__check">
                <Checkbox
                  label={`Select ${everyHere ? "none" : "these"}`}
                  hideLabel
                  checked={everyHere}
                  mixed={picked > 0 && !everyHere}
                  disabled={loading}
                  onChange={(on) => onSelection?.(on ? { all: false, keys: new Set(here) } : nothing)}
                />
              </div>
            )}
            {shown.map((column) => {
              const by = sort?.column === column.id;
              return (
                <div
                  key={column.id}
                  role="columnheader"
                  class={classes("table__cell", column.end && "table__cell--end")}
                  {...(column.sort ? { "aria-sort": by ? (sort.descending ? ("descending" as const) : ("ascending" as const)) : ("none" as const) } : {})}
                >
                  {column.sort && onSort ? (
                    <button type="button" class="table__sort" onClick={() => onSort({ column: column.id, descending: by ? !sort.descending : false })}>
                      <span>{column.title}</span>
                      <Icon name={by && sort.descending ? "down" : "up"} size={13} class={by ? "" : "table__unsorted"} />
                    </button>
                  ) : (
                    // A column of buttons shows no title, but has one for readers of screens.
                    <span class={column.title ? undefined : "seen-by-readers"}>{column.title || "Actions"}</span>
                  )}
                </div>
              );
            })}
          </div>
          {loading ? (
            Array.from({ length: 8 }, (_, index) => (
              <div key={index} role="row" class="table__row">
                {selectable && <div role="gridcell" class="table__cell" />}
                {shown.map((column) => (
                  <div key={column.id} role="gridcell" class="table__cell">
                    <span class="skeleton__line" />
                  </div>
                ))}
              </div>
            ))
          ) : (
            <>
              <div class="table__space" role="presentation" style={{ height: `${first * height}px` }} />
              {visible}
              <div class="table__space" role="presentation" style={{ height: `${Math.max(0, count - last) * height}px` }} />
            </>
          )}
        </div>
      </div>
      <div class="table__foot">
        {props.onPage ? (
          <Pager page={props.page ?? 1} perPage={props.perPage ?? count} {...(total === undefined ? {} : { total })} shown={count} onPage={props.onPage} />
        ) : (
          <span class="muted small numbers">{loading ? "" : format.count(total ?? count, "row")}</span>
        )}
        {!props.plain && (
          <Menu
            label="Columns"
            icon="columns"
            small
            kind="quiet"
            items={columns
              .filter((column) => !column.always)
              .map((column) => {
                const on = chosen.value ? chosen.value.includes(column.id) : !column.hidden;
                return {
                  label: column.title,
                  checked: on,
                  onSelect: () => {
                    const now = chosen.value ?? columns.filter((each) => !each.hidden).map((each) => each.id);
                    chosen.value = on ? now.filter((id) => id !== column.id) : [...now, column.id];
                  },
                };
              })}
          />
        )}
      </div>
    </div>
  );
}

/** From page to page of a list on the server. Without `total`, on as long as pages are full. */
export function Pager({ page, perPage, total, shown, onPage }: { page: number; perPage: number; total?: number; shown: number; onPage: (page: number) => void }) {
  const from = shown ? (page - 1) * perPage + 1 : 0;
  const to = (page - 1) * perPage + shown;
  const more = total === undefined ? shown >= perPage : to < total;
  return (
    <nav class="pager" aria-label="Pages">
      <IconButton icon="previous" label="Previous page" small disabled={page <= 1} onClick={() => onPage(page - 1)} />
      <span class="muted small numbers">
        {format.number(from)}–{format.number(to)}
        {total !== undefined && ` of ${format.number(total)}`}
      </span>
      <IconButton icon="next" label="Next page" small disabled={!more} onClick={() => onPage(page + 1)} />
    </nav>
  );
}

/** Sort rows that are all here. */
export function sortRows<R>(rows: readonly R[], sort: Sort | undefined, by: Record<string, (row: R) => string | number>): R[] {
  const key = sort && by[sort.column];
  if (!key) return [...rows];
  const order = sort.descending ? -1 : 1;
  return [...rows].sort((a, b) => {
    const [x, y] = [key(a), key(b)];
    return order * (typeof x === "number" && typeof y === "number" ? x - y : String(x).localeCompare(String(y), undefined, { numeric: true }));
  });
}
