import { useState } from "preact/hooks";
import { place, useParam } from "../app/router";
import { start } from "../app/session";
import { textOf } from "../app/toasts";
import { resetPassword } from "../api/session";
import { Button, Link } from "../parts/basic";
import { Banner } from "../parts/feedback";
import { Form, Password } from "../parts/fields";
import { Frame } from "./Frame";

/** Set a new password by the secret of a mail, or the first one by that of an invitation. */
export default function NewPassword() {
  const secret = useParam("secret");
  const invited = Boolean(place.value.query.invited);
  const [password, setPassword] = useState("");
  const [done, setDone] = useState(false);
  const [short, setShort] = useState(false);
  const [error, setError] = useState("");
  if (done) {
    return (
      <Frame title="Your password is set">
        <Banner is="ok">{invited ? "Your account is ready. Sign in with your address and the password." : "You are signed out everywhere. Sign in with the new password."}</Banner>
        <Link to="/" button="primary" class="button--wide">
          Sign in
        </Link>
      </Frame>
    );
  }
  return (
    <Frame
      title={invited ? "Welcome to Lamplighter" : "New password"}
      lead={invited ? "You are invited. Choose a password for your account." : "Choose a password that you use nowhere else."}
      foot={invited ? "If the link has expired, ask whoever invited you to send another one." : <Link to="/password">Ask for a new link</Link>}
    >
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
        <Password label={invited ? "Password" : "New password"} autocomplete="new-password" hint="At least 8 characters." value={password} onInput={setPassword} error={short ? "Use at least 8 characters." : ""} autofocus />
        <Button kind="primary" type="submit" class="button--wide">
          Set the password
        </Button>
      </Form>
    </Frame>
  );
}
