import { call } from "../api/client";
import type { Feature } from "../app/feature";
import { navigate, pathTo } from "../app/router";
import { nameOf } from "./types";

export const devices: Feature = {
  nav: {
    path: "/devices",
    label: "Devices",
    icon: "devices",
    order: 20,
    keys: "g d",
    needs: "devices:read",
  },
  screens: [{ path: "/devices", title: "Devices", load: () => import("./DeviceList"), needs: "devices:read" }],
  commands: [
    { title: "Show pending devices", icon: "devices", words: "accept new waiting", needs: "devices:read", run: () => navigate("/devices", { status: "pending" }) },
    { title: "Filter devices", icon: "filter", words: "search group", needs: "devices:read", run: () => navigate("/devices", { open: "filter" }) },
    { title: "Preauthorize a device", icon: "key", needs: "devices:manage", run: () => navigate("/devices", { open: "preauthorize" }) },
  ],
  find: async (text, signal) => {
    const body = { page: 1, per_page: 5, text };
    const { data } = await call("POST", "/management/v2/inventory/filters/search", { body, signal });
    return data.map((device) => ({
      title: nameOf(device),
      hint: "Device",
      icon: "device" as const,
      run: () => navigate(pathTo("devices", device.id)),
    }));
  },
};
