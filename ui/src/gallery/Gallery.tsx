/** Every part in every state. */
import { useState } from "preact/hooks";
import * as P from "../parts";
import { iconNames } from "../parts/icons";
import { theme } from "../app/stored";
import { useQuery } from "../app/router";
import { toast } from "../app/toasts";
import { ApiError } from "../api/client";

const meanings: P.Meaning[] = ["ok", "running", "waiting", "warning", "danger", "neutral"];
const refused = new ApiError(409, "The deployment is finished already, so it can't be aborted.", "1c8e6f0a-3b1d-4a7e-9a55-0d4f7f3c2b11");
const hour = Math.floor(Date.now() / 3_600_000) * 3600;
const times = Array.from({ length: 48 }, (_, index) => hour - (47 - index) * 3600);
const wave = (scale: number, shift: number): number[] => times.map((_, index) => Math.round(scale * (1.2 + Math.sin(index / 5 + shift))));

interface Row {
  id: string;
  name: string;
  is: P.Meaning;
  software: string;
  seen: number;
  size: number;
}
const words = ["gateway", "sensor", "camera", "Überwachungskamera-im-Treppenhaus-Nord", "جهاز الاستشعار", "🏭 press", "door"];
const rows: Row[] = Array.from({ length: 5000 }, (_, index) => ({
  id: `d${index}`,
  name: `${words[index % words.length]}-${String(index).padStart(4, "0")}`,
  is: meanings[(index * 7) % 5] ?? "ok",
  software: `rootfs-2026.${(index % 5) + 1}`,
  seen: Date.now() - index * 137_000,
  size: index * 83_211,
}));
const columns: P.Column<Row>[] = [
  { id: "name", title: "Name", cell: (row) => <P.Name>{row.name}</P.Name>, sort: true, always: true, min: 10, grow: 2 },
  { id: "status", title: "Status", cell: (row) => <P.Status is={row.is}>{row.is}</P.Status>, min: 7 },
  { id: "software", title: "Software", cell: (row) => row.software, sort: true, wide: true, min: 9 },
  { id: "seen", title: "Last seen", cell: (row) => <P.Time at={row.seen} />, sort: true, wide: true },
  { id: "size", title: "Size", cell: (row) => <P.Bytes value={row.size} />, end: true, sort: true, wide: true, min: 6 },
  { id: "id", title: "Identifier", cell: (row) => <code>{row.id}</code>, hidden: true },
];

export default function Gallery() {
  const [tab] = useQuery("tab", "basic");
  return (
    <main class="page" id="content" tabIndex={-1}>
      <P.Row justify="between">
        <h1>Parts</h1>
        <P.Segments label="Appearance" value={theme.value} options={[{ value: "system", label: "System" }, { value: "light", label: "Light" }, { value: "dark", label: "Dark" }]} onChange={(value) => void (theme.value = value)} />
      </P.Row>
      <P.Tabs
        label="Kinds of parts"
        value={tab}
        tabs={[
          { id: "basic", label: "Basic" },
          { id: "fields", label: "Fields" },
          { id: "feedback", label: "Feedback", count: 1234 },
          { id: "table", label: "Table" },
          { id: "more", label: "Charts and more" },
        ]}
      />
      {tab === "basic" && <Basic />}
      {tab === "fields" && <Fields />}
      {tab === "feedback" && <Feedback />}
      {tab === "table" && <Tables />}
      {tab === "more" && <More />}
    </main>
  );
}

