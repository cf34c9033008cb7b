/** Buttons, links, and the small pieces of text that say how something is. */
import type { ComponentChildren, JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { format, type Moment, now, toDate } from "../app/format";
import { href, type QueryChange } from "../app/router";
import { toast } from "../app/toasts";
import { Icon, type IconName } from "./icons";

export type Meaning = "ok" | "running" | "waiting" | "warning" | "danger" | "neutral";

export function classes(...names: unknown[]): string {
  return names.filter(Boolean).join(" ");
}

let counted = 0;
/** An id that is unique in the page, for labels and descriptions. */
export function useUid(prefix = "u"): string {
  const [id] = useState(() => `${prefix}${++counted}`);
  return id;
}

export interface ButtonProps extends Omit<JSX.IntrinsicElements["button"], "icon" | "size" | "role"> {
  /** `primary`: the one thing to do here. `danger`: it can't be undone. `quiet`: without a border, for rows and bars. */
  kind?: "primary" | "danger" | "quiet";
  icon?: IconName;
  /** Something is being done: shown as busy, and not clickable. A promise from `onClick` does this by itself. */
  busy?: boolean;
  small?: boolean;
  onClick?: (event: MouseEvent) => unknown;
}

export function Button({ kind, icon, busy, small, children, class: className, onClick, disabled, ...rest }: ButtonProps) {
  const [running, setRunning] = useState(false);
  const alive = useRef(true);
  useEffect(() => () => void (alive.current = false), []);
  const working = busy || running;
  return (
    <button
      type="button"
      {...rest}
      class={classes("button", kind && `button--${kind}`, small && "button--small", className as string)}
      disabled={disabled}
      aria-busy={working || undefined}
      aria-disabled={working || undefined}
      onClick={(event: MouseEvent) => {
        if (working) {
          event.preventDefault();
          return;
        }
        const result = onClick?.(event);
        if (result instanceof Promise) {
          setRunning(true);
          result.catch((error: unknown) => toast.error(error)).finally(() => alive.current && setRunning(false));
        }
      }}
    >
      {working ? <Icon name="loading" class="spin" /> : icon && <Icon name={icon} />}
      {children}
    </button>
  );
}

export interface IconButtonProps extends Omit<ButtonProps, "children" | "icon" | "label"> {
  icon: IconName;
  /** What it does: its name, and shown when pointed at. */
  label: string;
}

export function IconButton({ icon, label, class: className, ...rest }: IconButtonProps) {
  return <Button kind="quiet" {...rest} icon={icon} class={classes("button--icon", className as string)} aria-label={label} title={label} />;
}

export interface LinkProps extends Omit<JSX.IntrinsicElements["a"], "href" | "icon" | "role"> {
  /** A path of the console: `/devices`. */
  to?: string;
  query?: QueryChange;
  /** An address outside of the console. It opens in a new tab. */
  outside?: string;
  /** Look like a button. */
  button?: "primary" | "plain" | "quiet";
  icon?: IconName;
  small?: boolean;
}

export function Link({ to, query, outside, button, icon, small, class: className, children, ...rest }: LinkProps) {
  const target = outside ? { href: outside, target: "_blank", rel: "noopener noreferrer" } : { href: href(to ?? "/", query) };
  return (
    <a
      {...rest}
      {...target}
      class={classes(button ? "button" : "link", button && button !== "plain" && `button--${button}`, button && small && "button--small", className as string)}
    >
      {icon && <Icon name={icon} />}
      {children}
      {outside && <Icon name="outside" size={13} label="opens in a new tab" />}
    </a>
  );
}

const ICONS: Record<Meaning, IconName> = {
  ok: "ok",
  running: "running",
  waiting: "clock",
  warning: "warning",
  danger: "failed",
  neutral: "minus",
};

/** How something is, as icon and word: never by colour alone. */
export function Status({ is, children, icon }: { is: Meaning; children: ComponentChildren; icon?: IconName }) {
  return (
    <span class={`status is-${is}`}>
      <Icon name={icon ?? ICONS[is]} size={14} />
      <span>{children}</span>
    </span>
  );
}

/** A small label; with a meaning it is coloured. */
export function Badge({ is = "neutral", children, onRemove, removeLabel }: { is?: Meaning | "accent"; children: ComponentChildren; onRemove?: () => void; removeLabel?: string }) {
  return (
    <span class={`badge is-${is}`}>
      <span dir="auto">{children}</span>
      {onRemove && (
        <button type="button" class="badge__remove" aria-label={removeLabel ?? "Remove"} onClick={onRemove}>
          <Icon name="close" size={12} />
        </button>
      )}
    </span>
  );
}

/** A name that somebody gave: of any length and direction. Cut at one line unless `wrap`; whole when pointed at. */
export function Name({ children, wrap, mono }: { children: string; wrap?: boolean; mono?: boolean }) {
  return (
    <bdi dir="auto" class={classes("name", wrap && "name--wrap", mono && "mono")} title={wrap ? undefined : children}>
      {children}
    </bdi>
  );
}

/** A time in the reader's zone: how long ago, or (`absolute`) the date; in UTC when pointed at. */
export function Time({ at, absolute, exact }: { at: Moment | null | undefined; absolute?: boolean; exact?: boolean }) {
  if (at === null || at === undefined || at === "" || Number.isNaN(toDate(at).getTime())) return <span class="muted">–</span>;
  const date = toDate(at);
  const text = exact ? format.exact(date) : absolute ? format.moment(date) : format.relative(date, now.value);
  return (
    <time class="time" dateTime={date.toISOString()} title={`${format.exact(date)}\n${format.utc(date)}`}>
      {text}
    </time>
  );
}

export function Bytes({ value }: { value: number }) {
  return (
    <span class="numbers" title={`${format.number(value)} bytes`}>
      {format.bytes(value)}
    </span>
  );
}

/** A number; with `to`, a link to the list behind it. */
export function Count({ value, to, query, short }: { value: number; to?: string; query?: QueryChange; short?: boolean }) {
  const text = short ? format.short(value) : format.number(value);
  const title = short && value >= 1000 ? format.number(value) : undefined;
  if (to) {
    return (
      <Link to={to} {...(query ? { query } : {})} class="numbers" title={title}>
        {text}
      </Link>
    );
  }
  return (
    <span class="numbers" title={title}>
      {text}
    </span>
  );
}

/** A button that copies a text, and says that it did. */
export function Copy({ text, label = "Copy", small = true }: { text: string | (() => string); label?: string; small?: boolean }) {
  const [done, setDone] = useState(false);
  return (
    <IconButton
      icon={done ? "check" : "copy"}
      label={done ? "Copied" : label}
      small={small}
      onClick={async () => {
        await navigator.clipboard.writeText(typeof text === "string" ? text : text());
        setDone(true);
        setTimeout(() => setDone(false), 1500);
      }}
    />
  );
}

/** Commands or other text to read and paste. */
export function CodeBlock({ children, label = "Code", wrap, limit }: { children: string; label?: string; wrap?: boolean; limit?: boolean }) {
  return (
    <div class={classes("code", wrap && "code--wrap", limit && "code--limit")}>
      <pre tabIndex={0} role="region" aria-label={label} dir="ltr">
        <code>{children}</code>
      </pre>
      <div class="code__copy">
        <Copy text={children} label={`Copy ${label.toLowerCase()}`} />
      </div>
    </div>
  );
}

export function Kbd({ children }: { children: ComponentChildren }) {
  return <kbd class="kbd">{children}</kbd>;
}

/** Something takes a moment. Before 200 ms nothing is seen, so that quick answers do not flicker. */
export function Spinner({ label = "Loading" }: { label?: string }) {
  return (
    <span class="spinner" role="status">
      <Icon name="loading" size={20} class="spin" />
      <span class="seen-by-readers">{label}</span>
    </span>
  );
}
