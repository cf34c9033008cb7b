/** Codes of an app beside the password: switched on by scanning a picture and showing one code. */
import { useState } from "preact/hooks";
import type { Shape } from "../api/calls";
import { ApiError, api } from "../api/client";
import { format } from "../app/format";
import { reloadSession, session } from "../app/session";
import { textOf, toast } from "../app/toasts";
import { Banner, Button, Card, CodeBlock, Form, FormActions, Input, Row, Stack, Status } from "../parts";
import { sendVerification } from "./Account";
import type { Prove } from "./proof";
import { RecoveryCodes } from "./RecoveryCodes";

const ME = "/management/v1/useradm/users/me/2fa";

/** What the app needs: a QR code as a PNG in base64, and the same secret to type. */
type Setup = Shape<"QrCode">;

export function SecondFactor({ prove }: { prove: Prove }) {
  const user = session.value?.user;
  const [setup, setSetup] = useState<Setup>();
  const [code, setCode] = useState("");
  const [codes, setCodes] = useState<readonly string[]>();
  const [error, setError] = useState("");
  const left = user?.recovery_codes_left ?? 0;
  const attempted = async (doing: () => Promise<unknown>): Promise<void> => {
    setError("");
    try {
      await doing();
    } catch (failed) {
      setError(textOf(failed));
    }
  };
  const begin = async (): Promise<void> => {
    // A set-up that was begun and not finished goes on with its secret. Only a call with a body can carry the proof.
    const begun = user?.tfa_status === "unverified";
    const proved = await prove(async (proof) => {
      if (!begun || proof.current_password) {
        await api.post(`${ME}/enable`, proof).catch((refused: unknown) => {
          if (!begun || !(refused instanceof ApiError) || refused.status !== 400) throw refused;
        });
      }
      setSetup(await api.get("/management/v1/useradm/2faqr"));
    });
    if (proved) await reloadSession();
  };
  const verify = async (): Promise<void> => {
    const { recovery_codes } = await api.put("/management/v1/useradm/2faverify", { token2fa: code.replace(/\s/g, "") });
    setCodes(recovery_codes);
    setSetup(undefined);
    setCode("");
    toast.ok("Your second factor is on. You will be asked for a code when you sign in.");
    await reloadSession();
  };
  const renew = async (): Promise<void> => {
    const proved = await prove(async (proof) => setCodes((await api.post(`${ME}/recovery-codes`, proof)).recovery_codes));
    if (proved) await reloadSession();
  };
  const disable = async (): Promise<void> => {
    if (!(await prove((proof) => api.post(`${ME}/disable`, proof)))) return;
    toast.ok("Your second factor is off.");
    await reloadSession();
  };
  return (
    <Card title="Second factor" lead="With it, signing in takes your password and a code from an app on your phone.">
      {error && <Banner is="danger">{error}</Banner>}
      {setup ? (
        <Form onSubmit={() => attempted(verify)} label="Set up the second factor">
          <p>Scan this with an authenticator app, or type the key into it. Then enter the code that the app shows.</p>
          <img class="settings__qr" src={`data:image/png;base64,${setup.qr}`} alt="QR code for an authenticator app" width="200" height="200" />
          <CodeBlock label="Key" wrap>
            {(setup.secret.match(/.{1,4}/g) ?? []).join(" ")}
          </CodeBlock>
          <Input label="Code from the app" value={code} onInput={setCode} inputMode="numeric" autocomplete="one-time-code" />
          <FormActions>
            <Button onClick={() => setSetup(undefined)}>Cancel</Button>
            <Button type="submit" kind="primary" disabled={code.replace(/\s/g, "").length < 6}>
              Switch on
            </Button>
          </FormActions>
        </Form>
      ) : user?.tfa_status === "enabled" ? (
        <Stack>
          <Row justify="between">
            <Status is="ok">On</Status>
            <Button onClick={() => attempted(disable)}>Switch off</Button>
          </Row>
          <Row justify="between">
            <Status is={left > 2 ? "neutral" : "warning"}>{left === 0 ? "No recovery code left" : format.count(left, "recovery code left", "recovery codes left")}</Status>
            <Button onClick={() => attempted(renew)}>Make new recovery codes</Button>
          </Row>
        </Stack>
      ) : user?.verified ? (
        <Row justify="between">
          <Status is="neutral">{user.tfa_status === "unverified" ? "Not set up yet" : "Off"}</Status>
          <Button onClick={() => attempted(begin)}>{user.tfa_status === "unverified" ? "Go on with the set-up" : "Set up"}</Button>
        </Row>
      ) : session.value?.mail ? (
        <Banner action={<Button onClick={sendVerification}>Send a confirmation mail</Button>}>Confirm your e-mail address first: open the link in the mail that is sent to you.</Banner>
      ) : (
        <Banner>
          Your e-mail address has to be confirmed first. This server sends no mails: ask whoever runs it to confirm the address, by <code>manage user verify</code>.
        </Banner>
      )}
      {codes && <RecoveryCodes codes={codes} onClose={() => setCodes(undefined)} />}
    </Card>
  );
}
