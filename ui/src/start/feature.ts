import type { Feature } from "../app/feature";
import { navigate } from "../app/router";

/** The way from an empty tenant to a first updated device. */
export const start: Feature = {
  screens: [{ path: "/start", title: "First device", load: () => import("./FirstDevice"), needs: "devices:read" }],
  commands: [{ title: "Connect a device", icon: "add", words: "first new start debian yocto simulated", needs: "devices:read", run: () => navigate("/start") }],
};
