/** The frame of all settings: what there is on the side, one of them beside it. */
import type { ComponentChildren } from "preact";
import { can, has, session } from "../app/session";
import type { Permission } from "../api/types";
import { Page, Tabs } from "../parts";

interface Entry {
  id: string;
  label: string;
  needs?: Permission;
  feature?: string;
  /** Only in the tenant of a service provider. */
  provider?: boolean;
}

const ENTRIES: readonly Entry[] = [
  { id: "profile", label: "Profile" },
  { id: "notifications", label: "Notifications" },
  { id: "tokens", label: "Tokens" },
  { id: "users", label: "Users", needs: "users:read" },
  { id: "roles", label: "Roles", needs: "users:read", feature: "rbac" },
  { id: "webhooks", label: "Webhooks", needs: "integrations:read" },
  { id: "acceptance", label: "Acceptance", needs: "acceptance:manage" },
  { id: "trust", label: "Trust", needs: "releases:read" },
  { id: "organization", label: "Organization" },
  { id: "cost", label: "Cost", needs: "settings:manage" },
  { id: "tenants", label: "Tenants", needs: "tenants:read", provider: true },
  { id: "sso", label: "Single sign-on", needs: "users:manage", feature: "sso" },
];

/** One setting. `title` is the page's heading; the navigation above it shows the settings that this user may see. */
export function SettingsPage({ at, title, lead, actions, children }: { at: string; title: string; lead?: ComponentChildren; actions?: ComponentChildren; children?: ComponentChildren }) {
  const entries = ENTRIES.filter((entry) => (!entry.needs || can(entry.needs)) && (!entry.feature || has(entry.feature)) && (!entry.provider || session.value?.tenant.service_provider));
  return (
    <Page title={title} lead={lead ?? session.value?.tenant.name} actions={actions}>
      <Tabs label="Settings" value={at} to={(id) => `/settings/${id}`} tabs={entries.map(({ id, label }) => ({ id, label }))} />
      {children}
    </Page>
  );
}
