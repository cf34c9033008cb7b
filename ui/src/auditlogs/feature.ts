import type { Feature } from "../app/feature";

export const auditlogs: Feature = {
  nav: {
    path: "/auditlogs",
    label: "Audit log",
    icon: "audit",
    order: 50,
    keys: "g a",
    needs: "audit:read",
  },
  screens: [{ path: "/auditlogs/*", title: "Audit log", load: () => import("../app/Soon"), needs: "audit:read" }],
};
