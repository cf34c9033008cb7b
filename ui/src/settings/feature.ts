import type { Feature, Screen } from "../app/feature";
import { navigate } from "../app/router";

/** The settings, as the navigation beside them groups them. */
export const GROUPS: readonly { title: string; screens: readonly Screen[] }[] = [
  {
    title: "Your account",
    screens: [
      { path: "/settings/profile", title: "Profile", load: () => import("./Profile") },
      { path: "/settings/notifications", title: "Notifications", load: () => import("./Notifications") },
      { path: "/settings/tokens", title: "Access tokens", load: () => import("./Tokens") },
    ],
  },
  {
    title: "People",
    screens: [
      { path: "/settings/users", title: "Users", load: () => import("./Users"), needs: "users:read" },
      { path: "/settings/roles", title: "Roles", load: () => import("./Roles"), needs: "users:read", feature: "rbac" },
      { path: "/settings/sso", title: "Single sign-on", load: () => import("./SingleSignOn"), needs: "users:manage", feature: "sso" },
    ],
  },
  {
    title: "Fleet",
    screens: [
      { path: "/settings/acceptance", title: "Acceptance rules", load: () => import("./Acceptance"), needs: "acceptance:manage" },
      { path: "/settings/trust", title: "Trusted software", load: () => import("./Trust"), needs: "releases:read" },
    ],
  },
  {
    title: "Administration",
    screens: [
      { path: "/settings/organization", title: "Organization", load: () => import("./Organization") },
      { path: "/settings/webhooks", title: "Webhooks", load: () => import("./Webhooks"), needs: "integrations:read" },
      { path: "/settings/cost", title: "Cost", load: () => import("./Cost"), needs: "settings:manage" },
      { path: "/settings/tenants", title: "Tenants", load: () => import("./Tenants"), needs: "tenants:read" },
    ],
  },
];

export const settings: Feature = {
  nav: {
    path: "/settings",
    label: "Settings",
    icon: "settings",
    order: 60,
    keys: "g s",
    foot: true,
  },
  screens: [
    { path: "/settings", title: "Settings", load: () => import("./Profile") },
    ...GROUPS.flatMap((group) => group.screens),
  ],
  commands: [
    { title: "Change my password", icon: "credentials", words: "profile second factor", run: () => navigate("/settings/profile") },
    { title: "Turn mails on or off", icon: "bell", words: "notifications e-mail alerts approval stopped", run: () => navigate("/settings/notifications") },
    { title: "New access token", icon: "key", words: "api script", needs: "tokens:manage", run: () => navigate("/settings/tokens") },
    { title: "Add a user", icon: "users", words: "invite team", needs: "users:manage", run: () => navigate("/settings/users") },
    { title: "New role", icon: "shield", words: "rights permissions", needs: "users:manage", run: () => navigate("/settings/roles", { new: "1" }) },
    { title: "Webhooks and their deliveries", icon: "link", words: "integrations events", needs: "integrations:read", run: () => navigate("/settings/webhooks") },
    { title: "Accept devices by rules", icon: "shield", words: "automatic preregister identities csv certificate pattern", needs: "acceptance:manage", run: () => navigate("/settings/acceptance") },
    { title: "Trusted keys and downgrades", icon: "shield", words: "signature sign artifact policy version", needs: "releases:read", run: () => navigate("/settings/trust") },
    { title: "Limits and settings of the organization", icon: "organization", words: "plan storage timeout retention token", run: () => navigate("/settings/organization") },
    { title: "What the fleet costs on AWS", icon: "cost", words: "bill price money dollars poll interval", needs: "settings:manage", run: () => navigate("/settings/cost") },
  ],
};
