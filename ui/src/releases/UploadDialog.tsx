/** Upload artifacts, or have the server make one from any file. The dialog may stay open while files are on their way. */
import { useEffect, useRef, useState } from "preact/hooks";
import { ApiError } from "../api/client";
import { format } from "../app/format";
import { textOf } from "../app/toasts";
import { Banner, Button, Dialog, FileDrop, Icon, Input, Link, Loader, Name, Segments, Stack, Tags } from "../parts";
import { pathTo } from "../app/router";
import { generate, type Progress, upload, type Wish } from "./uploads";

export type Mode = "file" | "make";

interface Item {
  key: number;
  file: File;
  progress: Progress;
  error?: unknown;
  release?: string;
  abort: AbortController;
  /** Sends it (again). */
  start: (item: Item) => Promise<string>;
}

const EMPTY: Wish = { name: "", description: "", deviceTypes: [], directory: "/" };

export function UploadDialog({ mode, onMode, onClose, onDone }: { mode: Mode; onMode: (mode: Mode) => void; onClose: () => void; onDone: () => void }) {
  const [items, setItems] = useState<readonly Item[]>([]);
  const [description, setDescription] = useState("");
  const next = useRef(1);
  const running = useRef(items);
  running.current = items;
  const busy = items.some((item) => !item.error && item.progress.stage !== "done");
  useEffect(() => () => running.current.forEach((item) => item.abort.abort()), []);

  const change = (key: number, part: Partial<Item>): void => setItems((now) => now.map((item) => (item.key === key ? { ...item, ...part } : item)));
  const run = async (item: Item): Promise<void> => {
    try {
      await item.start(item);
      change(item.key, { progress: { stage: "done", sent: item.file.size } });
      onDone();
    } catch (error) {
      if ((error as Error).name === "AbortError") setItems((now) => now.filter((each) => each.key !== item.key));
      else change(item.key, { error });
    }
  };
  const add = (file: File, start: Item["start"], release?: string): void => {
    const item: Item = { key: next.current++, file, progress: { stage: "sending", sent: 0 }, abort: new AbortController(), start, ...(release ? { release } : {}) };
    setItems((now) => [...now, item]);
    void run(item);
  };
  const again = (item: Item): void => {
    const fresh = { ...item, error: undefined, abort: new AbortController(), progress: { stage: "sending" as const, sent: 0 } };
    change(item.key, fresh);
    void run(fresh);
  };
  const watch = (item: Item) => (progress: Progress): void => change(item.key, { progress });
  const send = (files: File[]): void => {
    for (const file of files) add(file, (item) => upload(file, description, watch(item), item.abort.signal));
  };
  const make = (file: File, wish: Wish): void => add(file, (item) => generate(file, wish, watch(item), item.abort.signal), wish.name);

  return (
    <Dialog open drawer title="Upload software" onClose={onClose} stay={busy} actions={<Button onClick={onClose}>{busy ? "Stop and close" : "Close"}</Button>}>
      <Stack gap={5}>
        <Segments
          label="What to upload"
          value={mode}
          onChange={onMode}
          options={[
            { value: "file", label: "Artifact" },
            { value: "make", label: "Any file" },
          ]}
        />
        {mode === "file" ? (
          <Stack>
            <Input label="Description" optional value={description} onInput={setDescription} hint="For the artifacts that you add from now on." maxLength={1024} />
            <FileDrop label="Choose artifacts, or drop them here" hint="Files ending in .mender, as mender-artifact writes them. Each is verified when it has arrived." accept=".mender" multiple onFiles={send} />
          </Stack>
        ) : (
          <MakeForm onMake={make} />
        )}
        {items.length > 0 && (
          <ul class="plain stack gap-3" aria-label="Uploads">
            {items.map((item) => (
              <li key={item.key}>
                <Upload item={item} onAgain={() => again(item)} onStop={() => item.abort.abort()} />
              </li>
            ))}
          </ul>
        )}
      </Stack>
    </Dialog>
  );
}

function Upload({ item, onAgain, onStop }: { item: Item; onAgain: () => void; onStop: () => void }) {
  const { file, progress, error } = item;
  if (error) {
    return (
      <Banner is="danger" title={`${file.name} was not added`} requestId={error instanceof ApiError ? error.requestId : ""} action={<Button small onClick={onAgain}>Try again</Button>}>
        {textOf(error)}
      </Banner>
    );
  }
  if (progress.stage === "done") {
    return (
      <Banner is="ok" title={<Name>{file.name}</Name>} {...(item.release ? { action: <Link to={pathTo("releases", item.release)}>Show the release</Link> } : {})}>
        Verified and ready to be deployed.
      </Banner>
    );
  }
  const verifying = progress.stage === "verifying" || progress.sent >= file.size;
  return (
    <div class="row gap-3">
      <Icon name="file" />
      <div class="grow">
        {verifying ? (
          <Loader label={file.name} note="Verifying" />
        ) : (
          <Loader label={file.name} value={progress.sent} max={Math.max(file.size, 1)} note={`${format.bytes(progress.sent)} of ${format.bytes(file.size)}`} />
        )}
      </div>
      <Button small kind="quiet" icon="close" aria-label={`Stop ${file.name}`} onClick={onStop}>
        Stop
      </Button>
    </div>
  );
}

function MakeForm({ onMake }: { onMake: (file: File, wish: Wish) => void }) {
  const [wish, setWish] = useState(EMPTY);
  const [file, setFile] = useState<File>();
  const set = (part: Partial<Wish>): void => setWish({ ...wish, ...part });
  const ready = file && wish.name.trim() && wish.deviceTypes.length > 0 && wish.directory.startsWith("/");
  return (
    <Stack>
      <p class="muted">The server makes an artifact that puts one file into a directory of the device, by the update module single-file.</p>
      {file ? (
        <div class="row gap-3">
          <Icon name="file" />
          <Name>{file.name}</Name>
          <span class="muted numbers">{format.bytes(file.size)}</span>
          <Button small kind="quiet" onClick={() => setFile(undefined)}>
            Choose another
          </Button>
        </div>
      ) : (
        <FileDrop label="Choose a file, or drop it here" onFiles={([first]) => setFile(first)} />
      )}
      <Input label="Name of the release" value={wish.name} onInput={(name) => set({ name })} maxLength={256} placeholder="config-1.2" />
      <Tags label="Device types" value={wish.deviceTypes} onChange={(deviceTypes) => set({ deviceTypes })} hint="Types of devices that may install it. Press Enter after each." />
      <Input label="Directory on the device" value={wish.directory} onInput={(directory) => set({ directory })} mono {...(wish.directory.startsWith("/") ? {} : { error: "An absolute path, such as /etc/app." })} />
      <Input label="Description" optional value={wish.description} onInput={(description) => set({ description })} maxLength={1024} />
      <div>
        <Button
          kind="primary"
          disabled={!ready}
          onClick={() => {
            if (!file) return;
            onMake(file, wish);
            setFile(undefined);
            setWish({ ...EMPTY, deviceTypes: wish.deviceTypes, directory: wish.directory });
          }}
        >
          Make artifact
        </Button>
      </div>
    </Stack>
  );
}
