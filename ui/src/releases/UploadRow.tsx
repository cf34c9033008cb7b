/** One file on its way, or what became of it. */
import { useEffect, useState } from "preact/hooks";
import { ApiError } from "../api/client";
import { format } from "../app/format";
import { pathTo } from "../app/router";
import { textOf } from "../app/toasts";
import { Banner, Button, Icon, IconButton, Link, Loader, Name } from "../parts";
import type { Job, Progress } from "./uploads";

export interface Item {
  key: number;
  file: File;
  job: Job;
  progress: Progress;
  error?: unknown;
  /** The release that it makes, where that is known before. */
  release?: string;
}

export function UploadRow({ item, onAgain }: { item: Item; onAgain: () => void }) {
  const { file, progress, error, job } = item;
  const [, draw] = useState(0);
  useEffect(() => job.gate?.watch(() => draw((times) => times + 1)), [job]);
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
  const paused = job.gate?.held === "paused";
  const verifying = progress.stage === "verifying" || (progress.sent >= file.size && !progress.inParts);
  const amount = `${format.bytes(progress.sent)} of ${format.bytes(file.size)}`;
  const note = paused ? `Paused at ${amount}` : job.gate?.lost ? `No connection, continues by itself: ${amount}` : amount;
  return (
    <div class="row row--one gap-3">
      <Icon name={paused ? "waiting" : job.gate?.lost ? "offline" : "file"} />
      <div class="grow">
        {verifying && !paused ? <Loader label={file.name} note="Verifying" /> : <Loader label={file.name} value={progress.sent} max={Math.max(file.size, 1)} note={note} />}
      </div>
      {paused ? (
        <IconButton small icon="play" label={`Resume ${file.name}`} onClick={() => job.gate?.release("paused")} />
      ) : (
        progress.inParts && !verifying && <IconButton small icon="pause" label={`Pause ${file.name}`} onClick={() => job.gate?.hold("paused")} />
      )}
      <IconButton small icon="close" label={`Stop ${file.name}`} onClick={() => job.stop()} />
    </div>
  );
}
