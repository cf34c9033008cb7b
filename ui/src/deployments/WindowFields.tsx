/** Times of the week in which devices may begin. */
import type { ComponentChildren } from "preact";
import { Banner, Button, Checkbox, IconButton, Input, Row, Stack } from "../parts";
import { type DraftWindow, MAX_WINDOWS, NEW_WINDOW } from "./protecting";
import { dayInWords, WEEK } from "./rollout";

interface Props {
  windows: readonly DraftWindow[];
  error: string | undefined;
  onChange: (windows: readonly DraftWindow[]) => void;
  /** What applies to all windows. */
  children: ComponentChildren;
}

export function WindowFields({ windows, error, onChange, children }: Props) {
  const set = (index: number, change: Partial<DraftWindow>): void => onChange(windows.map((each, at) => (at === index ? { ...each, ...change } : each)));
  return (
    <Stack gap={3}>
      <Checkbox label="Only in windows of time" checked={windows.length > 0} onChange={(on) => onChange(on ? [NEW_WINDOW] : [])} />
      {windows.length > 0 && (
        <>
          <ul class="deployments-windows" aria-label="Windows">
            {windows.map((window, index) => (
              <li key={index}>
                <div class="deployments-window" role="group" aria-label={`Window ${index + 1}`}>
                  <div class="row gap-3" role="group" aria-label="Days">
                    {WEEK.map((day) => (
                      <Checkbox
                        key={day}
                        label={<Short>{dayInWords(day)}</Short>}
                        checked={window.days.includes(day)}
                        onChange={(on) => set(index, { days: WEEK.filter((each) => (each === day ? on : window.days.includes(each))) })}
                      />
                    ))}
                  </div>
                  <Input label="From" placeholder="02:00" value={window.start} onInput={(start) => set(index, { start })} />
                  <Input label="Hours" inputMode="decimal" value={window.hours} onInput={(hours) => set(index, { hours })} />
                  <IconButton icon="delete" label={`Remove window ${index + 1}`} onClick={() => onChange(windows.filter((_, at) => at !== index))} />
                </div>
              </li>
            ))}
          </ul>
          <p class="muted small">No day chosen: every day.</p>
          {error && <Banner is="danger">{error}</Banner>}
          <Row>
            <Button small icon="add" disabled={windows.length >= MAX_WINDOWS} onClick={() => onChange([...windows, NEW_WINDOW])}>
              Add window
            </Button>
          </Row>
          {children}
        </>
      )}
    </Stack>
  );
}

/** The first two letters of a day, and all of it for readers of screens. */
function Short({ children }: { children: string }) {
  return (
    <>
      <span aria-hidden="true">{children.slice(0, 2)}</span>
      <span class="seen-by-readers">{children}</span>
    </>
  );
}
