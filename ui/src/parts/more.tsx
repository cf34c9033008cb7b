/** Tabs, wizards, phases, differences. */
import type { ComponentChildren, RefObject } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { format } from "../app/format";
import { href, place, type QueryChange } from "../app/router";
import { Button, classes, type Meaning, useUid } from "./basic";
import { Icon, type IconName } from "./icons";
import { Menu } from "./overlay";

export interface Tab {
  id: string;
  label: string;
  count?: number | undefined;
  icon?: IconName;
}

/** Of a bar in which not all have room, the current one is in sight. Only the bar scrolls, never the page. */
function useCurrentInSight<E extends HTMLElement>(current: string): RefObject<E | null> {
  const bar = useRef<E>(null);
  useEffect(() => {
    const one = bar.current?.querySelector<HTMLElement>("[aria-current]");
    if (bar.current && one) bar.current.scrollLeft = one.offsetLeft - (bar.current.clientWidth - one.offsetWidth) / 2;
  }, [current]);
  return bar;
}

/** Views of one thing. The chosen one is in the URL (`?tab=...`). Show its content below by yourself. */
export function Tabs({ label, tabs, value, name = "tab" }: { label: string; tabs: readonly Tab[]; value: string; name?: string }) {
  const target = (id: string): string => {
    const query: QueryChange = { ...place.value.query, [name]: id === tabs[0]?.id ? "" : id, page: "" };
    return href(place.value.path, query);
  };
  const bar = useCurrentInSight<HTMLElement>(value);
  return (
    <nav ref={bar} class="tabs" aria-label={label}>
      {tabs.map((tab) => (
        <a key={tab.id} class="tabs__one" href={target(tab.id)} {...(tab.id === value ? { "aria-current": "page" as const } : {})}>
          {tab.icon && <Icon name={tab.icon} />}
          {tab.label}
          {tab.count !== undefined && <span class="tabs__count numbers">{format.short(tab.count)}</span>}
        </a>
      ))}
    </nav>
  );
}

export interface SectionGroup {
  title: string;
  links: readonly { to: string; label: string }[];
}

/** Many pages of one kind: a list of all beside the current one (`at`, its path); a menu above it where there is no room. */
export function Sections({ label, groups, at, children }: { label: string; groups: readonly SectionGroup[]; at: string; children?: ComponentChildren }) {
  const id = useUid("sections");
  const shown = groups.filter((group) => group.links.length > 0);
  const current = shown.flatMap((group) => group.links).find((link) => link.to === at);
  const name = current ? `${label}: ${current.label}` : label;
  return (
    <div class="sections">
      <nav class="sections__nav" aria-label={label}>
        <div class="sections__menu">
          <Menu
            label={name}
            face={
              <>
                {name}
                <Icon name="open" size={14} />
              </>
            }
            items={shown.flatMap((group) => [{ heading: group.title }, ...group.links.map((link) => ({ ...link, checked: link.to === at }))])}
          />
        </div>
        {shown.map((group, index) => (
          <div key={group.title} class="sections__group">
            <span id={`${id}-${index}`} class="sections__title">
              {group.title}
            </span>
            <ul aria-labelledby={`${id}-${index}`}>
              {group.links.map((link) => (
                <li key={link.to}>
                  <a class="sections__one" href={href(link.to)} {...(link.to === at ? { "aria-current": "page" as const } : {})}>
                    {link.label}
                  </a>
                </li>
              ))}
            </ul>
          </div>
        ))}
      </nav>
      {children}
    </div>
  );
}

export interface Step {
  id: string;
  title: string;
  /** What keeps it from being done; the way on is closed while there is something. */
  problem?: string | undefined;
  body: ComponentChildren;
}

