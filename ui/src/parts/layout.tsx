/** How a screen is laid out, so that it needs no styles of its own. */
import type { ComponentChildren } from "preact";
import { useTitle } from "../app/title";
import { classes, Link } from "./basic";
import { Icon } from "./icons";

type Gap = 1 | 2 | 3 | 4 | 5 | 6 | 7;

export interface PageProps {
  /** The `<h1>`, and the title of the tab. */
  title: string;
  /** What is shown as the heading if it is more than text. */
  heading?: ComponentChildren;
  /** One line on what this is, below the title. */
  lead?: ComponentChildren;
  /** Buttons on the right of the title. */
  actions?: ComponentChildren;
  /** Where this belongs: a link above the title. */
  back?: { to: string; label: string };
  /** No wider than what reads well: forms and settings. */
  narrow?: boolean;
  children?: ComponentChildren;
}

/** The frame of every screen: title, actions, content. Use one in each screen. */
export function Page({ title, heading, lead, actions, back, narrow, children }: PageProps) {
  useTitle(title);
  return (
    <div class={classes("page", narrow && "page--narrow")}>
      <header class="page__head">
        <div class="page__title">
          {back && (
            <Link to={back.to} class="page__back">
              <Icon name="back" size={14} />
              {back.label}
            </Link>
          )}
          <h1 dir="auto">{heading ?? title}</h1>
          {lead && <div class="page__lead">{lead}</div>}
        </div>
        {actions && <div class="page__actions">{actions}</div>}
      </header>
      {children}
    </div>
  );
}

/** One below the other. */
export function Stack({ gap = 4, children }: { gap?: Gap; children?: ComponentChildren }) {
  return <div class={`stack gap-${gap}`}>{children}</div>;
}

/** Beside each other, wrapping where there is no room. */
export function Row({ gap = 2, align, justify, children }: { gap?: Gap; align?: "start" | "end" | "baseline"; justify?: "between" | "end"; children?: ComponentChildren }) {
  return <div class={classes("row", `gap-${gap}`, align && `row--${align}`, justify && `row--${justify}`)}>{children}</div>;
}

/** As many columns as have room: `min` is the least width of one. */
export function Grid({ min = "m", gap = 4, children }: { min?: "xs" | "s" | "m" | "l"; gap?: Gap; children?: ComponentChildren }) {
  return <div class={`grid grid--${min} gap-${gap}`}>{children}</div>;
}

/** A main column and a side column, which goes below where there is no room. */
export function Split({ side, children }: { side: ComponentChildren; children?: ComponentChildren }) {
  return (
    <div class="split">
      <div class="split__main">{children}</div>
      <div class="split__side">{side}</div>
    </div>
  );
}

export interface CardProps {
  title?: ComponentChildren;
  /** A line below the title. */
  lead?: ComponentChildren;
  actions?: ComponentChildren;
  /** Without padding: for tables and lists that reach the edge. */
  flush?: boolean;
  /** Of the title: 2 by default. */
  level?: 2 | 3;
  children?: ComponentChildren;
}

export function Card({ title, lead, actions, flush, level = 2, children }: CardProps) {
  const Heading = level === 2 ? "h2" : "h3";
  return (
    <section class={classes("card", flush && "card--flush")}>
      {(title || actions) && (
        <header class="card__head">
          <div>
            {title && <Heading>{title}</Heading>}
            {lead && <p class="muted small">{lead}</p>}
          </div>
          {actions && <div class="card__actions">{actions}</div>}
        </header>
      )}
      <div class="card__body">{children}</div>
    </section>
  );
}

/** A group of things in a form or page, with a heading and without a frame. */
export function Section({ title, lead, actions, children }: Omit<CardProps, "flush" | "level">) {
  return (
    <section class="section">
      {(title || actions) && (
        <header class="card__head">
          <div>
            {title && <h2>{title}</h2>}
            {lead && <p class="muted">{lead}</p>}
          </div>
          {actions && <div class="card__actions">{actions}</div>}
        </header>
      )}
      {children}
    </section>
  );
}

/** Filters and search above a list. */
export function Toolbar({ children, end }: { children?: ComponentChildren; end?: ComponentChildren }) {
  return (
    <div class="toolbar">
      <div class="toolbar__start">{children}</div>
      {end && <div class="toolbar__end">{end}</div>}
    </div>
  );
}

/** Names and values. A value that is null, undefined or empty shows as a dash. */
export function KeyValues({ items, columns }: { items: readonly (readonly [ComponentChildren, ComponentChildren] | false | null | undefined)[]; columns?: boolean }) {
  return (
    <dl class={classes("facts", columns && "facts--columns")}>
      {items.map(
        (item, index) =>
          item && (
            <div key={index}>
              <dt>{item[0]}</dt>
              <dd>{item[1] === null || item[1] === undefined || item[1] === "" ? <span class="muted">–</span> : item[1]}</dd>
            </div>
          ),
      )}
    </dl>
  );
}

/** A number that matters, with what it counts. */
export function Stat({ label, value, is, note, to, query }: { label: string; value: ComponentChildren; is?: string; note?: ComponentChildren; to?: string; query?: Record<string, string> }) {
  const inside = (
    <>
      <span class="stat__label">{label}</span>
      <span class={classes("stat__value numbers", is && `is-${is}`)}>{value}</span>
      {note && <span class="stat__note">{note}</span>}
    </>
  );
  return to ? (
    <Link class="stat stat--link" to={to} {...(query ? { query } : {})}>
      {inside}
    </Link>
  ) : (
    <div class="stat">{inside}</div>
  );
}

/** Text that is long: no wider than what reads well. */
export function Prose({ children }: { children?: ComponentChildren }) {
  return <div class="prose">{children}</div>;
}

