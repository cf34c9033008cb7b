/** Who changed what, and when: filters in the URL, an entry as a difference, the chain's health, export. */
import { useEffect, useState } from "preact/hooks";
import { api, urlOf } from "../api/client";
import { format } from "../app/format";
import { useApi } from "../app/resource";
import { place, setQuery, usePage } from "../app/router";
import { saveFrom, saveText } from "../app/save";
import { toast } from "../app/toasts";
import { Banner, Button, Card, CodeBlock, type Column, Copy, DataTable, DateTime, Details, DiffView, Dialog, Drawer, EmptyState, Input, KeyValues, Link, Loaded, Menu, Name, Page, Row, Select, Skeleton, Stack, StaleNote, Time, Toolbar } from "../parts";
import { actorName, asJson, difference, type Entry, keyOf, kind, meaning, objectName, objectPath, TYPES, verb } from "./data";

const LOGS = "/management/v1/auditlogs/logs";
const EVERY = 15_000;
const PER_PAGE = 50;
const MOST_EXPORTED = 5000;
const FILTERS = ["actor_email", "object_type", "object_id", "object_deployment_name", "from", "to"] as const;

/** Those that are seldom needed. */
const MORE = ["object_id", "object_deployment_name", "from", "to"] as const;

const seconds = (time: string | undefined): number | undefined => (time && !Number.isNaN(Date.parse(time)) ? Math.floor(Date.parse(time) / 1000) : undefined);

export default function AuditLog() {
  const query = place.value.query;
  const [page, goTo] = usePage();
  const filter = {
    actor_email: query.actor_email,
    object_type: query.object_type,
    object_id: query.object_id,
    object_deployment_name: query.object_deployment_name,
    created_after: seconds(query.from),
    created_before: seconds(query.to),
    sort: query.sort === "asc" ? "asc" : "desc",
  };
  const log = useApi({ path: LOGS, query: { ...filter, page, per_page: PER_PAGE } }, { every: EVERY });
  const filtered = FILTERS.some((name) => query[name]);
  const opened = log.data?.find((entry) => keyOf(entry) === query.entry);
  return (
    <Page
      title="Audit log"
      lead="Everything that users and the server have changed, in chains that reveal whether an entry was altered"
      actions={
        <>
          <Button icon="shield" onClick={() => setQuery({ check: true })}>
            Check the log
          </Button>
          <Menu
            label="Export"
            icon="download"
            items={[
              { label: "As CSV", icon: "download", onSelect: () => saveFrom(urlOf(`${LOGS}/export`, filter), "auditlogs.csv") },
              { label: "As JSON", icon: "download", onSelect: () => void saveJson(filter) },
            ]}
          />
        </>
      }
    >
      <Filters />
      <StaleNote from={log} />
      <DataTable
        name="auditlogs"
        label="Entries of the audit log"
        columns={COLUMNS}
        rows={log.data}
        rowKey={keyOf}
        total={log.total}
        sort={{ column: "time", descending: filter.sort === "desc" }}
        onSort={({ descending }) => setQuery({ sort: descending ? "" : "asc", page: "" })}
        onOpen={(entry) => setQuery({ entry: keyOf(entry) }, { replace: false })}
        error={log.data ? undefined : log.error}
        onRetry={log.reload}
        stale={log.stale}
        page={page}
        perPage={PER_PAGE}
        onPage={goTo}
        empty={
          filtered ? (
            <EmptyState icon="filter" title="No entry fits these filters" action={<Button onClick={clear}>Clear filters</Button>}>
              <p>Filters match whole values: a complete e-mail address, a complete id.</p>
            </EmptyState>
          ) : (
            <EmptyState icon="audit" title="Nothing was changed yet">
              <p>Every change that somebody makes here or through the API is recorded.</p>
            </EmptyState>
          )
        }
      />
      {opened && <OneEntry entry={opened} />}
      {query.check && <Check />}
    </Page>
  );
}

