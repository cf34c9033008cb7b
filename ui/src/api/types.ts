/** Shapes of the API that several features use. A feature keeps the shapes that only it uses in its own folder. */

/** Rights by name, as the server's `Permission` has them. */
export type Permission =
  | "artifacts:upload"
  | "audit:read"
  | "basic:use"
  | "configuration:manage"
  | "deployments:manage"
  | "deployments:read"
  | "devices:connect"
  | "devices:manage"
  | "devices:read"
  | "integrations:manage"
  | "integrations:read"
  | "releases:manage"
  | "releases:read"
  | "settings:manage"
  | "tenants:manage"
  | "tenants:read"
  | "tokens:manage"
  | "users:manage"
  | "users:read";

/** Where a right holds; null: everywhere. */
export interface Scope {
  groups: string[] | null;
  release_tags: string[] | null;
}

export interface User {
  id: string;
  email: string;
  created_ts?: string;
  updated_ts?: string;
  verified?: boolean;
  /** Has not accepted the invitation yet. */
  invited?: boolean;
  tfa_status?: "enabled" | "disabled" | "unverified";
  /** Only of the user who asks, and only with a second factor. */
  recovery_codes_left?: number;
  sso?: { id: string; kind: string; subject?: string }[];
  roles?: string[];
  tenant_id?: string;
  /** All tenants that the user works in, the own one first; only if there are several. */
  tenant_ids?: string[];
}

export interface Tenant {
  id: string;
  name: string;
  status?: string;
  plan?: string;
  trial?: boolean;
  trial_expiration?: string;
  service_provider?: boolean;
  parent_tenant_id?: string;
  addons?: { name: string; enabled: boolean }[];
  device_count?: number;
  device_limit?: number;
  device_limits?: Record<string, unknown>;
  tenant_token?: string;
}

export interface ServerFacts {
  name: string;
  version: string;
  url?: string;
}

/** `GET console/session`: who is signed in, where, and what they may do. */
export interface Session {
  user: User;
  session: { expires: string | null; recent: boolean };
  tenant: Tenant;
  features: string[];
  rights: {
    administrator: boolean;
    permissions: Partial<Record<Permission, Scope[]>>;
    calls: { method: string; path: string }[];
  };
  limits: { artifact_bytes: number; per_page: number };
  server: ServerFacts;
  mail: boolean;
  signup: boolean;
  uploads?: { origin: string };
}

/** `GET console/public`: what a page may know before anybody signs in. */
export interface PublicFacts {
  server: ServerFacts;
  signup: boolean;
  mail: boolean;
}
