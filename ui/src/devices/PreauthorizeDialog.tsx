/** Lets a device in before it first calls: by its identity and its public key. */
import { useState } from "preact/hooks";
import { api } from "../api/client";
import { EditDialog, TextArea } from "../parts";

export function PreauthorizeDialog({ open, onClose, onDone }: { open: boolean; onClose: () => void; onDone: () => void }) {
  return open ? <Open onClose={onClose} onDone={onDone} /> : null;
}

function identityOf(text: string): Record<string, unknown> | undefined {
  try {
    const found: unknown = JSON.parse(text);
    return found && typeof found === "object" && !Array.isArray(found) && Object.keys(found).length ? (found as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

function Open({ onClose, onDone }: { onClose: () => void; onDone: () => void }) {
  const [identity, setIdentity] = useState('{"mac": "00:11:22:33:44:55"}');
  const [pubkey, setPubkey] = useState("");
  const found = identityOf(identity);
  const save = async (): Promise<string> => {
    if (!found) return "";
    await api.post("/management/v2/devauth/devices", { identity_data: found, pubkey: `${pubkey.trim()}\n` });
    return "The device is preauthorized.";
  };
  return (
    <EditDialog title="Preauthorize a device" action="Preauthorize" ready={Boolean(found && pubkey.trim())} save={save} onDone={onDone} onClose={onClose}>
      <p class="muted">A device with this identity and key is accepted at its first call.</p>
      <TextArea label="Identity" mono rows={3} value={identity} onInput={setIdentity} hint="JSON, as the device's identity script gives it." {...(found ? {} : { error: "A JSON object with at least one entry." })} />
      <TextArea label="Public key" mono rows={6} value={pubkey} onInput={setPubkey} hint="PEM, from -----BEGIN PUBLIC KEY----- on." />
    </EditDialog>
  );
}
