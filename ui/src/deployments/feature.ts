import { api } from "../api/client";
import type { Feature } from "../app/feature";
import { navigate, pathTo } from "../app/router";
import { can } from "../app/session";
import { stateOf } from "./states";
import { DEPLOYMENTS_V2 } from "./types";

export const deployments: Feature = {
  nav: {
    path: "/deployments",
    label: "Deployments",
    icon: "deployments",
    order: 40,
    keys: "g p",
    needs: "deployments:read",
  },
  screens: [
    { path: "/deployments", title: "Deployments", load: () => import("./DeploymentList"), needs: "deployments:read" },
    { path: "/deployments/new", title: "New deployment", load: () => import("./NewDeployment"), needs: "deployments:manage" },
    { path: "/deployments/:id/report", title: "Report", load: () => import("./ReportPage"), needs: "deployments:read" },
    { path: "/deployments/:id", title: "Deployment", load: () => import("./DeploymentPage"), needs: "deployments:read" },
  ],
  commands: [
    {
      title: "New deployment",
      icon: "deployments",
      words: "deploy rollout update create release devices",
      needs: "deployments:manage",
      run: () => navigate("/deployments/new"),
    },
    {
      title: "Show scheduled deployments",
      icon: "clock",
      words: "phases later",
      needs: "deployments:read",
      run: () => navigate("/deployments", { status: "scheduled" }),
    },
  ],
  find: async (text, signal) => {
    if (!can("deployments:read")) return [];
    const found = await api.get(DEPLOYMENTS_V2, { name: text, sort: "match", per_page: 5 }, { signal });
    return found.map((deployment) => ({
      title: deployment.name,
      hint: `Deployment, ${stateOf(deployment).label.toLowerCase()}`,
      icon: "deployment" as const,
      run: () => navigate(pathTo("deployments", deployment.id)),
    }));
  },
};
