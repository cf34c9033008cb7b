import type { Feature } from "../app/feature";

/** One device: who it is, what it runs and reports, and what one does with it. */
export const device: Feature = {
  screens: [{ path: "/devices/:id", title: "Device", load: () => import("./DevicePage"), needs: "devices:read" }],
};
