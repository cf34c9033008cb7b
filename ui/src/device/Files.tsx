/** Files from and to the device. */
import type { ComponentChildren } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { format } from "../app/format";
import { useApi } from "../app/resource";
import { saveFile } from "../app/save";
import { toast } from "../app/toasts";
import { Button, Card, EmptyState, FileDrop, Form, FormActions, Grid, Input, Loaded, Loader } from "../parts";
import type { TabProps } from "./DevicePage";
import { paths } from "./types";

export function Files({ device }: TabProps) {
  const connection = useApi(paths.connection(device.id), { every: 5000 });
  return (
    <Loaded from={connection}>
      {({ status }) =>
        status === "connected" ? (
          <Grid min="l">
            <Download device={device.id} />
            <Upload device={device.id} />
          </Grid>
        ) : (
          <EmptyState icon="offline" title="The device is not connected">
            Files need mender-connect on the device. As soon as it connects, you can send and fetch them here.
          </EmptyState>
        )
      }
    </Loaded>
  );
}

interface Running {
  done: number;
  of: number;
}

/** One transfer at a time, with its progress and a way to stop it. */
function useTransfer(): { running: Running | undefined; run: (doing: (onProgress: (done: number, of: number) => void, signal: AbortSignal) => Promise<string>, failed: string) => Promise<void>; stop: () => void } {
  const [running, setRunning] = useState<Running | undefined>();
  const abort = useRef<AbortController | undefined>(undefined);
  useEffect(() => () => abort.current?.abort(), []);
  return {
    running,
    stop: () => abort.current?.abort(),
    run: async (doing, failed) => {
      abort.current = new AbortController();
      setRunning({ done: 0, of: 0 });
      try {
        toast.ok(await doing((done, of) => setRunning({ done, of }), abort.current.signal));
      } catch (error) {
        toast.error(error, failed);
      }
      setRunning(undefined);
    },
  };
}

function Transferring({ running, stop, label }: { running: Running; stop: () => void; label: string }): ComponentChildren {
  return (
    <div class="stack gap-2">
      <Loader label={label} note={`${format.bytes(running.done)}${running.of ? ` of ${format.bytes(running.of)}` : ""}`} {...(running.of ? { value: running.done, max: running.of } : {})} />
      <div>
        <Button small onClick={stop}>
          Stop
        </Button>
      </div>
    </div>
  );
}

function Download({ device }: { device: string }) {
  const [path, setPath] = useState("");
  const { running, run, stop } = useTransfer();
  const start = (): Promise<void> =>
    run(async (onProgress, signal) => {
      const { download } = await import("./transfer");
      saveFile(await download(device, path.trim(), onProgress, signal), path.trim().split("/").pop() || "file");
      return `${path.trim()} is here.`;
    }, "The file was not fetched");
  return (
    <Card title="From the device">
      <Form label="Fetch a file" onSubmit={() => (path.trim() && !running ? start() : undefined)}>
        <Input label="Path on the device" mono value={path} onInput={setPath} placeholder="/var/log/syslog" hint="A file, given by its full path." />
        {running ? (
          <Transferring label="Fetching" running={running} stop={stop} />
        ) : (
          <FormActions>
            <Button type="submit" kind="primary" icon="download" disabled={!path.trim()}>
              Fetch file
            </Button>
          </FormActions>
        )}
      </Form>
    </Card>
  );
}

function Upload({ device }: { device: string }) {
  const [file, setFile] = useState<File | undefined>();
  const [path, setPath] = useState("");
  const { running, run, stop } = useTransfer();
  const start = (chosen: File): Promise<void> =>
    run(async (onProgress, signal) => {
      const { upload } = await import("./transfer");
      await upload(device, chosen, path.trim(), onProgress, signal);
      return `${chosen.name} is on the device.`;
    }, "The file was not sent");
  const choose = (chosen: File | undefined): void => {
    setFile(chosen);
    if (chosen && (!path || path.endsWith("/"))) setPath(`${path || "/tmp/"}${chosen.name}`);
  };
  return (
    <Card title="To the device">
      <Form label="Send a file" onSubmit={() => (file && path.trim() && !running ? start(file) : undefined)}>
        <FileDrop label={file ? file.name : "Choose a file, or drop it here"} hint={file && format.bytes(file.size)} onFiles={([first]) => choose(first)} />
        <Input label="Path to write" mono value={path} onInput={setPath} placeholder="/tmp/file" hint="The full path, with the file's name. An existing file is replaced." />
        {running ? (
          <Transferring label="Sending" running={running} stop={stop} />
        ) : (
          <FormActions>
            <Button type="submit" kind="primary" icon="upload" disabled={!file || !path.trim()}>
              Send file
            </Button>
          </FormActions>
        )}
      </Form>
    </Card>
  );
}
