/** The course and the results of one deployment, and files of them. */
import { useState } from "preact/hooks";
import { call, urlOf } from "../api/client";
import { format } from "../app/format";
import { useApi } from "../app/resource";
import { pathTo, useParam } from "../app/router";
import { saveFrom, saveText } from "../app/save";
import { toast } from "../app/toasts";
import { Banner, Card, Chart, type Column, DataTable, EmptyState, Grid, Loaded, Menu, Page, Stack, Stat } from "../parts";
import { FailureList } from "./Failures";
import { linkedCursor, timeTo } from "./report";
import { deploymentPath, type Report, type ReportPart } from "./types";

/** More parts of 5,000 devices than that are left to programs. */
const MOST_PARTS = 40;

export default function ReportPage() {
  const id = useParam("id");
  const [busy, setBusy] = useState(false);
  const path = `${deploymentPath(id)}/report` as const;
  const live = useApi(path, { keep: false });
  const save = async (kind: "csv" | "jsonl"): Promise<void> => {
    setBusy(true);
    await saveDevices(id, kind);
    setBusy(false);
  };
  return (
    <Page
      title={live.data ? `Report of ${live.data.name}` : "Report"}
      back={{ to: pathTo("deployments", id), label: live.data?.name ?? "Deployment" }}
      actions={
        <Menu
          label="Download"
          icon="download"
          busy={busy}
          items={[
            { heading: "Report" },
            { label: "Report as CSV", icon: "download", onSelect: () => saveFrom(urlOf(path, { format: "csv" }), `report-${id}.csv`) },
            { label: "Report as JSON", icon: "download", disabled: !live.data, onSelect: () => saveText(JSON.stringify(live.data, null, 2), `report-${id}.json`, "application/json") },
            { heading: "Devices" },
            { label: "Devices as CSV", icon: "download", onSelect: () => void save("csv") },
            { label: "Devices as JSON lines", icon: "download", onSelect: () => void save("jsonl") },
          ]}
        />
      }
    >
      <Loaded from={live} title="The report could not be loaded">
        {(report) => (
          <Stack>
            {!report.complete && (
              <Banner title="Made from a sample">
                The numbers below are of {format.number(report.devices_read)} of {format.count(report.devices, "device")}, which were chosen at random.
              </Banner>
            )}
            <Times report={report} />
            <Course report={report} />
            <FailureList deployment={id} reasons={report.failures} />
            <Parts title="By phase" name="report-phases" column="Phase" parts={report.phases} />
            <Parts title="By device type" name="report-types" column="Device type" parts={report.device_types} />
            <Parts title="By artifact" name="report-artifacts" column="Artifact" parts={report.artifacts} />
          </Stack>
        )}
      </Loaded>
    </Page>
  );
}

function Times({ report }: { report: Report }) {
  const { p50, p90, p99 } = report.finished_after;
  return (
    <Grid min="xs" gap={3}>
      <Stat label="Devices" value={format.number(report.targets)} note={`${format.number(report.devices)} have begun`} />
      <Stat label="Half of them done" value={timeTo(p50)} note="after the start" />
      <Stat label="90 % done" value={timeTo(p90)} note="after the start" />
      <Stat label="99 % done" value={timeTo(p99)} note="after the start" />
    </Grid>
  );
}

function Course({ report }: { report: Report }) {
  const { progress } = report;
  const last = progress[progress.length - 1];
  return (
    <Card title="Progress over time">
      {last ? (
        <Chart
          title="Devices that have begun, were updated and failed, over time"
          summary={`${format.count(last.begun, "device")} began, ${format.number(last.succeeded)} were updated, ${format.number(last.failed)} failed.`}
          kind="line"
          times={progress.map((point) => Date.parse(point.time) / 1000)}
          series={[
            { label: "Begun", is: "running", values: progress.map((point) => point.begun) },
            { label: "Updated", is: "ok", values: progress.map((point) => point.succeeded) },
            { label: "Failed", is: "danger", values: progress.map((point) => point.failed) },
          ]}
        />
      ) : (
        <EmptyState small icon="clock" title="No device has begun yet">
          The chart appears with the first one.
        </EmptyState>
      )}
    </Card>
  );
}

function Parts({ title, name, column, parts }: { title: string; name: string; column: string; parts: readonly ReportPart[] }) {
  if (parts.length === 0) return null;
  const number = (id: "begun" | "succeeded" | "failed" | "other", label: string): Column<ReportPart> => ({
    id, title: label, end: true, min: 6, grow: 0, wide: id === "begun" || id === "other", cell: (part) => format.number(part[id]),
  });
  const columns: Column<ReportPart>[] = [
    { id: "key", title: column, always: true, min: 8, grow: 2, cell: (part) => part.key },
    number("begun", "Begun"),
    number("succeeded", "Updated"),
    number("failed", "Failed"),
    number("other", "Other"),
    ...(["p50", "p90", "p99"] as const).map((id): Column<ReportPart> => ({
      id, title: `${id.slice(1)} % done`, end: true, wide: true, min: 7, grow: 0, cell: (part) => timeTo(part.finished_after[id]),
    })),
  ];
  return (
    <Card flush title={title}>
      <DataTable name={name} label={title} columns={columns} rows={parts} rowKey={(part) => part.key} />
    </Card>
  );
}

/** Each answer has a part of the file, and leads to the next one. */
async function saveDevices(id: string, kind: "csv" | "jsonl"): Promise<void> {
  try {
    const parts: string[] = [];
    let cursor: string | undefined;
    do {
      const answer = await call("GET", `${deploymentPath(id)}/devices/export`, { query: { format: kind, cursor }, headers: { Accept: "*/*" } });
      parts.push(String(answer.data ?? ""));
      cursor = linkedCursor(answer.headers.get("link"));
    } while (cursor && parts.length < MOST_PARTS);
    saveText(parts.join(""), `deployment-${id}.${kind}`, kind === "csv" ? "text/csv" : "application/x-ndjson");
    if (cursor) toast.ok("The file has the first devices by id. Get larger ones by the API: its answers lead from part to part.");
  } catch (error) {
    toast.error(error, "The devices were not exported");
  }
}
