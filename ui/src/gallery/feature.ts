import type { Feature } from "../app/feature";

/** Every part in every state: for those who build screens. */
export const gallery: Feature = {
  screens: [{ path: "/parts", title: "Parts", load: () => import("./Gallery"), open: true }],
};