/** One decision after another. What was decided is in the caller's state; the step may be in the URL. */
export function Wizard({ steps, at, onStep, onFinish, finish, onCancel, aside }: { steps: readonly Step[]; at: string; onStep: (id: string) => void; onFinish: () => unknown; finish: string; onCancel?: () => void; aside?: ComponentChildren }) {
  const index = Math.max(0, steps.findIndex((step) => step.id === at));
  const step = steps[index];
  const body = useRef<HTMLDivElement>(null);
  const bar = useCurrentInSight<HTMLOListElement>(at);
  const go = (next: number): void => {
    const target = steps[next];
    if (!target) return;
    onStep(target.id);
    requestAnimationFrame(() => body.current?.focus());
  };
  const blocked = steps.findIndex((each) => each.problem);
  return (
    <div class="wizard">
      <ol ref={bar} class="wizard__steps" aria-label="Steps">
        {steps.map((each, position) => (
          <li key={each.id} class={classes("wizard__step", position === index && "wizard__step--now", position < index && "wizard__step--done")}>
            <button type="button" disabled={blocked >= 0 && position > blocked} aria-current={position === index ? "step" : undefined} onClick={() => go(position)}>
              <span class="wizard__number">{position < index ? <Icon name="check" size={13} label="done" /> : position + 1}</span>
              {each.title}
            </button>
          </li>
        ))}
      </ol>
      <div class="wizard__main">
        <div class="wizard__body" ref={body} tabIndex={-1} role="group" aria-label={step?.title}>
          {step?.body}
        </div>
        {aside && <aside class="wizard__aside">{aside}</aside>}
      </div>
      <div class="wizard__foot">
        {onCancel && (
          <Button kind="quiet" onClick={onCancel}>
            Cancel
          </Button>
        )}
        <span class="wizard__problem muted small" role="status">
          {step?.problem}
        </span>
        {index > 0 && <Button onClick={() => go(index - 1)}>Back</Button>}
        {index < steps.length - 1 ? (
          <Button kind="primary" disabled={Boolean(step?.problem)} onClick={() => go(index + 1)}>
            Continue
          </Button>
        ) : (
          <Button kind="primary" disabled={steps.some((each) => each.problem)} onClick={() => onFinish()}>
            {finish}
          </Button>
        )}
      </div>
    </div>
  );
}

export interface Phase {
  label: string;
  /** Its share of all, between 0 and 1: the width. */
  share: number;
  is: Meaning;
  /** How much of it is done, between 0 and 1. */
  done?: number;
  note?: ComponentChildren;
}

/** Phases side by side, each as wide as its share, with how far it is. */
export function Phases({ phases, label }: { phases: readonly Phase[]; label: string }) {
  return (
    <ol class="phases" aria-label={label}>
      {phases.map((phase, index) => (
        <li key={index} class={`phases__one is-${phase.is}`} style={{ flexGrow: Math.max(phase.share, 0.08) }}>
          <div class="progress progress--thin" aria-hidden="true">
            <span class={`progress__part fill-${phase.is}`} style={{ flexGrow: phase.done ?? 0 }} />
            <span style={{ flexGrow: 1 - (phase.done ?? 0) }} />
          </div>
          <span class="phases__label">{phase.label}</span>
          {phase.note && <span class="muted small">{phase.note}</span>}
        </li>
      ))}
    </ol>
  );
}

export interface Moment {
  at?: ComponentChildren;
  title: ComponentChildren;
  is?: Meaning;
  icon?: IconName;
  body?: ComponentChildren;
}

/** What happened, one below the other. */
export function Timeline({ moments, label }: { moments: readonly Moment[]; label: string }) {
  return (
    <ol class="timeline" aria-label={label}>
      {moments.map((moment, index) => (
        <li key={index} class={`timeline__one is-${moment.is ?? "neutral"}`}>
          <span class="timeline__dot">{moment.icon && <Icon name={moment.icon} size={13} />}</span>
          <div>
            <div class="timeline__head">
              <span>{moment.title}</span>
              {moment.at && <span class="muted small">{moment.at}</span>}
            </div>
            {moment.body && <div class="timeline__body">{moment.body}</div>}
          </div>
        </li>
      ))}
    </ol>
  );
}

