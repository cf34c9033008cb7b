import { useState } from "preact/hooks";
import { textOf } from "../app/toasts";
import { askToReset } from "../api/session";
import { Button, Link } from "../parts/basic";
import { Banner } from "../parts/feedback";
import { Form, Input } from "../parts/fields";
import { Frame } from "./Frame";

/** Ask for a mail with a link that sets a new password. */
export default function ForgottenPassword() {
  const [email, setEmail] = useState("");
  const [sent, setSent] = useState(false);
  const [error, setError] = useState("");
  const back = <Link to="/">Back to sign-in</Link>;
  if (sent) {
    return (
      <Frame title="Look into your mail" foot={back}>
        <Banner is="ok">
          If <strong>{email}</strong> has an account here, a mail with a link is on its way. The link is good for an hour.
        </Banner>
      </Frame>
    );
  }
  return (
    <Frame title="Forgotten password" lead="We send you a link to set a new one." foot={back}>
      <Form
        onSubmit={async () => {
          if (!email.includes("@")) return setError("Enter your e-mail address.");
          try {
            await askToReset(email.trim());
            setSent(true);
          } catch (failed) {
            setError(textOf(failed));
          }
        }}
      >
        <Input label="E-mail address" type="email" autocomplete="username" dir="ltr" value={email} onInput={setEmail} error={error} autofocus />
        <Button kind="primary" type="submit" class="button--wide">
          Send the link
        </Button>
      </Form>
    </Frame>
  );
}
