import type { Feature } from "../app/feature";
import { navigate } from "../app/router";

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
    { path: "/settings/profile", title: "Profile", load: () => import("./Profile") },
    { path: "/settings/tokens", title: "Access tokens", load: () => import("./Tokens") },
    { path: "/settings/users", title: "Users", load: () => import("./Users"), needs: "users:read" },
  ],
  commands: [
    { title: "Change my password", icon: "credentials", words: "profile second factor", run: () => navigate("/settings/profile") },
    { title: "New access token", icon: "key", words: "api script", needs: "tokens:manage", run: () => navigate("/settings/tokens") },
    { title: "Add a user", icon: "users", words: "invite team", needs: "users:manage", run: () => navigate("/settings/users") },
  ],
};
