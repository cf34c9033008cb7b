/** Upload artifacts, or have the server make one from any file. The dialog may stay open while files are on their way. */
import { useEffect, useRef, useState } from "preact/hooks";
import { format } from "../app/format";
import { Banner, Button, Dialog, FileDrop, Icon, Input, Name, Segments, Stack, Tags } from "../parts";
import { type Item, UploadRow } from "./UploadRow";
import { unfinished } from "./unfinished";
import { type Job, making, Upload, type Wish } from "./uploads";

export type Mode = "file" | "make";

const EMPTY: Wish = { name: "", description: "", deviceTypes: [], directory: "/" };

export function UploadDialog({ mode, onMode, onClose, onDone }: { mode: Mode; onMode: (mode: Mode) => void; onClose: () => void; onDone: () => void }) {
  const [items, setItems] = useState<readonly Item[]>([]);
  const [description, setDescription] = useState("");
  const next = useRef(1);
  const running = useRef(items);
  running.current = items;
  const busy = items.some((item) => !item.error && item.progress.stage !== "done");
  useEffect(() => () => running.current.forEach((item) => item.job.leave()), []);

  const resumable = items.some((item) => item.progress.inParts && item.progress.stage !== "done");
  const left = Object.keys(unfinished()).length;
  const change = (key: number, part: Partial<Item>): void => setItems((now) => now.map((item) => (item.key === key ? { ...item, ...part } : item)));
  const run = async (item: Item): Promise<void> => {
    try {
      await item.job.run((progress) => change(item.key, { progress }));
      change(item.key, { progress: { stage: "done", sent: item.file.size } });
      onDone();
    } catch (error) {
      if ((error as Error).name === "AbortError") setItems((now) => now.filter((each) => each.key !== item.key));
      else change(item.key, { error });
    }
  };
  const add = (file: File, job: Job, release?: string): void => {
    const item: Item = { key: next.current++, file, job, progress: { stage: "sending", sent: 0 }, ...(release ? { release } : {}) };
    setItems((now) => [...now, item]);
    void run(item);
  };
  const again = (item: Item): void => {
    const fresh = { ...item, error: undefined, progress: { stage: "sending" as const, sent: 0 } };
    change(item.key, fresh);
    void run(fresh);
  };
  const send = (files: File[]): void => files.forEach((file) => add(file, new Upload(file, description)));
  const make = (file: File, wish: Wish): void => add(file, making(file, wish), wish.name);

  return (
    <Dialog open drawer title="Upload software" onClose={onClose} stay={busy} actions={<Button onClick={onClose}>{!busy ? "Close" : resumable ? "Pause and close" : "Stop and close"}</Button>}>
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
            {left > 0 && !busy && (
              <Banner title={left === 1 ? "1 upload is not finished" : `${format.number(left)} uploads are not finished`}>
                Choose the same file again to continue.
              </Banner>
            )}
            <FileDrop label="Choose artifacts, or drop them here" hint="Files ending in .mender, made by mender-artifact. Each is verified after the upload." accept=".mender" multiple onFiles={send} />
          </Stack>
        ) : (
          <MakeForm onMake={make} />
        )}
        {items.length > 0 && (
          <ul class="plain stack gap-3" aria-label="Uploads">
            {items.map((item) => (
              <li key={item.key}>
                <UploadRow item={item} onAgain={() => again(item)} />
              </li>
            ))}
          </ul>
        )}
      </Stack>
    </Dialog>
  );
}

function MakeForm({ onMake }: { onMake: (file: File, wish: Wish) => void }) {
  const [wish, setWish] = useState(EMPTY);
  const [file, setFile] = useState<File>();
  const set = (part: Partial<Wish>): void => setWish({ ...wish, ...part });
  const ready = file && wish.name.trim() && wish.deviceTypes.length > 0 && wish.directory.startsWith("/");
  return (
    <Stack>
      <p class="muted">The server makes an artifact that copies one file into a directory of the device, with the update module single-file.</p>
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
