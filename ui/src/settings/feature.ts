import type { Feature } from "../app/feature";

export const settings: Feature = {
  nav: {
    path: "/settings",
    label: "Settings",
    icon: "settings",
    order: 60,
    keys: "g s",

    foot: true,
  },
  screens: [{ path: "/settings/*", title: "Settings", load: () => import("../app/Soon") }],
};
