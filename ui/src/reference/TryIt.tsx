/** Makes a call with the session of whoever reads the page, and shows it as a line for a shell. */
import { useState } from "preact/hooks";
import { ApiError, send } from "../api/client";
import { format } from "../app/format";
import { place, setQuery } from "../app/router";
import { Button, Card, CodeBlock, ConfirmDialog, Input, KeyValues, Link, Select, Stack, Status, TextArea } from "../parts";
import { callOf, curlOf, type Description, exampleOf, kindOf, type Operation, type Parameter, untried, type Values } from "./description";
import { Text } from "./pieces";

/** Parameters are in the page's address under names that begin so. */
const PREFIX = "p.";
/** Characters of an answer that are shown. */
const SHOWN = 200_000;
const HEADERS = ["location", "link", "x-total-count", "etag", "retry-after", "content-type", "x-men-requestid"];

interface Outcome {
  status: number;
  text: string;
  headers: [string, string][];
  took: number;
}

const valuesOf = (query: Readonly<Record<string, string>>): Values =>
  Object.fromEntries(Object.entries(query).flatMap(([name, value]) => (name.startsWith(PREFIX) ? [[name.slice(PREFIX.length), value]] : [])));

export function TryIt({ operation, all }: { operation: Operation; all: Description }) {
  const [kind] = operation.bodies;
  const [body, setBody] = useState(() => (kind?.media.includes("json") ? JSON.stringify(exampleOf(kind.schema, all.schemas), null, 2) : ""));
  const [asking, setAsking] = useState(false);
  const [outcome, setOutcome] = useState<Outcome>();
  const values = valuesOf(place.value.query);
  const call = callOf(operation, values);
  const never = untried(operation);
  const reads = operation.method === "GET";
  const wrong = body.trim() && !isJson(body) && kind?.media.includes("json") ? "This is not JSON." : "";
  const run = async (): Promise<void> => {
    const begun = performance.now();
    const headers = { ...call.headers, ...(kind && body.trim() ? { "Content-Type": kind.media } : {}) };
    const done = (status: number, found: unknown, from: Headers | undefined): void =>
      setOutcome({ status, text: asText(found), took: performance.now() - begun, headers: HEADERS.flatMap((name) => (from?.get(name) ? [[name, from.get(name) ?? ""] as [string, string]] : [])) });
    try {
      const answer = await send<unknown>(operation.method, call.path, { query: call.query, headers, quiet: true, ...(kind && body.trim() ? { body } : {}) });
      done(answer.status, answer.data, answer.headers);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      done(error.status, error.body ?? error.message, new Headers(error.requestId ? { "x-men-requestid": error.requestId } : {}));
    }
  };
  return (
    <Stack>
      <Card title="Try it" lead={never ? undefined : reads ? "Sent with your session. It changes nothing." : "Sent with your session, on your own data, after a question."}>
        <Stack>
          {operation.parameters.map((each) => (
            <Value key={`${each.in} ${each.name}`} parameter={each} value={values[each.name] ?? ""} />
          ))}
          {kind && kind.media !== "multipart/form-data" && <TextArea label="Body" mono rows={Math.min(16, body.split("\n").length + 1)} value={body} onInput={setBody} error={wrong} />}
          {never ? (
            <p class="muted">{never}</p>
          ) : (
            <Button kind="primary" icon="send" disabled={call.missing.length > 0 || Boolean(wrong)} onClick={reads ? run : () => setAsking(true)}>
              Send
            </Button>
          )}
          {!never && call.missing.length > 0 && <p class="muted small">Missing: {call.missing.join(", ")}</p>}
        </Stack>
      </Card>
      {outcome && <Shown outcome={outcome} />}
      <Card title="In a shell" lead={operation.callers.includes("user") ? <>With an <Link to="/settings/tokens">access token</Link> in TOKEN.</> : undefined}>
        <CodeBlock label="Command" wrap limit>{curlOf(operation, call, body.trim() ? compact(body) : "", kind?.media ?? "")}</CodeBlock>
      </Card>
      <ConfirmDialog
        open={asking}
        title={`Send this ${operation.method}?`}
        action={`Send ${operation.method}`}
        kind={operation.method === "DELETE" ? "danger" : "primary"}
        onConfirm={run}
        onClose={() => setAsking(false)}
      >
        <p>
          <Text>{`${operation.summary}. It takes effect at once in your organization, and may be impossible to undo.`}</Text>
        </p>
        <p class="reference-break">
          <code>{call.path}</code>
        </p>
      </ConfirmDialog>
    </Stack>
  );
}

function Value({ parameter: { name, in: where, required, schema }, value }: { parameter: Parameter; value: string }) {
  const set = (next: string): void => setQuery({ [PREFIX + name]: next });
  const choices = schema.type === "boolean" ? ["true", "false"] : schema.type === "array" ? undefined : schema.enum?.map(String);
  const hint = schema.type === "array" ? "Separate several with commas." : where === "header" ? "A header." : undefined;
  if (choices) {
    return <Select label={name} optional={!required} value={value} options={[{ value: "", label: "not sent" }, ...choices.map((each) => ({ value: each, label: each }))]} onChange={set} />;
  }
  return <Input label={name} optional={!required} value={value} onInput={set} hint={hint} placeholder={schema.default === undefined ? kindOf(schema) : String(schema.default)} />;
}

function Shown({ outcome: { status, text, headers, took } }: { outcome: Outcome }) {
  const cut = text.length > SHOWN;
  return (
    <Card title="Answer" lead={`${format.number(Math.round(took))} ms, ${format.bytes(new TextEncoder().encode(text).length)}`} actions={<Status is={status > 0 && status < 400 ? "ok" : "danger"}>{status || "no answer"}</Status>}>
      <Stack gap={2}>
        {headers.length > 0 && <KeyValues items={headers.map(([name, value]) => [name, <code class="reference-break">{value}</code>] as const)} />}
        {text ? <CodeBlock label="Answer" limit>{cut ? text.slice(0, SHOWN) : text}</CodeBlock> : <p class="muted">Without a body.</p>}
        {cut && <p class="muted small">Only the first {format.number(SHOWN)} characters are shown.</p>}
      </Stack>
    </Card>
  );
}

const asText = (found: unknown): string => (found === undefined ? "" : typeof found === "string" ? found : JSON.stringify(found, null, 2));

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

const compact = (text: string): string => (isJson(text) ? JSON.stringify(JSON.parse(text)) : text);
