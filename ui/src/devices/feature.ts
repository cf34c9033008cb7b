import type { Feature } from "../app/feature";

export const devices: Feature = {
  nav: {
    path: "/devices",
    label: "Devices",
    icon: "devices",
    order: 20,
    keys: "g d",
    needs: "devices:read",
  },
  screens: [{ path: "/devices/*", title: "Devices", load: () => import("../app/Soon"), needs: "devices:read" }],
};
