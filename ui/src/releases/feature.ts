import type { Feature } from "../app/feature";

export const releases: Feature = {
  nav: {
    path: "/releases",
    label: "Releases",
    icon: "releases",
    order: 30,
    keys: "g r",
    needs: "releases:read",
  },
  screens: [{ path: "/releases/*", title: "Releases", load: () => import("../app/Soon"), needs: "releases:read" }],
};