function Basic() {
  const [dialog, setDialog] = useState("");
  return (
    <P.Stack gap={5}>
      <P.Card title="Buttons" lead="One primary button for each decision.">
        <P.Stack>
          <P.Row>
            <P.Button kind="primary" icon="add">Create deployment</P.Button>
            <P.Button icon="download">Export</P.Button>
            <P.Button kind="quiet">Cancel</P.Button>
            <P.Button kind="danger" icon="delete">Delete 3 releases</P.Button>
            <P.IconButton icon="refresh" label="Refresh" />
            <P.Menu label="More actions" icon="more" iconOnly items={[{ label: "Rename", icon: "edit" }, { label: "Accept", icon: "check", hint: "A" }, "line", { label: "Decommission", icon: "delete", danger: true }]} />
            <P.Menu label="Sort" items={[{ heading: "Sort by" }, { label: "Name", checked: true }, { label: "Last seen", checked: false }]} />
          </P.Row>
          <P.Row>
            <P.Button kind="primary" small>Small</P.Button>
            <P.Button small>Small</P.Button>
            <P.Button kind="primary" busy>Saving</P.Button>
            <P.Button disabled>Disabled</P.Button>
            <P.Button kind="primary" disabled>Disabled</P.Button>
            <P.Link to="/parts" button="plain" icon="forward">A link as a button</P.Link>
            <P.Link to="/parts">A link</P.Link>
            <P.Link outside="https://docs.mender.io">A link outside</P.Link>
          </P.Row>
        </P.Stack>
      </P.Card>
      <P.Grid min="l">
        <P.Card title="Status and badges">
          <P.Stack>
            <P.Row gap={4}>{meanings.map((is) => <P.Status key={is} is={is}>{is}</P.Status>)}</P.Row>
            <P.Row>{meanings.map((is) => <P.Badge key={is} is={is}>{is}</P.Badge>)}<P.Badge is="accent">accent</P.Badge><P.Badge onRemove={() => undefined}>removable</P.Badge></P.Row>
            <P.Row gap={4}>
              <P.Time at={Date.now() - 90_000} /> <P.Time at={Date.now() - 4e8} absolute /> <P.Bytes value={18_734_112} /> <P.Count value={12_345} to="/parts" /> <P.Kbd>Ctrl K</P.Kbd> <P.Spinner />
            </P.Row>
            <P.Name wrap>A very long name that somebody gave to a device in the basement of the old factory building</P.Name>
            <P.Name>جهاز الاستشعار في الطابق السفلي</P.Name>
          </P.Stack>
        </P.Card>
        <P.Card title="Facts">
          <P.KeyValues items={[["Identity", <code>mac=02:12:61:13:2b:4f</code>], ["Device type", "raspberrypi4-64"], ["Software", "rootfs-2026.3"], ["Group", null]]} />
        </P.Card>
      </P.Grid>
      <P.Grid min="s">
        <P.Stat label="Devices" value="12,345" note="98.2 % seen today" to="/parts" />
        <P.Stat label="Pending" value="7" is="waiting" note="oldest for 3 days" to="/parts" />
        <P.Stat label="Failed updates" value="42" is="danger" note="in 2 deployments" to="/parts" />
        <P.Stat label="Alerts" value="0" note="none for 9 days" />
      </P.Grid>
      <P.Card title="Code">
        <P.CodeBlock label="Command">{`curl -sf https://lamplighter.example.com/install.sh | sudo sh -s -- \\\n  --tenant-token eyJhbGciOiJFZERTQSJ9.eyJ0ZW5hbnQiOiI2NWY`}</P.CodeBlock>
      </P.Card>
      <P.Card title="Overlays">
        <P.Row>
          <P.Button onClick={() => setDialog("dialog")}>Dialog</P.Button>
          <P.Button onClick={() => setDialog("confirm")}>Confirmation</P.Button>
          <P.Button onClick={() => setDialog("typed")}>Confirmation by typing</P.Button>
          <P.Button onClick={() => setDialog("drawer")}>Drawer</P.Button>
          <P.Button onClick={() => setDialog("edit")}>Form</P.Button>
          <P.Button onClick={() => toast.ok("12 devices were accepted.", () => undefined)}>Toast with undo</P.Button>
          <P.Button onClick={() => toast.error(refused, "The deployment was not aborted")}>Toast of an error</P.Button>
        </P.Row>
        <P.Dialog open={dialog === "dialog"} title="Rename the device" onClose={() => setDialog("")} actions={<><P.Button onClick={() => setDialog("")}>Cancel</P.Button><P.Button kind="primary">Rename</P.Button></>}>
          <P.Form onSubmit={() => undefined}><P.Input label="Name" value="gateway-7" onInput={() => undefined} /></P.Form>
        </P.Dialog>
        {dialog === "edit" && (
          <P.EditDialog title="Add a tag" action="Add tag" ready save={() => Promise.reject(refused)} onDone={() => undefined} onClose={() => setDialog("")}>
            <P.Input label="Tag" value="" onInput={() => undefined} />
          </P.EditDialog>
        )}
        <P.Drawer open={dialog === "drawer"} title="Details" onClose={() => setDialog("")}><P.Skeleton lines={6} /></P.Drawer>
        <P.ConfirmDialog open={dialog === "confirm"} title="Reject 12 devices?" action="Reject 12 devices" onConfirm={() => Promise.reject(refused)} onClose={() => setDialog("")}>They are refused from their next call on. You can accept them again later.</P.ConfirmDialog>
        <P.ConfirmDialog open={dialog === "typed"} title="Delete the tenant?" typed="acme" action="Delete the tenant" onConfirm={() => undefined} onClose={() => setDialog("")}>All of its devices, releases and deployments go with it. This can't be undone.</P.ConfirmDialog>
      </P.Card>
      <P.Card title="Icons"><P.Row gap={3}>{iconNames.map((name) => <span key={name} title={name}><P.Icon name={name} size={20} label={name} /></span>)}</P.Row></P.Card>
    </P.Stack>
  );
}

