/** The user's own account: address, password, second factor, sessions. */
import { useState } from "preact/hooks";
import { api } from "../api/client";
import { reloadSession } from "../app/session";
import { textOf, toast } from "../app/toasts";
import { Banner, Button, Card, Form, FormActions, Grid, Password } from "../parts";
import { Account } from "./Account";
import { useProof } from "./proof";
import { SecondFactor } from "./SecondFactor";
import { Sessions } from "./Sessions";
import { SettingsPage } from "./SettingsPage";

export default function Profile() {
  const { prove, dialog } = useProof();
  return (
    <SettingsPage at="profile" title="Profile">
      <Grid min="l">
        <Account />
        <PasswordCard />
        <SecondFactor prove={prove} />
        <Sessions />
      </Grid>
      {dialog}
    </SettingsPage>
  );
}

function PasswordCard() {
  const [current, setCurrent] = useState("");
  const [next, setNext] = useState("");
  const [error, setError] = useState("");
  const save = async (): Promise<void> => {
    setError("");
    try {
      await api.put("/management/v2/useradm/users/me", { password: next, current_password: current });
      setCurrent("");
      setNext("");
      toast.ok("Your password is changed. Your other sessions have ended.");
      await reloadSession();
    } catch (failed) {
      setError(textOf(failed));
    }
  };
  return (
    <Card title="Password">
      <Form onSubmit={save} label="Change password">
        {error && <Banner is="danger">{error}</Banner>}
        <Password label="Current password" value={current} onInput={setCurrent} autocomplete="current-password" />
        <Password label="New password" value={next} onInput={setNext} autocomplete="new-password" hint="At least 8 characters; a few words are easy to remember and hard to guess." />
        <FormActions>
          <Button type="submit" kind="primary" disabled={!current || !next}>
            Change password
          </Button>
        </FormActions>
      </Form>
    </Card>
  );
}

