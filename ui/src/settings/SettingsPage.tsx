/** The frame of all settings: a list of them, and one of them beside it. */
import type { ComponentChildren } from "preact";
import { allowed } from "../app/screens";
import { session } from "../app/session";
import { Page, Sections } from "../parts";
import { GROUPS } from "./feature";

/** One setting. `title` is the page's heading; the navigation shows the settings that this user may see. */
export function SettingsPage({ at, title, lead, actions, children }: { at: string; title: string; lead?: ComponentChildren; actions?: ComponentChildren; children?: ComponentChildren }) {
  const provider = session.value?.tenant.service_provider ?? false;
  const groups = GROUPS.map((group) => ({
    title: group.title,
    links: group.screens.filter((screen) => allowed(screen) && (provider || screen.path !== "/settings/tenants")).map((screen) => ({ to: screen.path, label: screen.title })),
  }));
  return (
    <Sections label="Settings" at={`/settings/${at}`} groups={groups}>
      <Page title={title} lead={lead ?? session.value?.tenant.name} actions={actions}>
        {children}
      </Page>
    </Sections>
  );
}
