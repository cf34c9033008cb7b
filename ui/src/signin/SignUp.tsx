import { useState } from "preact/hooks";
import { entered, facts } from "../app/session";
import { navigate } from "../app/router";
import { textOf } from "../app/toasts";
import { signIn, signUp } from "../api/session";
import { Button, Link } from "../parts/basic";
import { Banner } from "../parts/feedback";
import { Form, Input, Password } from "../parts/fields";
import { Frame } from "./Frame";

/** A stranger makes an organization, where the server lets them. */
export default function SignUp() {
  const [organization, setOrganization] = useState("");
  const [email, setEmail] = useState("");
  const [password, setPassword] = useState("");
  const [error, setError] = useState("");
  const [busy, setBusy] = useState(false);
  const foot = (
    <>
      You have an account? <Link to="/">Sign in</Link>
    </>
  );
  if (facts.value && !facts.value.signup) {
    return (
      <Frame title="Create an account" foot={foot}>
        <Banner>Sign-up is switched off here. Ask whoever runs this server for an account.</Banner>
      </Frame>
    );
  }
  const submit = async (): Promise<void> => {
    if (!organization.trim()) return setError("Enter the name of your organization.");
    if (!email.includes("@")) return setError("Enter your e-mail address.");
    if (password.length < 8) return setError("Use a password of at least 8 characters.");
    setBusy(true);
    setError("");
    try {
      await signUp({ organization: organization.trim(), email: email.trim(), password });
      await signIn({ email: email.trim(), password });
      await entered();
      navigate("/");
    } catch (failed) {
      setError(textOf(failed));
    } finally {
      setBusy(false);
    }
  };
  return (
    <Frame title="Create an account" lead="A trial for you and your devices." foot={foot}>
      <Form onSubmit={submit}>
        {error && <Banner is="danger">{error}</Banner>}
        <Input label="Organization" autocomplete="organization" value={organization} onInput={setOrganization} autofocus />
        <Input label="E-mail address" type="email" autocomplete="username" dir="ltr" value={email} onInput={setEmail} />
        <Password label="Password" autocomplete="new-password" hint="At least 8 characters." value={password} onInput={setPassword} />
        <Button kind="primary" type="submit" busy={busy} class="button--wide">
          Create the account
        </Button>
      </Form>
    </Frame>
  );
}