function Fields() {
  const [text, setText] = useState("gateway");
  const [choice, setChoice] = useState("a");
  const [on, setOn] = useState(true);
  const [tags, setTags] = useState<string[]>(["production", "north"]);
  const [when, setWhen] = useState("");
  const [zone, setZone] = useState("UTC");
  const [minutes, setMinutes] = useState(30);
  const options = [{ value: "a", label: "All devices", hint: "12,345 devices, and those that come later" }, { value: "b", label: "A group", hint: "Devices that you have put together" }, { value: "c", label: "A filter", hint: "Devices with certain attributes" }];
  return (
    <P.Grid min="l">
      <P.Card title="Text">
        <P.Form onSubmit={() => undefined}>
          <P.Input label="Name" value={text} onInput={setText} hint="Shown in lists and messages." />
          <P.Input label="Search" hideLabel icon="search" clearable placeholder="Search devices" value={text} onInput={setText} />
          <P.Input label="Address" optional value="nobody" onInput={() => undefined} error="This is not an e-mail address: it has no @." />
          <P.Password label="Password" value="secret" onInput={() => undefined} />
          <P.TextArea label="Notes" value="" placeholder="What is new in it?" onInput={() => undefined} />
          <P.Input label="Disabled" value="can't be changed" disabled onInput={() => undefined} />
          <P.FormActions><P.Button>Cancel</P.Button><P.Button kind="primary" type="submit">Save</P.Button></P.FormActions>
        </P.Form>
      </P.Card>
      <P.Card title="Choices">
        <P.Form onSubmit={() => undefined}>
          <P.Select label="Group" value={choice} options={options} onChange={setChoice} />
          <P.Combobox label="Release" value={choice} options={options} onChange={setChoice} optional placeholder="Find a release" />
          <P.TimeZone label="Time zone" value={zone} onChange={setZone} />
          <P.Tags label="Tags" value={tags} onChange={setTags} known={["staging", "lab"]} />
          <P.DateTime label="Start" value={when} onChange={setWhen} hint="In your time zone." />
          <P.Checkbox label="Keep going when devices fail" hint="Failures are shown in the report." checked={on} onChange={setOn} />
          <P.CheckboxGroup label="Which of them" lead="Any, or none." value={["a"]} options={[{ value: "a", label: "One" }, { value: "b", label: "Another", hint: "With a hint" }]} onChange={() => undefined} />
          <P.Checkbox label="Some of them" mixed checked={false} onChange={() => undefined} />
          <P.Switch label="Second factor for everybody" hint="At the next sign-in." checked={on} onChange={setOn} />
          <P.Slider label="Poll every" steps={[5, 30, 120]} value={minutes} show={(value) => `${value} min`} onChange={setMinutes} hint="Drag it, or use the arrow keys." />
          <P.Segments label="View" value={choice} options={[{ value: "a", label: "Chart" }, { value: "b", label: "Table" }]} onChange={setChoice} />
        </P.Form>
      </P.Card>
      <P.Card title="Decisions"><P.RadioGroup label="Whom does it reach?" cards value={choice} options={options} onChange={setChoice} /></P.Card>
      <P.Card title="Files"><P.FileDrop label="Drop an artifact here" hint="A .mender file of any size. It is checked while it goes up." onFiles={() => undefined} /></P.Card>
    </P.Grid>
  );
}

