/** One operation: what it takes, what it answers, and a place to try it. */
import { useParam } from "../app/router";
import { useTitle } from "../app/title";
import { can, has } from "../app/session";
import { Badge, Banner, Card, CodeBlock, Details, EmptyState, Link, Loaded, Page, Split, Stack } from "../parts";
import type { Permission } from "../api/types";
import { type AnswerKind, boundsOf, type Content, type Description, exampleOf, kindOf, type Member, membersOf, type Operation, type Parameter, useDescription } from "./description";
import { Method, Text } from "./pieces";
import { TryIt } from "./TryIt";

export default function OperationPage() {
  const id = useParam("id");
  const description = useDescription();
  const operation = description.data?.operations.find((each) => each.id === id);
  useTitle(operation?.summary ?? id);
  return (
    <Page
      title={operation?.summary ?? id}
      heading={operation && <Text>{operation.summary}</Text>}
      back={{ to: `/api?${new URLSearchParams({ tag: operation?.tag ?? "" })}`, label: "API" }}
      lead={
        operation && (
          <span class="reference-path">
            <Method of={operation} /> <code>/api{operation.path}</code>
          </span>
        )
      }
    >
      <Loaded from={description}>
        {(all) =>
          operation ? (
            <Shown key={id} operation={operation} all={all} />
          ) : (
            <EmptyState icon="search" title="This server has no such operation" action={<Link button="plain" to="/api">All operations</Link>}>
              It may be one of another version.
            </EmptyState>
          )
        }
      </Loaded>
    </Page>
  );
}

function Shown({ operation, all }: { operation: Operation; all: Description }) {
  return (
    <Split side={<TryIt operation={operation} all={all} />}>
      <Stack>
        {operation.description && (
          <p class="reference-text">
            <Text>{operation.description}</Text>
          </p>
        )}
        <Rights operation={operation} />
        {operation.parameters.length > 0 && (
          <Card title="Parameters">
            <Parameters parameters={operation.parameters} />
          </Card>
        )}
        {operation.bodies.map((body) => (
          <Card key={body.media} title="Body" lead={body.media}>
            <Shape content={body} all={all} />
          </Card>
        ))}
        <Card title="Answers" lead={<>Refusals say in <code>error</code> what to do.</>}>
          <Stack gap={2}>
            {operation.answers.map((answer) => (
              <OneAnswer key={answer.status} answer={answer} all={all} />
            ))}
          </Stack>
        </Card>
      </Stack>
    </Split>
  );
}

function Rights({ operation: { permission, feature } }: { operation: Operation }) {
  const lacks = permission && !can(permission as Permission);
  if (lacks) return <Banner is="warning">You do not have the right <code>{permission}</code>, so the server refuses your calls.</Banner>;
  if (feature && !has(feature)) return <Banner is="warning">Your organization's plan does not include <code>{feature}</code>, so the server refuses your calls.</Banner>;
  return null;
}

/** Names on the left, what they mean on the right; below each other on a phone. */
function Told({ of: { name, kind, note, description, below } }: { of: { name: string; kind: string; note: string; description: string; below?: readonly Member[] } }) {
  return (
    <div>
      <dt>
        <code>{name}</code>
      </dt>
      <dd>
        <span class="muted small">{[kind, note].filter(Boolean).join("; ")}</span>
        {description && (
          <div>
            <Text>{description}</Text>
          </div>
        )}
        {below && below.length > 0 && (
          <Details summary={<span class="small">{below.map((each) => each.name).slice(0, 4).join(", ")}{below.length > 4 ? `, ${below.length - 4} more` : ""}</span>}>
            <Members members={below} />
          </Details>
        )}
      </dd>
    </div>
  );
}

function Parameters({ parameters }: { parameters: readonly Parameter[] }) {
  return (
    <dl class="reference-members">
      {parameters.map(({ name, in: where, required, description = "", schema }) => (
        <Told key={`${where} ${name}`} of={{ name, kind: kindOf(schema), note: [boundsOf(schema), where === "header" ? "a header" : where === "path" ? "in the path" : "", required ? "required" : ""].filter(Boolean).join("; "), description }} />
      ))}
    </dl>
  );
}

function OneAnswer({ answer, all }: { answer: AnswerKind; all: Description }) {
  const good = Number(answer.status) < 400;
  return (
    <Details
      open={answer.status === "200"}
      summary={
        <>
          <Badge is={good ? "ok" : "neutral"}>{answer.status}</Badge> <Text>{answer.description}</Text>
        </>
      }
    >
      <Stack gap={2}>
        {answer.headers.length > 0 && <p class="muted small">Headers: {answer.headers.join(", ")}</p>}
        {answer.contents.map((content) => (
          <Shape key={content.media} content={content} all={all} answer={answer.status} />
        ))}
        {answer.contents.length === 0 && <p class="muted small">Without a body.</p>}
      </Stack>
    </Details>
  );
}

/** `answer`: the status with which it is answered; none: it is a call's body. */
function Shape({ content: { media, schema }, all, answer }: { content: Content; all: Description; answer?: string }) {
  const members = membersOf(schema, all.schemas);
  const example = exampleOf(schema, all.schemas);
  return (
    <Stack gap={2}>
      {answer && (
        <p class="small">
          {kindOf(schema)} <span class="muted">{media}</span>
        </p>
      )}
      {members.length > 0 && <Members members={members} />}
      {media.includes("json") && example !== undefined && (
        <CodeBlock label={answer ? `Example of answer ${answer}` : "Example"} limit>
          {JSON.stringify(example, null, 2)}
        </CodeBlock>
      )}
    </Stack>
  );
}

function Members({ members }: { members: readonly Member[] }) {
  return (
    <dl class="reference-members">
      {members.map(({ name, kind, required, description, members: below }) => (
        <Told key={name} of={{ name, kind, note: required ? "" : "may be missing", description, below }} />
      ))}
    </dl>
  );
}