function clear(): void {
  setQuery(Object.fromEntries([...FILTERS, "page"].map((name) => [name, ""])));
}

/** The date where there is room for it. */
function When({ at }: { at: string }) {
  return (
    <>
      <span class="auditlogs-date">
        <Time at={at} absolute />
      </span>
      <span class="auditlogs-ago">
        <Time at={at} />
      </span>
    </>
  );
}

const COLUMNS: Column<Entry>[] = [
  { id: "time", title: "Time", cell: (entry) => <When at={entry.time} />, sort: true, min: 11.5, grow: 0.01, always: true },
  { id: "actor", title: "Who", cell: (entry) => <Name>{actorName(entry)}</Name>, min: 9, wide: true },
  {
    id: "action",
    title: "What",
    cell: (entry) => (
      <span class="auditlogs-what">
        <span class={`auditlogs-verb is-${meaning(entry.action)}`}>{verb(entry.action)}</span> <span class="auditlogs-kind muted">{kind(entry.object.type).toLowerCase()}</span>{" "}
        <Name>{objectName(entry)}</Name>
      </span>
    ),
    min: 12,
    grow: 2,
    always: true,
  },
  { id: "change", title: "Change", cell: (entry) => <span class="auditlogs-change muted small">{entry.change ? <Name>{entry.change}</Name> : "–"}</span>, min: 10, grow: 2, wide: true },
  { id: "id", title: "Id", cell: (entry) => <Name mono>{entry.object.id}</Name>, min: 10, hidden: true, wide: true },
];

function Filters() {
  const query = place.value.query;
  const change = (name: string) => (value: string) => setQuery({ [name]: value, page: "" });
  const any = FILTERS.some((name) => query[name]);
  return (
    <div class="auditlogs-filters">
    <Toolbar
      end={
        any && (
          <Button kind="quiet" icon="close" onClick={clear}>
            Clear filters
          </Button>
        )
      }
    >
      <Typed label="Who (e-mail address)" value={query.actor_email ?? ""} onSettled={change("actor_email")} />
      <Select
        label="Kind"
        value={query.object_type ?? ""}
        options={[{ value: "", label: "Everything" }, ...Object.entries(TYPES).map(([value, label]) => ({ value, label }))]}
        onChange={change("object_type")}
      />
    </Toolbar>
    <Details summary="Times and ids" open={MORE.some((name) => query[name])}>
      <Row align="end">
        <DateTime label="From" value={query.from ?? ""} onChange={change("from")} />
        <DateTime label="To" value={query.to ?? ""} onChange={change("to")} {...(query.from ? { min: query.from } : {})} />
        <Typed label="Id" value={query.object_id ?? ""} onSettled={change("object_id")} mono />
        <Typed label="Deployment" value={query.object_deployment_name ?? ""} onSettled={change("object_deployment_name")} />
      </Row>
    </Details>
    </div>
  );
}

/** A text that filters when its writer pauses: each letter would be a search through the whole log. */
function Typed({ label, value, onSettled, mono }: { label: string; value: string; onSettled: (value: string) => void; mono?: boolean }) {
  const [text, setText] = useState(value);
  useEffect(() => setText(value), [value]);
  useEffect(() => {
    if (text.trim() === value) return;
    const wait = setTimeout(() => onSettled(text.trim()), 400);
    return () => clearTimeout(wait);
  }, [text]);
  return <Input label={label} value={text} onInput={setText} clearable {...(mono ? { mono } : {})} />;
}

