/** The API of this server, operation by operation, as it describes itself. */
import { base } from "../api/client";
import { pathTo, useQuery } from "../app/router";
import { Badge, EmptyState, Input, Link, Loaded, Page, Stack, Details } from "../parts";
import { grouped, type Operation, search, useDescription } from "./description";
import { Method, Text } from "./pieces";

export default function Reference() {
  const [text, setText] = useQuery("q");
  const [tag, setTag] = useQuery("tag");
  const description = useDescription();
  return (
    <Page
      title="API"
      lead="Every call that this server answers, to read and to try. The console uses the same."
      actions={
        <>
          <Link button="plain" to="/settings/tokens" icon="key">Access tokens</Link>
          <Link button="plain" outside={`${base}/openapi.json`}>OpenAPI file</Link>
        </>
      }
    >
      <Input type="search" icon="search" label="Search" hideLabel placeholder="Search: path, method or words" clearable value={text} onInput={(next) => setText(next, { replace: true })} />
      <Loaded from={description}>
        {({ operations, version }) => {
          const groups = grouped(search(operations, text));
          return groups.length ? (
            <Stack gap={2}>
              {groups.map(([name, found]) => (
                <Details
                  key={`${name} ${Boolean(text)}`}
                  open={Boolean(text) || name === tag}
                  onToggle={(open) => !text && open !== (name === tag) && setTag(open ? name : "")}
                  summary={
                    <>
                      <span class="reference-group">{name}</span> <Badge>{String(found.length)}</Badge>
                    </>
                  }
                >
                  <ul class="reference-list">
                    {found.map((each) => (
                      <One key={each.id} operation={each} />
                    ))}
                  </ul>
                </Details>
              ))}
              <p class="muted small">
                Lamplighter {version}. The console is built with libraries of others: <Link outside="licences.txt">their licences</Link>.
              </p>
            </Stack>
          ) : (
            <EmptyState icon="search" title="No operation fits">
              All words have to be in its path, method, description or id.
            </EmptyState>
          );
        }}
      </Loaded>
    </Page>
  );
}

function One({ operation }: { operation: Operation }) {
  return (
    <li class="reference-one">
      <Method of={operation} />
      <div>
        <Link to={pathTo("api", operation.id)}>
          <code>{operation.path}</code>
        </Link>
        <div class="muted small">
          <Text>{operation.summary}</Text>
        </div>
      </div>
    </li>
  );
}
