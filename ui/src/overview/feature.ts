import type { Feature } from "../app/feature";

export const overview: Feature = {
  nav: { path: "/", label: "Overview", icon: "home", order: 10, keys: "g o" },
  screens: [{ path: "/", title: "Overview", load: () => import("./Overview") }],
};
