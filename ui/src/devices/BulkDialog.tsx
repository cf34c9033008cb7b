/** Asks before an action on many devices, shows how far it is, and what became of each that failed. */
import { useEffect, useRef, useState } from "preact/hooks";
import { format } from "../app/format";
import { textOf } from "../app/toasts";
import { Banner, Button, Combobox, Dialog, Input, Link, Loader, Name, selectedCount, type Selection, Stack } from "../parts";
import { pathTo } from "../app/router";
import { type Action, doing, each, idsOf, type Result } from "./bulk";
import type { SearchBody } from "./conditions";

export type { Action } from "./bulk";

interface Words {
  /** "Reject 12 devices". */
  verb: string;
  done: string;
  text: string;
  danger?: boolean;
}

const WORDS: Record<Action, Words> = {
  accept: { verb: "Accept", done: "accepted", text: "They get updates from now on. The pending auth set of each device is accepted." },
  reject: { verb: "Reject", done: "rejected", text: "They are refused from their next call on. You can accept them again later.", danger: true },
  dismiss: { verb: "Dismiss", done: "dismissed", text: "Auth sets that are not accepted are deleted. A device that still exists registers again at its next call.", danger: true },
  decommission: { verb: "Decommission", done: "decommissioned", text: "All their data is erased, which can't be undone. A device that still exists registers as a new one at its next call.", danger: true },
  tag: { verb: "Tag", done: "tagged", text: "The tag is set on each; a tag of the same name is replaced." },
  group: { verb: "Move", done: "moved", text: "A device is in at most one group, so it leaves its current one." },
  ungroup: { verb: "Remove", done: "removed from the group", text: "The devices stay, but are in no group then." },
};

export function BulkDialog({ action, selection, total, body, group, groups, onClose, onDone }: { action: Action; selection: Selection; total: number; body: SearchBody; group: string; groups: readonly string[]; onClose: () => void; onDone: () => void }) {
  const words = WORDS[action];
  const count = selectedCount(selection, total);
  const devices = format.count(count, "device");
  const [name, setName] = useState("");
  const [value, setValue] = useState("");
  const [target, setTarget] = useState("");
  const [running, setRunning] = useState(false);
  const [result, setResult] = useState<Result>();
  const [error, setError] = useState<unknown>();
  const abort = useRef(new AbortController());
  useEffect(() => () => abort.current.abort(), []);
  const missing = (action === "tag" && (!name.trim() || !value.trim())) || (action === "group" && !target.trim());

  const run = async (): Promise<void> => {
    setRunning(true);
    setError(undefined);
    try {
      const ids = await idsOf(selection, body, abort.current.signal);
      const details = { group: action === "ungroup" ? group : target.trim(), tag: { name: name.trim(), value: value.trim() } };
      const found = await each(ids, doing(action, details), setResult, abort.current.signal);
      setResult(found);
      onDone();
    } catch (failed) {
      if ((failed as Error).name !== "AbortError") setError(failed);
    }
    setRunning(false);
  };
  const over = result !== undefined && !running;
  const finished = (result?.done ?? 0) + (result?.failed.length ?? 0);
  return (
    <Dialog
      open
      title={over ? `${format.count(result.done, "device")} ${words.done}` : `${words.verb} ${devices}?`}
      onClose={onClose}
      stay={running}
      actions={
        over ? (
          <Button kind="primary" onClick={onClose}>
            Close
          </Button>
        ) : (
          <>
            <Button onClick={() => (running ? abort.current.abort() : onClose())}>{running ? "Stop" : "Cancel"}</Button>
            <Button kind={words.danger ? "danger" : "primary"} busy={running} disabled={missing} onClick={() => void run()}>
              {words.verb} {devices}
            </Button>
          </>
        )
      }
    >
      <Stack>
        {!over && <p>{words.text}</p>}
        {!over && action === "tag" && (
          <>
            <Input label="Name of the tag" value={name} onInput={setName} placeholder="site" maxLength={1024} />
            <Input label="Value" value={value} onInput={setValue} placeholder="oslo" maxLength={1024} />
          </>
        )}
        {!over && action === "group" && (
          <Combobox label="Group" value={target} onChange={setTarget} free options={groups.map((each) => ({ value: each, label: each }))} placeholder="Choose a group, or type a new name" hint="Letters, digits, hyphens and underscores." />
        )}
        {running && <Loader label="Working" value={finished} max={Math.max(count, 1)} note={`${format.number(finished)} of ${format.number(count)}`} />}
        {error !== undefined && <Banner is="danger">{textOf(error)}</Banner>}
        {over && result.failed.length > 0 && (
          <Banner is="danger" title={`${format.count(result.failed.length, "device")} failed`}>
            <ul>
              {result.failed.slice(0, 20).map((failure) => (
                <li key={failure.id}>
                  <Link to={pathTo("devices", failure.id)}>
                    <Name mono>{failure.id}</Name>
                  </Link>
                  : {failure.why}
                </li>
              ))}
              {result.failed.length > 20 && <li>and {format.number(result.failed.length - 20)} more</li>}
            </ul>
          </Banner>
        )}
        {over && result.failed.length === 0 && <p>All of them worked.</p>}
      </Stack>
    </Dialog>
  );
}
