/** What is told instead of, or above, content: nothing there yet, something failed, something is on its way. */
import type { ComponentChildren } from "preact";
import { format } from "../app/format";
import { textOf } from "../app/toasts";
import { ApiError } from "../api/client";
import type { Live } from "../app/resource";
import { Button, classes, Copy, IconButton, type Meaning } from "./basic";
import { Icon, type IconName } from "./icons";

/** A message that belongs to the place where it is shown. */
export function Banner({ is = "neutral", title, children, action, onClose, requestId }: { is?: Meaning; title?: ComponentChildren; children?: ComponentChildren; action?: ComponentChildren; onClose?: () => void; requestId?: string }) {
  const icon: IconName = is === "ok" ? "ok" : is === "danger" ? "danger" : is === "warning" ? "warning" : "info";
  return (
    <div class={`banner is-${is}`} role={is === "danger" ? "alert" : "status"}>
      <Icon name={icon} />
      <div class="banner__body">
        <div class="banner__text">
          {title && <strong>{title}</strong>}
          {children && <div>{children}</div>}
          {requestId && <RequestId id={requestId} />}
        </div>
        {action && <div>{action}</div>}
      </div>
      {onClose && <IconButton icon="close" label="Close message" small onClick={onClose} />}
    </div>
  );
}

function RequestId({ id }: { id: string }) {
  return (
    <span class="request-id">
      Request <code>{id}</code> <Copy text={id} label="Copy the request's id" />
    </span>
  );
}

/** Nothing here: says what would be, why it is empty, and what to do. */
export function EmptyState({ icon, title, children, action, small }: { icon?: IconName; title: string; children?: ComponentChildren; action?: ComponentChildren; small?: boolean }) {
  return (
    <div class={classes("empty", small && "empty--small")}>
      {icon && (
        <div class="empty__icon">
          <Icon name={icon} size={small ? 20 : 28} />
        </div>
      )}
      <p class="empty__title">{title}</p>
      {children && <div class="empty__text">{children}</div>}
      {action && <div class="empty__action">{action}</div>}
    </div>
  );
}

/** It did not work: the cause, the request's id, and what to do next. */
export function ErrorState({ error, title = "This could not be loaded", onRetry, action }: { error: unknown; title?: string; onRetry?: () => unknown; action?: ComponentChildren }) {
  const id = error instanceof ApiError ? error.requestId : "";
  const status = error instanceof ApiError ? error.status : 0;
  return (
    <div class="empty empty--error" role="alert">
      <div class="empty__icon is-danger">
        <Icon name={status === 0 ? "offline" : status === 403 ? "lock" : "danger"} size={28} />
      </div>
      <p class="empty__title">{status === 403 ? "You do not have the right to see this" : status === 404 ? "This does not exist" : title}</p>
      <div class="empty__text">{textOf(error)}</div>
      {id && <RequestId id={id} />}
      <div class="empty__action">
        {action}
        {onRetry && status !== 403 && status !== 404 && (
          <Button icon="refresh" onClick={() => onRetry()}>
            Try again
          </Button>
        )}
      </div>
    </div>
  );
}

/** The place of what is being loaded. `lines` of text, or a `block`. */
export function Skeleton({ lines = 3, block }: { lines?: number; block?: boolean }) {
  return (
    <div class="skeleton" role="status" aria-label="Loading">
      {block ? <div class="skeleton__block" /> : Array.from({ length: lines }, (_, index) => <div key={index} class="skeleton__line" />)}
    </div>
  );
}

/**
 * The states of live data: loading, failed, there. Data that was there stays in sight when a refresh fails, with a line
 * that says how old it is.
 */
