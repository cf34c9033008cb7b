/** Events of the last week, and how their delivery went. */
import { api } from "../api/client";
import { useApi } from "../app/resource";
import { setQuery, usePage, useQuery } from "../app/router";
import { can } from "../app/session";
import { attempt } from "../app/toasts";
import { Button, Card, CodeBlock, type Column, DataTable, Drawer, EmptyState, KeyValues, lastColumn, Name, Row, Section, Select, Stack, Status, Time, Toolbar } from "../parts";
import { EVENTS, outcome, queuedFor, refusedBy, urlOf, type Webhook, type WebhookEvent } from "./delivery";

const PER_PAGE = 20;

export function Deliveries({ webhooks }: { webhooks: readonly Webhook[] }) {
  const [webhook] = useQuery("webhook");
  const [page, goTo] = usePage();
  const [open, show] = useQuery("event");
  const events = useApi({ path: EVENTS, query: { integration_id: webhook, page, per_page: PER_PAGE } }, { every: 10_000 });
  const manages = can("integrations:manage");
  const sendAgain = async (event: WebhookEvent, to: readonly string[]): Promise<void> => {
    const body = { event_id: event.id, event_time: event.time };
    const sent = await attempt(
      () => Promise.all(to.map((integration_id) => api.post(EVENTS, { integration_id, ...body }))),
      "The event will be sent again at once.",
      "The event was not sent again",
    );
    if (sent) events.change((all) => all.map((each) => (each.id === event.id ? queuedFor(each, to) : each)));
  };
  const columns: Column<WebhookEvent>[] = [
    { id: "type", title: "Event", always: true, grow: 2, min: 10, cell: (event) => <Name>{event.type}</Name> },
    { id: "time", title: "When", wide: true, cell: (event) => <Time at={event.time} /> },
    {
      id: "outcome",
      title: "Last attempt",
      grow: 2,
      cell: (event) => {
        const { is, text } = outcome(event, webhook);
        return <Status is={is}>{text}</Status>;
      },
    },
    lastColumn((event) => {
      const to = refusedBy(event, webhooks).filter((id) => !webhook || id === webhook);
      return (
        manages &&
        to.length > 0 && (
          <Button small icon="send" aria-label={`Send again: ${event.type}`} onClick={() => sendAgain(event, to)}>
            Send again
          </Button>
        )
      );
    }, { min: 9, wide: true }),
  ];
  const shown = events.data?.find((event) => event.id === open);
  return (
    <Section title="Deliveries" lead="Events of the last week. A failed delivery is retried for a day. You can send any event in the list again.">
      {webhooks.length > 1 && (
        <Toolbar>
          <Select
            label="Deliveries to"
            hideLabel
            value={webhook}
            options={[{ value: "", label: "All webhooks" }, ...webhooks.map((each) => ({ value: each.id, label: urlOf(each) }))]}
            onChange={(value) => setQuery({ webhook: value, page: "" })}
          />
        </Toolbar>
      )}
      <DataTable
        name="deliveries"
        label="Deliveries"
        plain
        columns={columns}
        rows={events.data}
        rowKey={(event) => event.id}
        onOpen={(event) => show(event.id)}
        page={page}
        perPage={PER_PAGE}
        onPage={goTo}
        stale={events.stale}
        error={events.error}
        onRetry={events.reload}
        empty={<EmptyState small title="No events in the last week">{webhooks.length ? "Events for your webhooks are listed here as soon as they happen." : "Events are kept for webhooks only: create one first."}</EmptyState>}
      />
      {shown && (
        <Drawer open title={shown.type} onClose={() => show("")}>
          <Stack>
            <KeyValues
              items={[
                ["Time", <Time key="t" at={shown.time} exact />],
                ["Event ID", <code key="i">{shown.id}</code>],
              ]}
            />
            {shown.delivery_statuses.map((each) => {
              const { is, text } = outcome(shown, each.integration_id);
              const receiver = webhooks.find((one) => one.id === each.integration_id);
              return (
                <Card key={each.integration_id} level={3} title={<Name wrap>{receiver ? urlOf(receiver) : "A deleted webhook"}</Name>}>
                  <Row justify="between">
                    <Status is={is}>{text}</Status>
                    {manages && receiver && !each.queued && (
                      <Button small icon="send" onClick={() => sendAgain(shown, [receiver.id])}>
                        Send again
                      </Button>
                    )}
                  </Row>
                </Card>
              );
            })}
            <CodeBlock label="Data" limit>
              {JSON.stringify(shown.data, null, 2)}
            </CodeBlock>
          </Stack>
        </Drawer>
      )}
    </Section>
  );
}
