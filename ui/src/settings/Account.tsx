/** Who the user is: the address, whether it is confirmed, and how to change it. */
import { useState } from "preact/hooks";
import { ApiError, api } from "../api/client";
import { askToVerify } from "../api/session";
import { useApi } from "../app/resource";
import { reloadSession, session } from "../app/session";
import { attempt, textOf, toast } from "../app/toasts";
import { Banner, Button, Card, Dialog, Form, Input, KeyValues, Name, Password, Row, Stack, Status, Time } from "../parts";

const CHANGE = "/management/v1/useradm/users/me/email-change";

/** Send the mail whose link confirms the user's address. */
export const sendVerification = (): Promise<boolean> =>
  attempt(() => askToVerify(session.peek()?.user.email ?? ""), "A mail with a link is on its way.", "The mail was not sent");

export function Account() {
  const user = session.value?.user;
  const mails = session.value?.mail ?? false;
  const pending = useApi(mails ? `${CHANGE}/pending` : null);
  const [changing, setChanging] = useState(false);
  if (!user) return null;
  const cancel = async (): Promise<void> => {
    if (await attempt(() => api.post(`${CHANGE}/cancel`), "Your address stays as it is.", "The change was not withdrawn")) await pending.reload();
  };
  return (
    <Card title="Account">
      <Stack>
        <KeyValues
          items={[
            ["E-mail address", <Name key="e" wrap>{user.email}</Name>],
            ["Verified", user.verified ? <Status is="ok">Yes</Status> : <Status is="neutral">No</Status>],
            ["Roles", user.roles?.join(", ") || "Administrator"],
            ["Member since", <Time key="t" at={user.created_ts} absolute />],
            ["User ID", <code key="i">{user.id}</code>],
          ]}
        />
        {pending.data && (
          <Banner action={<Button onClick={cancel}>Withdraw the change</Button>}>
            Your address changes to <Name wrap>{pending.data.new_email}</Name> once you open the link in the mail that was sent there, before <Time at={pending.data.valid_until} absolute />.
          </Banner>
        )}
        <Row>
          {!pending.data && <Button onClick={() => setChanging(true)}>Change address</Button>}
          {mails && !user.verified && <Button onClick={sendVerification}>Send a confirmation mail</Button>}
        </Row>
      </Stack>
      {changing && <ChangeAddress mails={mails} onClose={() => setChanging(false)} onDone={pending.reload} />}
    </Card>
  );
}

function ChangeAddress({ mails, onClose, onDone }: { mails: boolean; onClose: () => void; onDone: () => Promise<void> }) {
  const [email, setEmail] = useState("");
  const [password, setPassword] = useState("");
  const [error, setError] = useState("");
  const save = async (): Promise<void> => {
    if (!email.includes("@") || !password) return setError("Enter the new address and your password.");
    setError("");
    const wanted = { email: email.trim(), current_password: password };
    try {
      if (mails) await api.post(`${CHANGE}/start`, wanted);
      else await api.put("/management/v1/useradm/users/me", wanted);
      toast.ok(mails ? `A mail is on its way to ${wanted.email}. Open the link in it.` : "Your address is changed. Your other sessions have ended.");
      await (mails ? onDone() : reloadSession());
      onClose();
    } catch (failed) {
      setError(failed instanceof ApiError && failed.status === 409 ? "Another change is waiting for its confirmation." : textOf(failed));
    }
  };
  return (
    <Dialog
      open
      size="s"
      title="Change your address"
      onClose={onClose}
      actions={
        <>
          <Button onClick={onClose}>Cancel</Button>
          <Button kind="primary" disabled={!email || !password} onClick={save}>
            {mails ? "Send the mail" : "Change address"}
          </Button>
        </>
      }
    >
      <Form onSubmit={save} label="Change your address">
        <p>{mails ? "A mail with a link goes to the new address. Opening the link makes the change, ends your sessions and switches your second factor off." : "You sign in with the new address from then on. Your second factor is switched off."}</p>
        {error && <Banner is="danger">{error}</Banner>}
        <Input label="New e-mail address" type="email" dir="ltr" value={email} onInput={setEmail} autofocus />
        <Password label="Your password" value={password} onInput={setPassword} autocomplete="current-password" />
      </Form>
    </Dialog>
  );
}