export function Loaded<T>({ from, children, skeleton, title }: { from: Live<T>; children: (data: T) => ComponentChildren; skeleton?: ComponentChildren; title?: string }) {
  if (from.data === undefined) {
    if (from.error) return <ErrorState error={from.error} onRetry={from.reload} {...(title ? { title } : {})} />;
    return <>{skeleton ?? <Skeleton />}</>;
  }
  return (
    <div class={classes("loaded", from.stale && "loaded--stale")} aria-busy={from.stale || undefined}>
      <StaleNote from={from} />
      {children(from.data)}
    </div>
  );
}

/** Says that what is shown could not be refreshed; nothing while all is well. */
export function StaleNote({ from }: { from: Pick<Live<unknown>, "error" | "at" | "reload"> }) {
  if (!from.error || from.error.status === 401 || from.at === undefined) return null;
  return (
    <Banner
      is="warning"
      requestId={from.error.requestId}
      action={
        <Button small onClick={() => from.reload()}>
          Try now
        </Button>
      }
    >
      {textOf(from.error)} What you see is from {format.clock(from.at)}.
    </Banner>
  );
}

export interface Segment {
  is: Meaning | "accent";
  value: number;
  label: string;
}

/** A bar of parts, with its numbers in words for those who do not see it. */
export function Progress({ segments, total, label, thin }: { segments: readonly Segment[]; total?: number; label: string; thin?: boolean }) {
  const sum = total ?? segments.reduce((all, each) => all + each.value, 0);
  const text = segments
    .filter((each) => each.value > 0)
    .map((each) => `${each.label}: ${format.number(each.value)}`)
    .join(", ");
  return (
    <div class={classes("progress", thin && "progress--thin")} role="img" aria-label={`${label}: ${text || "nothing yet"}`} title={text}>
      {segments.map(
        (each) =>
          each.value > 0 && (
            <span key={each.label} class={`progress__part fill-${each.is}`} style={{ flexGrow: each.value / (sum || 1) }} />
          ),
      )}
      {sum > segments.reduce((all, each) => all + each.value, 0) && (
        <span style={{ flexGrow: 1 - segments.reduce((all, each) => all + each.value, 0) / sum }} />
      )}
    </div>
  );
}

/** What the colours of a bar or chart mean. */
export function Legend({ items }: { items: readonly { is: Meaning | "accent"; label: string; value?: ComponentChildren }[] }) {
  return (
    <ul class="legend">
      {items.map((item) => (
        <li key={item.label}>
          <span class={`legend__dot fill-${item.is}`} />
          {item.label}
          {item.value !== undefined && <strong class="numbers">{item.value}</strong>}
        </li>
      ))}
    </ul>
  );
}

/** How much of something is used up; `calm`: a part of a whole, of which much is no warning. */
export function Meter({ label, value, max, show, hideLabel, calm }: { label: string; value: number; max: number; show?: ComponentChildren; hideLabel?: boolean; calm?: boolean }) {
  const share = max > 0 ? Math.min(1, value / max) : 0;
  const is = calm ? "accent" : share >= 1 ? "danger" : share >= 0.9 ? "warning" : "accent";
  return (
    <div class="meter">
      {!hideLabel && (
        <div class="meter__head">
          <span>{label}</span>
          <span class="numbers muted">{show ?? `${format.number(value)} of ${format.number(max)}`}</span>
        </div>
      )}
      <div class="progress progress--thin" role="meter" aria-label={label} aria-valuenow={value} aria-valuemin={0} aria-valuemax={max}>
        <span class={`progress__part fill-${is}`} style={{ flexGrow: share }} />
        <span style={{ flexGrow: 1 - share }} />
      </div>
    </div>
  );
}

/** How far a single thing is; without a value, that it is at work. */
export function Loader({ label, value, max = 1, note }: { label: string; value?: number; max?: number; note?: ComponentChildren }) {
  return (
    <div class="meter">
      <div class="meter__head">
        <span>{label}</span>
        {note && <span class="numbers muted">{note}</span>}
      </div>
      <progress class="loader" aria-label={label} max={max} {...(value === undefined ? {} : { value })} />
    </div>
  );
}
