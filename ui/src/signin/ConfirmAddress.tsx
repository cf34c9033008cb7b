import { useState } from "preact/hooks";
import { place, useParam } from "../app/router";
import { start } from "../app/session";
import { textOf } from "../app/toasts";
import { completeEmailChange, verifyEmail } from "../api/session";
import { Button, Link } from "../parts/basic";
import { Banner } from "../parts/feedback";
import { Frame } from "./Frame";

/**
 * Confirm an address, or a new address, by the secret of a mail. By a button, and not when the page opens: programs that
 * look at links in mails would use the secret up.
 */
export default function ConfirmAddress() {
  const secret = useParam("secret");
  const change = place.value.path.startsWith("/email-change");
  const [state, setState] = useState<"asking" | "done">("asking");
  const [error, setError] = useState("");
  const confirm = async (): Promise<void> => {
    setError("");
    try {
      await (change ? completeEmailChange(secret) : verifyEmail(secret));
      await start(); // a changed address signs its user out; a confirmed one shows in the profile
      setState("done");
    } catch (failed) {
      setError(textOf(failed));
    }
  };
  if (state === "done") {
    return (
      <Frame title="Your address is confirmed">
        <Banner is="ok">{change ? "From now on you sign in with your new address." : "Thank you. Everything is set up."}</Banner>
        <Link to="/" button="primary" class="button--wide">
          {change ? "Sign in" : "Go on"}
        </Link>
      </Frame>
    );
  }
  return (
    <Frame title={change ? "Confirm your new address" : "Confirm your address"} lead="One click, and it is done." foot={<Link to="/">Go to the console</Link>}>
      {error && <Banner is="danger">{error} You get a new link in the settings, under Profile.</Banner>}
      <Button kind="primary" class="button--wide" onClick={confirm}>
        Confirm the address
      </Button>
    </Frame>
  );
}
