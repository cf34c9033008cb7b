/** Shows new recovery codes, once: to copy, save or write down. */
import { saveText } from "../app/save";
import { session } from "../app/session";
import { Button, CodeBlock, Dialog, Stack } from "../parts";

export function RecoveryCodes({ codes, onClose }: { codes: readonly string[]; onClose: () => void }) {
  const save = (): void => {
    const about = `Recovery codes of ${session.peek()?.user.email ?? ""} at ${location.host}. Each works once.`;
    saveText(`${about}\n\n${codes.join("\n")}\n`, "recovery-codes.txt");
  };
  return (
    <Dialog
      open
      stay
      size="s"
      title="Your recovery codes"
      onClose={onClose}
      actions={
        <>
          <Button icon="download" onClick={save}>
            Download
          </Button>
          <Button kind="primary" onClick={onClose}>
            I have saved them
          </Button>
        </>
      }
    >
      <Stack>
        <p>Without your phone, one of these signs you in instead of a code of the app. Each works once. They are not shown again: keep them with your passwords.</p>
        <CodeBlock label="Recovery codes">{codes.join("\n")}</CodeBlock>
      </Stack>
    </Dialog>
  );
}