function Feedback() {
  return (
    <P.Stack gap={5}>
      <P.Stack gap={2}>
        {meanings.filter((is) => is !== "waiting").map((is) => <P.Banner key={is} is={is} title={`A message: ${is}`} action={is === "warning" && <P.Button small>Try now</P.Button>} requestId={is === "danger" ? refused.requestId : ""}>What happened, why, and what to do.</P.Banner>)}
      </P.Stack>
      <P.Grid>
        <P.Card><P.EmptyState icon="release" title="No releases yet" action={<P.Button kind="primary" icon="upload">Upload an artifact</P.Button>}>A release is what you roll out to devices. Upload a .mender file, or make one from any file.</P.EmptyState></P.Card>
        <P.Card><P.ErrorState error={refused} onRetry={() => undefined} /></P.Card>
        <P.Card title="Loading"><P.Skeleton lines={5} /></P.Card>
      </P.Grid>
      <P.Card title="Progress">
        <P.Stack>
          <P.Progress label="Devices" segments={[{ is: "ok", value: 812, label: "updated" }, { is: "running", value: 96, label: "at work" }, { is: "danger", value: 14, label: "failed" }, { is: "neutral", value: 300, label: "waiting" }]} />
          <P.Legend items={[{ is: "ok", label: "Updated", value: 812 }, { is: "running", label: "At work", value: 96 }, { is: "danger", label: "Failed", value: 14 }, { is: "neutral", label: "Waiting", value: 300 }]} />
          <P.Meter label="Devices" value={430} max={500} />
          <P.Meter label="Storage" value={97} max={100} show="9.7 of 10 GB" />
          <P.Loader label="Uploading" value={0.4} note="40 % · 12 s left" />
          <P.Loader label="Checking" />
        </P.Stack>
      </P.Card>
    </P.Stack>
  );
}

function Tables() {
  const [selection, setSelection] = useState(P.nothing);
  const [sort, setSort] = useState<P.Sort>({ column: "name", descending: false });
  const sorted = P.sortRows(rows, sort, { name: (row) => row.name, software: (row) => row.software, seen: (row) => row.seen, size: (row) => row.size });
  return (
    <P.Stack gap={5}>
      <P.Toolbar end={<P.Button icon="filter">Filter</P.Button>}>
        <P.Input label="Search" hideLabel icon="search" placeholder="Search 5,000 devices" value="" onInput={() => undefined} />
      </P.Toolbar>
      <P.DataTable name="gallery" label="Devices" columns={columns} rows={sorted} rowKey={(row) => row.id} total={5000} sort={sort} onSort={setSort} selection={selection} onSelection={setSelection} selectAll fill onOpen={(row) => toast.note(row.name)} actions={(_selection, count) => <><P.Button small icon="check">Accept {count}</P.Button><P.Button small icon="group">Add to group</P.Button></>} />
      <P.Grid min="l">
        <P.DataTable name="gallery-page" label="A page" columns={columns.slice(0, 3)} rows={rows.slice(0, 5)} rowKey={(row) => row.id} page={2} perPage={5} total={5000} onPage={() => undefined} plain />
        <P.DataTable name="gallery-empty" label="Empty" columns={columns} rows={[]} rowKey={(row) => row.id} empty={<P.EmptyState small icon="search" title="No device fits the filter" action={<P.Button small>Clear the filter</P.Button>} />} />
        <P.DataTable name="gallery-wait" label="Loading" columns={columns.slice(0, 3)} rows={undefined} rowKey={(row) => row.id} />
        <P.DataTable name="gallery-error" label="Failed" columns={columns} rows={undefined} error={refused} onRetry={() => undefined} rowKey={(row) => row.id} />
      </P.Grid>
    </P.Stack>
  );
}

