/** Codes of an app beside the password: switched on by scanning a picture and showing one code. */
import { useState } from "preact/hooks";
import { api } from "../api/client";
import { reloadSession, session } from "../app/session";
import { textOf, toast } from "../app/toasts";
import { Banner, Button, Card, Form, FormActions, Input, Row, Status } from "../parts";
import type { Proof } from "./proof";

const ME = "/management/v1/useradm/users/me/2fa";

export function SecondFactor({ prove }: { prove: (doing: (proof: Proof) => Promise<unknown>) => Promise<boolean> }) {
  const status = session.value?.user.tfa_status ?? "disabled";
  const [picture, setPicture] = useState("");
  const [code, setCode] = useState("");
  const [error, setError] = useState("");
  const begin = async (): Promise<void> => {
    setError("");
    try {
      if (!(await prove((proof) => api.post(`${ME}/enable`, proof)))) return;
      setPicture((await api.get<{ qr: string }>("/management/v1/useradm/2faqr")).qr);
    } catch (failed) {
      setError(textOf(failed));
    }
  };
  const verify = async (): Promise<void> => {
    setError("");
    try {
      await api.put("/management/v1/useradm/2faverify", { token2fa: code.replace(/\s/g, "") });
      setPicture("");
      setCode("");
      toast.ok("Your second factor is on. You will be asked for a code when you sign in.");
      await reloadSession();
    } catch (failed) {
      setError(textOf(failed));
    }
  };
  const disable = async (): Promise<void> => {
    setError("");
    try {
      if (await prove((proof) => api.post(`${ME}/disable`, proof))) {
        toast.ok("Your second factor is off.");
        await reloadSession();
      }
    } catch (failed) {
      setError(textOf(failed));
    }
  };
  return (
    <Card title="Second factor" lead="With it, signing in takes your password and a code from an app on your phone.">
      {error && <Banner is="danger">{error}</Banner>}
      {picture ? (
        <Form onSubmit={verify} label="Set up the second factor">
          <p>Scan this with an authenticator app, then enter the code that it shows.</p>
          <img class="settings__qr" src={`data:image/png;base64,${picture}`} alt="QR code for an authenticator app" width="200" height="200" />
          <Input label="Code from the app" value={code} onInput={setCode} inputMode="numeric" autocomplete="one-time-code" />
          <FormActions>
            <Button onClick={() => setPicture("")}>Cancel</Button>
            <Button type="submit" kind="primary" disabled={code.replace(/\s/g, "").length < 6}>
              Switch on
            </Button>
          </FormActions>
        </Form>
      ) : status === "enabled" ? (
        <Row justify="between">
          <Status is="ok">On</Status>
          <Button onClick={disable}>Switch off</Button>
        </Row>
      ) : (
        <Row justify="between">
          <Status is="neutral">Off</Status>
          <Button onClick={begin}>Set up</Button>
        </Row>
      )}
    </Card>
  );
}