export interface DiffLine {
  kind: "same" | "gone" | "new";
  text: string;
}

/** The lines of two texts, with those that are in one only. */
export function diffLines(before: string, after: string): DiffLine[] {
  const a = before === "" ? [] : before.split("\n");
  const b = after === "" ? [] : after.split("\n");
  let start = 0;
  while (start < a.length && start < b.length && a[start] === b[start]) start++;
  let end = 0;
  while (end < a.length - start && end < b.length - start && a[a.length - 1 - end] === b[b.length - 1 - end]) end++;
  const [x, y] = [a.slice(start, a.length - end), b.slice(start, b.length - end)];
  const same = (lines: string[]): DiffLine[] => lines.map((text) => ({ kind: "same", text }));
  const middle: DiffLine[] = [];
  if (x.length * y.length > 250_000) {
    // Too large to compare line by line: all of the one, then all of the other.
    middle.push(...x.map((text): DiffLine => ({ kind: "gone", text })), ...y.map((text): DiffLine => ({ kind: "new", text })));
  } else {
    const width = y.length + 1;
    const common = new Uint32Array((x.length + 1) * width);
    for (let i = x.length - 1; i >= 0; i--) {
      for (let j = y.length - 1; j >= 0; j--) {
        common[i * width + j] =
          x[i] === y[j] ? (common[(i + 1) * width + j + 1] ?? 0) + 1 : Math.max(common[(i + 1) * width + j] ?? 0, common[i * width + j + 1] ?? 0);
      }
    }
    let [i, j] = [0, 0];
    while (i < x.length || j < y.length) {
      if (i < x.length && j < y.length && x[i] === y[j]) {
        middle.push({ kind: "same", text: x[i] ?? "" });
        i++;
        j++;
      } else if (i < x.length && (j >= y.length || (common[(i + 1) * width + j] ?? 0) >= (common[i * width + j + 1] ?? 0))) middle.push({ kind: "gone", text: x[i++] ?? "" });
      else middle.push({ kind: "new", text: y[j++] ?? "" });
    }
  }
  return [...same(a.slice(0, start)), ...middle, ...same(a.slice(a.length - end))];
}

function asText(value: unknown): string {
  if (value === undefined || value === null) return "";
  return typeof value === "string" ? value : JSON.stringify(value, null, 2);
}

/** What changed between two values (objects as JSON) or texts. */
export function DiffView({ before, after, label = "Changes" }: { before: unknown; after: unknown; label?: string }) {
  const lines = diffLines(asText(before), asText(after));
  const signs = { same: " ", gone: "−", new: "+" };
  const words = { same: "", gone: "removed: ", new: "added: " };
  if (!lines.some((line) => line.kind !== "same")) return <p class="muted small">No difference.</p>;
  return (
    <div class="diff" role="region" aria-label={label} tabIndex={0} dir="ltr">
      {lines.map((line, index) => (
        <div key={index} class={`diff__line diff__line--${line.kind}`}>
          <span class="diff__sign" aria-hidden="true">
            {signs[line.kind]}
          </span>
          {words[line.kind] && <span class="seen-by-readers">{words[line.kind]}</span>}
          <span>{line.text}</span>
        </div>
      ))}
    </div>
  );
}

/** Something to open for more. */
export function Details({ summary, children, open, onToggle }: { summary: ComponentChildren; children?: ComponentChildren; open?: boolean; onToggle?: (open: boolean) => void }) {
  return (
    <details class="details" open={open} onToggle={(event) => onToggle?.(event.currentTarget.open)}>
      <summary>
        <Icon name="next" size={14} class="details__mark" />
        {summary}
      </summary>
      <div class="details__body">{children}</div>
    </details>
  );
}
