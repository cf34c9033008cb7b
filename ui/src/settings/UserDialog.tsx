/** Adds a user, by an invitation or with a first password, or changes the roles of one. */
import { useState } from "preact/hooks";
import type { Shape } from "../api/calls";
import { api } from "../api/client";
import type { User } from "../api/types";
import { session } from "../app/session";
import { Checkbox, CheckboxGroup, EditDialog, Input, Password } from "../parts";

export type Role = Pick<Shape<"Role">, "name" | "description">;

/** The users of the organization. */
export const USERS = "/management/v1/useradm/users";

export function UserDialog({ user, roles, onClose, onDone }: { user: User | undefined; roles: readonly Role[]; onClose: () => void; onDone: () => Promise<void> }) {
  const mails = session.value?.mail ?? false;
  const [email, setEmail] = useState(user?.email ?? "");
  const [password, setPassword] = useState("");
  const [invites, setInvites] = useState(mails);
  const [chosen, setChosen] = useState<readonly string[]>(user?.roles ?? []);
  const save = async (): Promise<string> => {
    if (user) await api.put(`${USERS}/${encodeURIComponent(user.id)}`, { roles: chosen });
    else await api.post(USERS, { email: email.trim(), roles: chosen, ...(invites ? { send_reset_password: true } : { password }) });
    return user ? "The roles are saved." : invites ? `${email.trim()} is invited by mail.` : `${email.trim()} is added.`;
  };
  const ready = user !== undefined || (email.includes("@") && (invites || password.length > 0));
  return (
    <EditDialog
      title={user ? "Edit roles" : "Add a user"}
      action={user ? "Save roles" : invites ? "Invite user" : "Add user"}
      ready={ready}
      save={save}
      onDone={onDone}
      onClose={onClose}
    >
      {user ? <p dir="auto">{user.email}</p> : <Input label="E-mail address" type="email" value={email} onInput={setEmail} />}
      {!user && mails && <Checkbox label="Invite by mail" hint="The user chooses a password with a link in the mail, which works for a week." checked={invites} onChange={setInvites} />}
      {!user && !invites && <Password label="First password" value={password} onInput={setPassword} autocomplete="new-password" hint={mails ? "Tell it to the user; they can change it in their profile." : "This server sends no mails, so there are no invitations: tell the password to the user, who can change it in their profile."} />}
      {roles.length > 0 && (
        <CheckboxGroup
          label="Roles"
          lead="Without a role, the user is an administrator."
          value={chosen}
          options={roles.map((role) => ({ value: role.name, label: role.name, hint: role.description }))}
          onChange={setChosen}
        />
      )}
    </EditDialog>
  );
}
