/** Dialogs that do something and say so: a form that saves, and the question before something is deleted. */
import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { textOf, toast } from "../app/toasts";
import { Button } from "./basic";
import { Banner } from "./feedback";
import { Form } from "./fields";
import { ConfirmDialog, Dialog } from "./overlay";

export interface EditDialogProps {
  title: string;
  /** The form's name, where the title does not say what it does. */
  label?: string;
  /** The button that saves. */
  action: string;
  /** Whether it can be saved. */
  ready: boolean;
  /** From the side, for longer forms. */
  drawer?: boolean;
  /** Saves, and gives the message that says so; "" where a field shows what is wrong. An error is shown as its text. */
  save: () => Promise<string>;
  onDone: () => unknown;
  onClose: () => void;
  children?: ComponentChildren;
}

/** It says what it did and closes, or shows an error above the fields. */
export function EditDialog({ title, label = title, action, ready, drawer = false, save, onDone, onClose, children }: EditDialogProps) {
  const [error, setError] = useState("");
  const submit = async (): Promise<void> => {
    setError("");
    if (!ready) return;
    try {
      const message = await save();
      if (!message) return;
      toast.ok(message);
      await onDone();
      onClose();
    } catch (failed) {
      setError(textOf(failed));
    }
  };
  return (
    <Dialog
      open
      drawer={drawer}
      title={title}
      onClose={onClose}
      actions={
        <>
          <Button onClick={onClose}>Cancel</Button>
          <Button kind="primary" disabled={!ready} onClick={submit}>
            {action}
          </Button>
        </>
      }
    >
      <Form onSubmit={submit} label={label}>
        {error && <Banner is="danger">{error}</Banner>}
        {children}
      </Form>
    </Dialog>
  );
}

export interface DeleteProps<T> {
  /** What is to be deleted; nothing is asked without. */
  of: T | undefined;
  /** What such a thing is called: "key". */
  what: string;
  /** Its own name. */
  name: (of: T) => string;
  /** "Delete" by default; the past tense adds a "d". */
  verb?: "Delete" | "Revoke";
  remove: (of: T) => Promise<unknown>;
  onDone: () => unknown;
  onClose: () => void;
  /** What follows from it. */
  children?: ComponentChildren;
}

/** Asks before one thing is deleted. */
export function DeleteDialog<T>({ of, what, name, verb = "Delete", remove, onDone, onClose, children }: DeleteProps<T>) {
  if (of === undefined) return null;
  const confirm = async (): Promise<void> => {
    await remove(of);
    toast.ok(`The ${what} is ${verb.toLowerCase()}d.`);
    await onDone();
  };
  return (
    <ConfirmDialog open title={`${verb} ${name(of)}?`} action={`${verb} 1 ${what}`} onConfirm={confirm} onClose={onClose}>
      <p>{children}</p>
    </ConfirmDialog>
  );
}
