/** A chart over time. The library comes when the first one is shown; its numbers are also there as a table. */
import { signal } from "@preact/signals";
import { useEffect, useRef, useState } from "preact/hooks";
import { format } from "../app/format";
import { theme } from "../app/stored";
import { classes, type Meaning } from "./basic";
import { Legend, Skeleton } from "./feedback";

export interface Series {
  label: string;
  is: Meaning | "accent";
  values: readonly (number | null)[];
}

export interface ChartProps {
  title: string;
  /** Seconds since 1970, rising; one for each value. */
  times: readonly number[];
  series: readonly Series[];
  kind?: "line" | "area" | "bars";
  /** In rem; 12 by default. */
  height?: number;
  /** How a value is written. */
  show?: (value: number) => string;
  /** What it shows, in a sentence: "Failures rose from 3 to 40 since Monday". */
  summary?: string;
}

/** Whether the reader's system is dark: a chart is painted in colours, and has to be painted anew. */
const dark = signal(false);
if (typeof matchMedia === "function") {
  const media = matchMedia("(prefers-color-scheme: dark)");
  dark.value = media.matches;
  media.addEventListener("change", () => (dark.value = media.matches));
}

export function Chart({ title, times, series, kind = "area", height = 12, show = format.number, summary }: ChartProps) {
  const place = useRef<HTMLDivElement>(null);
  const [ready, setReady] = useState(false);
  const [table, setTable] = useState(false);
  const data = JSON.stringify([times, series]);

  useEffect(() => {
    const element = place.current;
    if (!element || table) return;
    let gone = false;
    let end: (() => void) | undefined;
    void import("./uplot").then(({ draw }) => {
      if (gone) return;
      end = draw(element, { times, series, kind, height, show });
      setReady(true);
    });
    return () => {
      gone = true;
      end?.();
    };
  }, [data, kind, height, table, theme.value, dark.value]);

  return (
    <figure class="chart">
      <figcaption class="chart__head">
        <span class="seen-by-readers">
          {title}. {summary}
        </span>
        <Legend items={series.map(({ is, label }) => ({ is, label }))} />
        <button type="button" class="chart__switch" aria-pressed={table} onClick={() => setTable(!table)}>
          {table ? "Show chart" : "Show as table"}
        </button>
      </figcaption>
      {table ? (
        <div class="chart__table" tabIndex={0} role="region" aria-label={`${title}, as a table`}>
          <table>
            <thead>
              <tr>
                <th scope="col">Time</th>
                {series.map((each) => (
                  <th key={each.label} scope="col">
                    {each.label}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {times.map((time, index) => (
                <tr key={time}>
                  <th scope="row">{format.moment(time * 1000)}</th>
                  {series.map((each) => {
                    const value = each.values[index];
                    return <td key={each.label}>{value === null || value === undefined ? "–" : show(value)}</td>;
                  })}
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      ) : (
        <div class={classes("chart__place", !ready && "chart__place--waiting")} ref={place} style={{ minHeight: `${height}rem` }} aria-hidden="true">
          {!ready && <Skeleton block />}
        </div>
      )}
    </figure>
  );
}

/** A few values as a line, without axes: for tables and numbers. */
export function Sparkline({ values, label, is = "accent" }: { values: readonly number[]; label: string; is?: Meaning | "accent" }) {
  const most = Math.max(1, ...values);
  const points = values.map((value, index) => `${((index / Math.max(1, values.length - 1)) * 100).toFixed(1)},${(23 - (value / most) * 22).toFixed(1)}`);
  return (
    <svg class={`spark stroke-${is}`} viewBox="0 0 100 24" preserveAspectRatio="none" role="img" aria-label={`${label}: ${values.join(", ")}`}>
      <polyline points={points.join(" ")} fill="none" vector-effect="non-scaling-stroke" />
    </svg>
  );
}
