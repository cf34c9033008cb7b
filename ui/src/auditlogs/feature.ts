import type { Feature } from "../app/feature";

export const auditlogs: Feature = {
  nav: {
    path: "/auditlogs",
    label: "Audit log",
    icon: "audit",
    order: 50,
    keys: "g a",
    needs: "audit:read",
    feature: "audit_logs",
  },
  screens: [{ path: "/auditlogs", title: "Audit log", load: () => import("./AuditLog"), needs: "audit:read", feature: "audit_logs" }],
};
