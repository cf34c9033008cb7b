import { call } from "../api/client";
import type { Feature } from "../app/feature";
import { navigate, pathTo } from "../app/router";
import { can } from "../app/session";
import { type Device, nameOf } from "./types";

/** Devices that the palette shows of those that it fetches. */
const [FOUND, LOOKED_AT] = [5, 50];

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
    if (!can("devices:read")) return [];
    const body = { page: 1, per_page: LOOKED_AT, text };
    const { data } = await call("POST", "/management/v2/inventory/filters/search", { body, signal });
    // The server looks for words anywhere; what is typed here is a name most of the time.
    const named = (device: Device): boolean => nameOf(device).toLowerCase().includes(text.toLowerCase());
    const best = [...data.filter(named), ...data.filter((device) => !named(device))].slice(0, FOUND);
    return best.map((device) => ({
      title: nameOf(device),
      hint: "Device",
      icon: "device" as const,
      run: () => navigate(pathTo("devices", device.id)),
    }));
  },
};
