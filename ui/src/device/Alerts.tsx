/** What is critical now, and what was. */
import { useApi } from "../app/resource";
import { usePage } from "../app/router";
import { Banner, Card, CodeBlock, Details, EmptyState, Loaded, Name, Pager, Stack, Status, Time, Timeline } from "../parts";
import type { TabProps } from "./DevicePage";
import { type Alert, paths } from "./types";

const PER_PAGE = 20;

export function Alerts({ device }: TabProps) {
  const [page, goTo] = usePage();
  const latest = useApi({ path: `${paths.alerts(device.id)}/latest`, query: { per_page: 100 } }, { every: 10_000 });
  const history = useApi({ path: paths.alerts(device.id), query: { page, per_page: PER_PAGE } });
  return (
    <Stack>
      <Loaded from={latest}>
        {(critical) =>
          critical.length ? (
            <Banner is="danger" title={`${critical.length} critical now`}>
              {critical.map((alert) => alert.name).join(", ")}
            </Banner>
          ) : (
            <Banner is="ok">Nothing is critical now.</Banner>
          )
        }
      </Loaded>
      <Card title="History">
        <Loaded from={history}>
          {(alerts) =>
            alerts.length ? (
              <Stack>
                <Timeline label="Alerts, newest first" moments={alerts.map(moment)} />
                {(history.total ?? 0) > PER_PAGE && <Pager page={page} perPage={PER_PAGE} shown={alerts.length} total={history.total ?? 0} onPage={goTo} />}
              </Stack>
            ) : (
              <EmptyState small icon="bell" title="No alerts">
                Devices with Mender's monitor add-on report problems with services, logs and connections here.
              </EmptyState>
            )
          }
        </Loaded>
      </Card>
    </Stack>
  );
}

function moment(alert: Alert) {
  const { details } = alert.subject;
  const lines = [...(details?.lines_before ?? []), ...(details?.line_matching ? [details.line_matching] : []), ...(details?.lines_after ?? [])];
  const is = alert.level === "CRITICAL" ? ("danger" as const) : ("ok" as const);
  return {
    is,
    at: <Time at={alert.timestamp} />,
    title: <Name wrap>{alert.name}</Name>,
    body: (
      <Stack gap={2}>
        <span>
          <Status is={is}>{alert.level === "CRITICAL" ? "Critical" : "Back to normal"}</Status>{" "}
          <span class="muted small">
            {alert.subject.type} <bdi>{alert.subject.name}</bdi> is {alert.subject.status}
          </span>
        </span>
        {details?.description && <p dir="auto">{details.description}</p>}
        {lines.length > 0 && (
          <Details summary={`Lines of ${details?.log_file_path ?? "the log"}`}>
            <CodeBlock label="Lines of the log" limit>
              {lines.map((line) => `${line.line_number}: ${line.data}`).join("\n")}
            </CodeBlock>
          </Details>
        )}
      </Stack>
    ),
  };
}
