import type { Feature } from "../app/feature";

/** The way from an empty tenant to a first updated device. */
export const start: Feature = {
  screens: [{ path: "/start/*", title: "First device", load: () => import("../app/Soon") }],
};
