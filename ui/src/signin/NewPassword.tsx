import { useState } from "preact/hooks";
import { useParam } from "../app/router";
import { start } from "../app/session";
import { textOf } from "../app/toasts";
import { resetPassword } from "../api/session";
import { Button, Link } from "../parts/basic";
import { Banner } from "../parts/feedback";
import { Form, Password } from "../parts/fields";
import { Frame } from "./Frame";

/** Set a new password by the secret of a mail. */
export default function NewPassword() {
  const secret = useParam("secret");
  const [password, setPassword] = useState("");
  const [done, setDone] = useState(false);
  const [short, setShort] = useState(false);
  const [error, setError] = useState("");
  if (done) {
    return (
      <Frame title="Your password is set">
        <Banner is="ok">You are signed out everywhere. Sign in with the new password.</Banner>
        <Link to="/" button="primary" class="button--wide">
          Sign in
        </Link>
      </Frame>
    );
  }
  return (
    <Frame title="New password" lead="Choose a password that you use nowhere else." foot={<Link to="/password">Ask for a new link</Link>}>
      <Form
        onSubmit={async () => {
          setError("");
          setShort(password.length < 8);
          if (password.length < 8) return;
          try {
            await resetPassword(secret, password);
            await start(); // whoever was signed in here may be signed out now
            setDone(true);
          } catch (failed) {
            setError(textOf(failed));
          }
        }}
      >
        {error && <Banner is="danger">{error}</Banner>}
        <Password label="New password" autocomplete="new-password" hint="At least 8 characters." value={password} onInput={setPassword} error={short ? "Use at least 8 characters." : ""} autofocus />
        <Button kind="primary" type="submit" class="button--wide">
          Set the password
        </Button>
      </Form>
    </Frame>
  );
}