function OneEntry({ entry }: { entry: Entry }) {
  const to = objectPath(entry);
  const only = (change: Record<string, string>): void => setQuery({ ...Object.fromEntries(FILTERS.map((name) => [name, ""])), entry: "", page: "", ...change }, { replace: false });
  return (
    <Drawer open title={`${verb(entry.action)} ${kind(entry.object.type).toLowerCase()}`} onClose={() => setQuery({ entry: "" })}>
      <Stack>
        <KeyValues
          items={[
            ["When", <Time key="when" at={entry.time} exact />],
            ["Who", <Name key="who" wrap>{actorName(entry)}</Name>],
            ["What", to ? <Link key="what" to={to}><Name wrap>{objectName(entry)}</Name></Link> : <Name key="what" wrap>{objectName(entry)}</Name>],
            ["Id", <span key="id" class="auditlogs-id"><Name mono wrap>{entry.object.id}</Name> <Copy text={entry.object.id} label="Copy the id" /></span>],
            ...Object.entries(entry.meta ?? {}).map(([name, values]): [string, preact.ComponentChildren] => [name, <Name key={name} wrap>{values.join(", ")}</Name>]),
          ]}
        />
        <Card title="Change" level={3}>
          <Changed change={entry.change ?? ""} />
        </Card>
        <div class="auditlogs-more">
          <Button small icon="filter" onClick={() => only({ object_id: entry.object.id })}>
            All of this {kind(entry.object.type).toLowerCase()}
          </Button>
          {entry.actor.email && (
            <Button small icon="user" onClick={() => only({ actor_email: entry.actor.email ?? "" })}>
              All by this person
            </Button>
          )}
        </div>
      </Stack>
    </Drawer>
  );
}

function Changed({ change }: { change: string }) {
  if (!change) return <p class="muted">This entry has no further details.</p>;
  const differs = difference(change);
  if (differs) return <DiffView {...differs} label="What changed" />;
  const document = asJson(change);
  return (
    <CodeBlock label="Change" wrap limit>
      {document === undefined ? change : JSON.stringify(document, null, 2)}
    </CodeBlock>
  );
}

/** Only asked for when somebody wants to know: it reads the whole log. */
function Check() {
  const health = useApi("/management/v1/auditlogs/chains");
  return (
    <Dialog open title="Is the audit log unaltered?" onClose={() => setQuery({ check: "" })} actions={<Button onClick={() => setQuery({ check: "" })}>Close</Button>}>
      <Loaded from={health} skeleton={<Skeleton lines={4} />}>
        {(found) => (
          <Stack>
            {!found.checked ? (
              <Banner is="neutral" title={`${format.count(found.entries, "entry", "entries")}: too many to check from here`}>
                On the server, <code>make manage ARGS='audit verify'</code> checks a log of any length.
              </Banner>
            ) : found.findings.length === 0 ? (
              <Banner is="ok" title={`All ${format.count(found.entries, "entry", "entries")} are as they were written`}>
                None was altered, removed or moved.
              </Banner>
            ) : (
              <Banner is="danger" title={`${format.count(found.findings.length, "entry was", "entries were")} altered, removed or moved`}>
                <ul class="auditlogs-findings">
                  {found.findings.map((line) => (
                    <li key={line}>{line}</li>
                  ))}
                </ul>
              </Banner>
            )}
            <p class="muted small">
              Keep the ends of the {format.count(found.ends.length, "chain")} somewhere else: with them you can show later that not even the server's owner wrote the log anew.
            </p>
            <div>
              <Copy text={() => found.ends.map((end) => `${end.chain} ${end.number} ${end.hash}`).join("\n")} label="Copy the chain heads" small={false} />
            </div>
          </Stack>
        )}
      </Loaded>
    </Dialog>
  );
}

/** The API's export is CSV; JSON is put together from pages. */
async function saveJson(filter: Record<string, string | number | undefined>): Promise<void> {
  try {
    const all: Entry[] = [];
    for (let page = 1; all.length < MOST_EXPORTED; page++) {
      const answer = await api.call("GET", LOGS, { query: { ...filter, page, per_page: 500 } });
      all.push(...answer.data);
      if (answer.data.length < 500) break;
    }
    saveText(JSON.stringify(all, null, 2), "auditlogs.json", "application/json");
    if (all.length >= MOST_EXPORTED) toast.ok(`The file has the first ${format.number(all.length)} entries. Narrow the filters for the others.`);
  } catch (error) {
    toast.error(error, "The log was not exported");
  }
}