function More() {
  const [step, setStep] = useState("what");
  return (
    <P.Stack gap={5}>
      <P.Grid min="l">
        <P.Card title="Updates"><P.Chart title="Updates by hour" times={times} series={[{ label: "Updated", is: "ok", values: wave(20, 0) }, { label: "Failed", is: "danger", values: wave(3, 2) }]} /></P.Card>
        <P.Card title="Traffic"><P.Chart title="Traffic by hour" kind="bars" times={times} series={[{ label: "Downloads", is: "accent", values: wave(40, 1) }]} /></P.Card>
      </P.Grid>
      <P.Card title="Phases"><P.Phases label="Phases" phases={[{ label: "Phase 1 · 5 %", share: 0.05, is: "ok", done: 1, note: "finished" }, { label: "Phase 2 · 25 %", share: 0.25, is: "running", done: 0.6, note: "60 % done" }, { label: "Phase 3 · 70 %", share: 0.7, is: "neutral", note: "opens tomorrow, 08:00" }]} /></P.Card>
      <P.Grid>
        <P.Card title="Timeline"><P.Timeline label="History" moments={[{ title: "Installed", at: <P.Time at={Date.now() - 6e5} />, is: "ok", icon: "check" }, { title: "Rebooting", at: <P.Time at={Date.now() - 9e5} />, is: "running" }, { title: "Download failed", is: "danger", at: <P.Time at={Date.now() - 2e6} />, body: "The connection broke after 12 MB." }, { title: "Offered" }]} /></P.Card>
        <P.Card title="Difference"><P.DiffView before={{ interval: 1800, server: "a.example.com", tags: ["x"] }} after={{ interval: 300, server: "a.example.com", tags: ["x", "y"] }} /></P.Card>
        <P.Card title="More to open"><P.Details summary="Log of the update"><P.CodeBlock label="Log" limit>{"12:00:01 info  downloading\n12:00:09 error no space left"}</P.CodeBlock></P.Details><P.Sparkline label="Failures" values={[1, 4, 2, 8, 3, 9, 12]} /></P.Card>
      </P.Grid>
      <P.Card title="Sections" flush>
        <P.Sections label="Settings" at="/parts" groups={[{ title: "Your account", links: [{ to: "/parts", label: "Profile" }, { to: "/", label: "Access tokens" }] }, { title: "People", links: [{ to: "/devices", label: "Users" }] }]}>
          <p>One of many pages.</p>
        </P.Sections>
      </P.Card>
      <P.Card title="Wizard">
        <P.Wizard at={step} onStep={setStep} finish="Create the deployment" onFinish={() => toast.ok("Done.")} onCancel={() => undefined} aside={<P.Card title="So far" level={3}><P.KeyValues items={[["Release", "rootfs-2026.3"], ["Devices", "1,222"]]} /></P.Card>} steps={[{ id: "what", title: "Release", body: <P.Input label="Release" value="rootfs-2026.3" onInput={() => undefined} /> }, { id: "whom", title: "Devices", body: <p>Choose devices.</p>, problem: step === "whom" ? "Choose at least one device." : undefined }, { id: "when", title: "When", body: <p>Now.</p> }]} />
      </P.Card>
    </P.Stack>
  );
}
