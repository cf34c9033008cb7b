/** uPlot with the console's colours. Only `chart.tsx` loads this, when a chart is shown. */
import UPlot from "uplot";
import type { ChartProps } from "./chart";

type Wanted = Required<Pick<ChartProps, "times" | "series" | "kind" | "height" | "show">>;

const [SECOND, MINUTE, HOUR, DAY] = [1, 60, 3600, 86_400];
/** Seconds between two marks of the time axis. */
const STEPS = [
  ...[1, 5, 15, 30].map((count) => count * SECOND),
  ...[1, 5, 15, 30].map((count) => count * MINUTE),
  ...[1, 3, 6, 12].map((count) => count * HOUR),
  ...[1, 2, 7, 30, 90, 365].map((count) => count * DAY),
];

/** A mark of the time axis, in the reader's words: a day, or a time of day. */
function moment(at: number, step: number): string {
  const parts: Intl.DateTimeFormatOptions = step >= DAY ? { day: "numeric", month: "short" } : { hour: "2-digit", minute: "2-digit", ...(step < MINUTE ? { second: "2-digit" } : {}) };
  return new Intl.DateTimeFormat(undefined, parts).format(at * 1000);
}

/** Draw into an element; gives what takes it away again. */
export function draw(element: HTMLElement, { times, series, kind, height, show }: Wanted): () => void {
  const styles = getComputedStyle(element);
  // A probe resolves `light-dark()`, which a canvas does not understand.
  const probe = document.createElement("i");
  probe.style.transition = "none";
  element.append(probe);
  const colour = (name: string): string => {
    probe.style.color = `var(--${name})`;
    return getComputedStyle(probe).color;
  };
  const size = Number.parseFloat(getComputedStyle(document.documentElement).fontSize);
  const font = `${0.75 * size}px ${styles.fontFamily}`;
  const axis = { stroke: colour("muted"), font, grid: { stroke: colour("line"), width: 1 }, ticks: { show: false } };
  const bars = kind === "bars" ? UPlot.paths.bars?.({ size: [0.7, 40], radius: 0.15 }) : undefined;
  const plot = new UPlot(
    {
      width: Math.max(200, element.clientWidth),
      height: height * size,
      padding: [8, 8, 0, 0],
      legend: { show: false },
      cursor: { y: false, points: { size: 7 } },
      scales: { y: { range: (_plot, _least, most) => [0, most > 0 ? most * 1.08 : 1] } },
      axes: [
        { ...axis, size: 1.8 * size, grid: { show: false }, space: 64, incrs: STEPS, values: (_plot, times, _axis, _space, step) => times.map((at) => moment(at, step)) },
        { ...axis, size: 3.4 * size, values: (_plot, values) => values.map((value) => (Number.isInteger(value) ? show(value) : "")) },
      ],
      series: [
        {},
        ...series.map(({ is, label }): UPlot.Series => {
          const stroke = colour(is === "accent" ? "accent" : `${is}-fill`);
          return {
            label,
            stroke,
            width: kind === "bars" ? 0 : 2,
            points: { show: times.length < 2 },
            ...(bars ? { paths: bars, fill: stroke } : kind === "area" ? { fill: stroke.replace("rgb(", "rgba(").replace(")", ", 0.12)") } : {}),
          };
        }),
      ],
      hooks: { setCursor: [(self) => tell(self)] },
    },
    [[...times], ...series.map((each) => [...each.values])] as UPlot.AlignedData,
    element,
  );
  probe.remove();
  const tip = document.createElement("div");
  tip.className = "chart__tip";
  tip.hidden = true;
  plot.over.append(tip);

  function tell(self: UPlot): void {
    const index = self.cursor.idx;
    const left = self.cursor.left ?? -1;
    if (!tip) return;
    tip.hidden = index === null || index === undefined || left < 0;
    if (tip.hidden || index === null || index === undefined) return;
    const when = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" }).format((times[index] ?? 0) * 1000);
    tip.replaceChildren(when, ...series.flatMap((each) => {
      const value = each.values[index];
      const line = document.createElement("strong");
      line.textContent = `${each.label}: ${value === null || value === undefined ? "–" : show(value)}`;
      return [document.createElement("br"), line];
    }));
    tip.style.left = `${left > self.over.clientWidth / 2 ? left - tip.offsetWidth - 12 : left + 12}px`;
  }

  const watcher = new ResizeObserver(() => {
    if (element.clientWidth > 0) plot.setSize({ width: element.clientWidth, height: height * size });
  });
  watcher.observe(element);
  return () => {
    watcher.disconnect();
    plot.destroy();
  };
}
