import { api } from "../api/client";
import type { Feature } from "../app/feature";
import { navigate, pathTo } from "../app/router";
import { can } from "../app/session";
import { RELEASES } from "./types";

export const releases: Feature = {
  nav: {
    path: "/releases",
    label: "Releases",
    icon: "releases",
    order: 30,
    keys: "g r",
    needs: "releases:read",
  },
  screens: [
    { path: "/releases", title: "Releases", load: () => import("./ReleaseList"), needs: "releases:read" },
    { path: "/releases/:name", title: "Release", load: () => import("./ReleasePage"), needs: "releases:read" },
  ],
  commands: [
    {
      title: "Upload an artifact",
      icon: "upload",
      words: "release software add new mender",
      needs: "artifacts:upload",
      run: () => navigate("/releases", { upload: "file" }),
    },
    {
      title: "Make an artifact from a file",
      icon: "upload",
      words: "release generate create",
      needs: "artifacts:upload",
      run: () => navigate("/releases", { upload: "make" }),
    },
  ],
  find: async (text, signal) => {
    if (!can("releases:read")) return [];
    const found = await api.get(RELEASES, { name: text, per_page: 5 }, { signal });
    return found.map((release) => ({
      title: release.name,
      hint: "Release",
      icon: "releases" as const,
      run: () => navigate(pathTo("releases", release.name)),
    }));
  },
};
