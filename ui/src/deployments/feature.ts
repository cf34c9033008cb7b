import type { Feature } from "../app/feature";

export const deployments: Feature = {
  nav: {
    path: "/deployments",
    label: "Deployments",
    icon: "deployments",
    order: 40,
    keys: "g p",
    needs: "deployments:read",
  },
  screens: [{ path: "/deployments/*", title: "Deployments", load: () => import("../app/Soon"), needs: "deployments:read" }],
};
