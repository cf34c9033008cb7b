/**
 * Changes of credentials take the password, or a code of the second factor, unless the user signed in a short while ago.
 * The call is made without it first; if the server asks for it, the user is asked, and the call is made again with it.
 */
import { useRef, useState } from "preact/hooks";
import type { ComponentChildren } from "preact";
import type { Shape } from "../api/calls";
import { ApiError } from "../api/client";
import { session } from "../app/session";
import { textOf } from "../app/toasts";
import { Banner, Button, Dialog, Form, Input, Password } from "../parts";

export type Proof = Shape<"Proof">;

type Doing = (proof: Proof) => Promise<unknown>;

/** Does something that changes credentials, asking for proof if it has to; false if the user gave up. */
export type Prove = (doing: Doing) => Promise<boolean>;

const asksForProof = (error: unknown): boolean => error instanceof ApiError && error.status === 403 && /current_password/.test(error.message);

/** Show `dialog` somewhere in the screen. */
export function useProof(): { prove: Prove; dialog: ComponentChildren } {
  const [open, setOpen] = useState(false);
  const waiting = useRef<{ doing: Doing; done: (did: boolean) => void } | undefined>(undefined);
  const prove: Prove = async (doing) => {
    try {
      await doing({});
      return true;
    } catch (error) {
      if (!asksForProof(error)) throw error;
      return new Promise((done) => {
        waiting.current = { doing, done };
        setOpen(true);
      });
    }
  };
  const close = (did: boolean): void => {
    setOpen(false);
    waiting.current?.done(did);
    waiting.current = undefined;
  };
  const dialog = open && waiting.current ? <ProofDialog doing={waiting.current.doing} onClose={close} /> : null;
  return { prove, dialog };
}

function ProofDialog({ doing, onClose }: { doing: Doing; onClose: (did: boolean) => void }) {
  const hasFactor = session.value?.user.tfa_status === "enabled";
  const [byCode, setByCode] = useState(hasFactor);
  const [text, setText] = useState("");
  const [error, setError] = useState("");
  const go = async (): Promise<void> => {
    setError("");
    try {
      await doing(byCode ? { token2fa: text.replace(/\s/g, "") } : { current_password: text });
      onClose(true);
    } catch (failed) {
      setError(textOf(failed));
    }
  };
  return (
    <Dialog
      open
      size="s"
      title="Is it you?"
      onClose={() => onClose(false)}
      actions={
        <>
          <Button onClick={() => onClose(false)}>Cancel</Button>
          <Button kind="primary" disabled={!text} onClick={go}>
            Go on
          </Button>
        </>
      }
    >
      <Form onSubmit={go} label="Confirm that it is you">
        <p>This change needs {byCode ? "a code of your second factor" : "your password"}, since you signed in a while ago.</p>
        {error && <Banner is="danger">{error}</Banner>}
        {byCode ? <Input label="Code" value={text} onInput={setText} inputMode="numeric" autocomplete="one-time-code" autofocus /> : <Password label="Your password" value={text} onInput={setText} autofocus />}
        {hasFactor && (
          <Button
            kind="quiet"
            onClick={() => {
              setByCode(!byCode);
              setText("");
              setError("");
            }}
          >
            {byCode ? "Use your password instead" : "Use a code instead"}
          </Button>
        )}
      </Form>
    </Dialog>
  );
}
