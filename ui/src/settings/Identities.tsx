/** Preregistered identities: upload a file, see what became of each line, and delete. */
import { useState } from "preact/hooks";
import { api, call } from "../api/client";
import { format } from "../app/format";
import { useApi } from "../app/resource";
import { pathTo, setQuery, usePage } from "../app/router";
import { attempt, textOf, toast } from "../app/toasts";
import { Banner, Button, Card, type Column, ConfirmDialog, DataTable, EmptyState, FileDrop, IconButton, lastColumn, Link, Name, Row, Stack, Time } from "../parts";
import { type Expected, IDENTITIES, identityText, type Registered } from "./rules";

const PER_PAGE = 20;
/** Refused lines that are shown. */
const SHOWN = 20;

export function Identities({ manages, onUploaded }: { manages: boolean; onUploaded: () => Promise<void> }) {
  const [page, goTo] = usePage();
  const found = useApi({ path: IDENTITIES, query: { page, per_page: PER_PAGE } });
  const [result, setResult] = useState<Registered>();
  const [error, setError] = useState("");
  const [busy, setBusy] = useState(false);
  const [clearing, setClearing] = useState(false);
  const total = found.total ?? 0;
  const upload = async (file: File | undefined): Promise<void> => {
    if (!file) return;
    setBusy(true);
    setError("");
    setResult(undefined);
    try {
      const answer = await call("POST", IDENTITIES, { body: await file.text(), headers: { "Content-Type": "text/csv" } });
      setResult(answer.data);
      await Promise.all([found.reload(), onUploaded()]);
    } catch (failed) {
      setError(textOf(failed));
    } finally {
      setBusy(false);
    }
  };
  const remove = (each: Expected): Promise<unknown> =>
    attempt(
      async () => {
        await api.del(`${IDENTITIES}/${encodeURIComponent(each.id)}`);
        await found.reload();
      },
      "The identity is deleted.",
      "The identity was not deleted",
    );
  const columns: Column<Expected>[] = [
    { id: "identity", title: "Identity", always: true, grow: 4, min: 10, cell: (each) => <Name>{identityText(each.identity_data)}</Name> },
    { id: "key", title: "Key", wide: true, min: 7, cell: (each) => (each.pubkey ? "Given" : "The first one") },
    { id: "device", title: "Device", min: 7, cell: (each) => (each.device ? <Link to={pathTo("devices", each.device.id)}>{each.device.status}</Link> : <span class="muted">not seen yet</span>) },
    { id: "created", title: "Uploaded", wide: true, min: 7, cell: (each) => <Time at={each.created_ts} /> },
    lastColumn((each) => manages && <IconButton icon="delete" small label={`Delete ${identityText(each.identity_data)}`} onClick={() => void remove(each)} />),
  ];
  return (
    <Card
      title="Preregistered identities"
      lead="Devices with one of these identities are accepted when they first ask."
      actions={
        manages &&
        total > 0 && (
          <Button icon="delete" onClick={() => setClearing(true)}>
            Delete all
          </Button>
        )
      }
    >
      <Stack>
        {manages && (
          <FileDrop
            label={busy ? "Uploading…" : "Choose a CSV file, or drop it here"}
            hint="The first line has the names of the attributes, such as mac,serial. The column pubkey is for public keys. Up to 5,000 lines; it can be uploaded again."
            accept=".csv,text/csv"
            disabled={busy}
            onFiles={([file]) => void upload(file)}
          />
        )}
        {error && <Banner is="danger">{error}</Banner>}
        {result && <Result result={result} onClose={() => setResult(undefined)} />}
        <DataTable
          name="identities"
          label="Preregistered identities"
          plain
          columns={columns}
          rows={found.data}
          rowKey={(each) => each.id}
          total={found.total}
          error={found.error}
          onRetry={found.reload}
          page={page}
          perPage={PER_PAGE}
          onPage={goTo}
          empty={
            <EmptyState small icon="upload" title="No identities">
              Upload the identities of devices that are still to come, such as a list from the factory.
            </EmptyState>
          }
        />
      </Stack>
      <ConfirmDialog
        open={clearing}
        title={`Delete ${format.count(total, "preregistered identity", "preregistered identities")}?`}
        action={`Delete ${format.count(total, "identity", "identities")}`}
        onConfirm={async () => {
          let { left } = await api.del(IDENTITIES);
          while (left > 0) ({ left } = await api.del(IDENTITIES));
          toast.ok("The identities are deleted.");
          setQuery({ page: "" });
          await found.reload();
        }}
        onClose={() => setClearing(false)}
      >
        <p>Devices that were accepted stay accepted. This can't be undone.</p>
      </ConfirmDialog>
    </Card>
  );
}

function Result({ result, onClose }: { result: Registered; onClose: () => void }) {
  const wrong = result.results.filter((each) => each.status === "invalid");
  return (
    <Banner is={wrong.length ? "warning" : "ok"} title={`${format.count(result.stored, "identity", "identities")} stored`} onClose={onClose}>
      <Row gap={3}>
        {result.exists > 0 && <span>{format.number(result.exists)} were stored already</span>}
        {wrong.length > 0 && <span>{format.number(wrong.length)} could not be stored</span>}
      </Row>
      {wrong.length > 0 && (
        <ul>
          {wrong.slice(0, SHOWN).map((each) => (
            <li key={each.line}>
              Line {format.number(each.line)}: {each.error}
            </li>
          ))}
          {wrong.length > SHOWN && <li>and {format.number(wrong.length - SHOWN)} more</li>}
        </ul>
      )}
    </Banner>
  );
}
