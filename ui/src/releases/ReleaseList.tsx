/** All releases, by name, tags and payload type; uploading starts here. */
import { useState } from "preact/hooks";
import { api, call } from "../api/client";
import { format } from "../app/format";
import { usePages } from "../app/pages";
import { useApi } from "../app/resource";
import { navigate, pathTo, setQuery, useQuery } from "../app/router";
import { can } from "../app/session";
import { Badge, Button, type Column, ConfirmDialog, DataTable, EmptyState, Input, Link, Meter, Name, nothing, Page, Select, type Selection, Status, Time, Toolbar } from "../parts";
import { useLater } from "../app/later";
import { deviceTypes, isMarked, payloadTypes, type Release, RELEASES } from "./types";
import { UploadDialog } from "./UploadDialog";

const PER_PAGE = 50;
const SORTS: Record<string, string> = { name: "name", modified: "modified", artifacts: "artifacts_count", tags: "tags" };

const columns: Column<Release>[] = [
  {
    id: "name",
    title: "Name",
    sort: true,
    always: true,
    min: 12,
    grow: 2,
    cell: (release) => (
      <>
        {isMarked(release) && (
          <span title="No trusted key has signed it">
            <Status is="warning">
              <span class="seen-by-readers">Not trusted</span>
            </Status>
          </span>
        )}
        <Link to={pathTo("releases", release.name)}>
          <Name>{release.name}</Name>
        </Link>
      </>
    ),
  },
  { id: "types", title: "Device types", wide: true, grow: 2, cell: (release) => <Name>{deviceTypes(release).join(", ") || "–"}</Name> },
  { id: "payload", title: "Payload", wide: true, cell: (release) => <Name>{payloadTypes(release.artifacts).join(", ") || "none"}</Name> },
  {
    id: "tags",
    title: "Tags",
    sort: true,
    wide: true,
    grow: 1.5,
    cell: (release) => release.tags.map((tag) => <Badge key={tag}>{tag}</Badge>),
  },
  { id: "artifacts", title: "Artifacts", sort: true, end: true, wide: true, min: 7, grow: 0, cell: (release) => format.number(release.artifacts_count) },
  { id: "modified", title: "Changed", sort: true, min: 8, grow: 0, cell: (release) => <Time at={release.modified} /> },
];

export default function ReleaseList() {
  const [name] = useQuery("name");
  const [tag] = useQuery("tag");
  const [type] = useQuery("type");
  const [order] = useQuery("sort", "modified:desc");
  const [upload, setUpload] = useQuery("upload");
  const [selection, setSelection] = useState<Selection>(nothing);
  const [deleting, setDeleting] = useState(false);
  const typed = useLater(name, (value) => setQuery({ name: value }));
  const tags = useApi("/management/v2/deployments/releases/all/tags");
  const types = useApi("/management/v2/deployments/releases/all/types");
  const storage = useApi("/management/v1/deployments/limits/storage");
  const [by, direction] = order.split(":");
  const query = { name, tag, update_type: type, sort: `${SORTS[by ?? ""] ?? "modified"}:${direction === "asc" ? "asc" : "desc"}`, per_page: PER_PAGE };
  const pages = usePages<Release>(JSON.stringify(query), PER_PAGE, (page, signal) => call("GET", RELEASES, { query: { ...query, page }, signal }));
  const filtered = Boolean(name || tag || type);
  const mayUpload = can("artifacts:upload");
  const changed = (): void => {
    pages.reload();
    void tags.reload();
    void types.reload();
    void storage.reload();
  };
  const remove = async (): Promise<void> => {
    await api.del(RELEASES, { query: { name: [...selection.keys] } });
    setSelection(nothing);
    changed();
  };
  const options = (label: string, values: readonly string[] | undefined, value: string) => [
    { value: "", label },
    ...[...new Set([...(values ?? []), ...(value ? [value] : [])])].map((each) => ({ value: each, label: each })),
  ];
  return (
    <Page
      title="Releases"
      lead="Software to deploy to devices. A release is all artifacts with the same name."
      actions={
        mayUpload && (
          <Button kind="primary" icon="upload" onClick={() => setUpload("file")}>
            Upload
          </Button>
        )
      }
    >
      <Toolbar
        end={
          storage.data && storage.data.limit > 0 ? (
            <Meter label="Storage used" value={storage.data.usage} max={storage.data.limit} show={`${format.bytes(storage.data.usage)} of ${format.bytes(storage.data.limit)}`} />
          ) : undefined
        }
      >
        <Input label="Search by name" hideLabel type="search" icon="search" placeholder="Search by name" value={typed.value} onInput={typed.change} clearable />
        <Select label="Tag" hideLabel value={tag} options={options("Any tag", tags.data, tag)} onChange={(value) => setQuery({ tag: value })} />
        <Select label="Payload type" hideLabel value={type} options={options("Any payload", types.data, type)} onChange={(value) => setQuery({ type: value })} />
      </Toolbar>
      <DataTable
        name="releases"
        label="Releases"
        fill
        columns={columns}
        rowAt={pages.rowAt}
        onRange={pages.onRange}
        total={pages.total}
        rowKey={(release) => release.name}
        sort={{ column: by ?? "modified", descending: direction !== "asc" }}
        onSort={(sort) => setQuery({ sort: `${sort.column}:${sort.descending ? "desc" : "asc"}` })}
        onOpen={(release) => navigate(pathTo("releases", release.name))}
        {...(can("releases:manage") ? { selection, onSelection: setSelection } : {})}
        actions={() => (
          <Button small kind="danger" icon="delete" onClick={() => setDeleting(true)}>
            Delete
          </Button>
        )}
        error={pages.error}
        onRetry={pages.reload}
        empty={
          filtered ? (
            <EmptyState icon="search" title="No release fits" action={<Button onClick={() => setQuery({ name: "", tag: "", type: "" })}>Show all releases</Button>}>
              Try another name, tag or payload type.
            </EmptyState>
          ) : (
            <EmptyState
              icon="releases"
              title="No releases yet"
              action={
                mayUpload && (
                  <Button kind="primary" icon="upload" onClick={() => setUpload("file")}>
                    Upload an artifact
                  </Button>
                )
              }
            >
              Upload a <code>.mender</code> artifact, or let the server make one from any file. Then deploy it to your devices.
            </EmptyState>
          )
        }
      />
      {upload && mayUpload && <UploadDialog mode={upload === "make" ? "make" : "file"} onMode={setUpload} onClose={() => setUpload("")} onDone={changed} />}
      <ConfirmDialog
        open={deleting}
        title={`Delete ${format.count(selection.keys.size, "release")}?`}
        action={`Delete ${format.count(selection.keys.size, "release")}`}
        onConfirm={remove}
        onClose={() => setDeleting(false)}
      >
        <p>All their artifacts are deleted, which can't be undone. If an unfinished deployment uses one of the releases, nothing is deleted.</p>
      </ConfirmDialog>
    </Page>
  );
}
