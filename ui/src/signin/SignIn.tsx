/** Signing in: by password and perhaps a code, or at an identity provider. */
import { useState } from "preact/hooks";
import { place, setQuery } from "../app/router";
import { entered, facts, goToProvider, leave, session } from "../app/session";
import { textOf } from "../app/toasts";
import { signIn } from "../api/session";
import { Button, Link } from "../parts/basic";
import { Banner } from "../parts/feedback";
import { Checkbox, Form, Input, Password } from "../parts/fields";
import { Dialog } from "../parts/overlay";
import { Frame } from "./Frame";

type Step = "password" | "code" | "recovery";

const WRONG: Record<Step, string> = {
  password: "",
  code: "This code is wrong or no longer valid. Wait for the next one.",
  recovery: "This recovery code is wrong, or was used already. Try another.",
};

/** What to show of a sign-in at an identity provider that failed. The text is the server's, by way of the URL. */
const fromProvider = (text: string | undefined): string => (text ? `Single sign-on did not work: ${text}. Try again, or ask your administrator.` : "");

function SignInForm({ email: known }: { email?: string }) {
  const [email, setEmail] = useState(known ?? "");
  const [password, setPassword] = useState("");
  const [code, setCode] = useState("");
  const [remember, setRemember] = useState(false);
  const [step, setStep] = useState<Step>("password");
  const [error, setError] = useState(() => fromProvider(place.peek().query.sso_error));
  const [busy, setBusy] = useState<"" | "password" | "elsewhere">("");

  const submit = async (elsewhere: boolean): Promise<void> => {
    if (busy) return;
    if (!email.includes("@")) return setError("Enter your e-mail address.");
    if (!elsewhere && !password) return setError("Enter your password.");
    setBusy(elsewhere ? "elsewhere" : "password");
    setError("");
    if (place.peek().query.sso_error) setQuery({ sso_error: "" });
    try {
      const result = await signIn({ email: email.trim(), password: elsewhere ? "" : password, remember, ...(step !== "password" ? { code: code.replace(/\s/g, "") } : {}) });
      if (result.kind === "done") return await entered();
      if (result.kind === "elsewhere") return goToProvider(result.url);
      if (result.kind === "code") {
        setError(result.wrong ? WRONG[step] : "");
        if (step === "password") setStep("code");
        setCode("");
      } else setError(elsewhere ? "No single sign-on is set up for this address. Sign in with your password." : "Enter your password.");
    } catch (failed) {
      setError(textOf(failed));
    } finally {
      setBusy("");
    }
  };

  const change = (to: Step): void => {
    setStep(to);
    setCode("");
    setError("");
  };

  return (
    <Form onSubmit={() => submit(false)} label="Sign in">
      {error && <Banner is="danger">{error}</Banner>}
      {step === "password" ? (
        <>
          <Input label="E-mail address" name="email" type="email" autocomplete="username" dir="ltr" value={email} onInput={setEmail} readOnly={known !== undefined} autofocus={known === undefined} />
          <Password label="Password" name="password" value={password} onInput={setPassword} autofocus={known !== undefined} />
          <div class="row row--between gap-2">
            <Checkbox label="Keep me signed in" checked={remember} onChange={setRemember} />
            {facts.value?.mail && <Link to="/password">Forgotten password?</Link>}
          </div>
        </>
      ) : step === "recovery" ? (
        <Input key="recovery" label="Recovery code" hint="One of the codes that you saved when you set up your second factor. Each works once." name="code" dir="ltr" mono value={code} onInput={setCode} autofocus />
      ) : (
        <Input
          key="code"
          label="Code of your second factor"
          hint="Six digits that your authenticator app shows."
          name="code"
          inputMode="numeric"
          autocomplete="one-time-code"
          dir="ltr"
          class="input--code"
          value={code}
          onInput={setCode}
          autofocus
        />
      )}
      <Button kind="primary" type="submit" busy={busy === "password"} class="button--wide">
        {step === "password" ? "Sign in" : "Check the code"}
      </Button>
      {step === "password" ? (
        <>
          <div class="or">or</div>
          <Button class="button--wide" icon="credentials" busy={busy === "elsewhere"} onClick={() => void submit(true)}>
            Continue with single sign-on
          </Button>
        </>
      ) : (
        <>
          <Button kind="quiet" class="button--wide" onClick={() => change(step === "code" ? "recovery" : "code")}>
            {step === "code" ? "Use a recovery code" : "Use a code of the app"}
          </Button>
          <Button kind="quiet" class="button--wide" onClick={() => change("password")}>
            Back
          </Button>
        </>
      )}
    </Form>
  );
}

export function SignIn() {
  return (
    <Frame
      title="Sign in"
      lead="Update and manage your devices."
      foot={
        facts.value?.signup && (
          <>
            New here? <Link to="/signup">Create an account</Link>
          </>
        )
      }
    >
      <SignInForm />
    </Frame>
  );
}

/** Over the screen, when the session has ended: nothing that was being done is lost. */
export function SignInAgain() {
  return (
    <Dialog open stay size="s" title="Your session has ended" onClose={() => undefined}>
      <div class="stack gap-4">
        <p class="muted">Sign in again and go on where you were.</p>
        <SignInForm {...(session.value ? { email: session.value.user.email } : {})} />
        <Button kind="quiet" class="button--wide" onClick={() => leave().catch(() => location.reload())}>
          Sign in as somebody else
        </Button>
      </div>
    </Dialog>
  );
}
