/** Sign-in and sign-out. The server keeps the session in an HttpOnly cookie, which this code never sees. */
import { ApiError, api, base, call } from "./client";
import type { PublicFacts, Session } from "./types";

export type SignedIn =
  | { kind: "done" }
  /** The user has a second factor: ask for its code and call again with it. */
  | { kind: "code"; wrong: boolean }
  /** The user signs in at an identity provider: go there. */
  | { kind: "elsewhere"; url: string }
  /** No identity provider is known for this address: ask for the password. */
  | { kind: "password" };

export const publicFacts = (): Promise<PublicFacts> => api.get("/management/v1/console/public", {}, { quiet: true });

/** The session, or undefined if nobody is signed in. */
export async function loadSession(): Promise<Session | undefined> {
  try {
    return await api.get("/management/v1/console/session", {}, { quiet: true });
  } catch (error) {
    if (error instanceof ApiError && error.status === 401) return undefined;
    throw error;
  }
}

export interface Credentials {
  email: string;
  /** Empty: only ask whether this user signs in at an identity provider. */
  password: string;
  code?: string;
  remember?: boolean;
}

export async function signIn({ email, password, code, remember }: Credentials): Promise<SignedIn> {
  const bytes = new TextEncoder().encode(`${email}:${password}`);
  const basic = btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
  try {
    const answer = await call("POST", "/management/v1/useradm/auth/login", {
      quiet: true,
      headers: { Authorization: `Basic ${basic}`, "X-Session": "cookie" },
      body: { ...(code ? { token2fa: code } : {}), remember: remember ?? false },
    });
    const provider = answer.data?.id;
    if (!provider) return { kind: "done" };
    return { kind: "elsewhere", url: `${base}/management/v1/useradm/oidc/${encodeURIComponent(provider)}/start?ui=console` };
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    const text = (error.body as { error?: string } | undefined)?.error ?? "";
    if (error.status === 401 && /^2fa/.test(text)) return { kind: "code", wrong: /wrong/.test(text) };
    if (error.status === 401 && !password) return { kind: "password" };
    if (error.status === 401 && text === "unauthorized") {
      throw new ApiError(401, "The e-mail address or the password is wrong.", error.requestId);
    }
    throw error;
  }
}

export const signOut = (everywhere = false): Promise<void> =>
  call("POST", "/management/v1/useradm/auth/logout", { query: { everywhere: everywhere || undefined }, quiet: true }).then(() => undefined);

/** End another session of the user. */
export const endSession = (id: string): Promise<void> =>
  call("POST", "/management/v1/useradm/auth/logout", { query: { session: id } }).then(() => undefined);

/** Work in another of the user's tenants: the server replaces the cookie. */
export const switchTenant = (id: string): Promise<unknown> =>
  api.get(`/management/v1/useradm/users/tenants/${encodeURIComponent(id)}/token`);

export const askToReset = (email: string): Promise<void> =>
  api.post("/management/v1/useradm/auth/password-reset/start", { email }, { quiet: true });

export const resetPassword = (secret: string, password: string): Promise<void> =>
  api.post("/management/v1/useradm/auth/password-reset/complete", { secret_hash: secret, password }, { quiet: true });

export const askToVerify = (email: string): Promise<void> =>
  api.post("/management/v1/useradm/auth/verify-email/start", { email }, { quiet: true });

export const verifyEmail = (secret: string): Promise<void> =>
  api.post("/management/v1/useradm/auth/verify-email/complete", { secret_hash: secret }, { quiet: true });

export const completeEmailChange = (secret: string): Promise<void> =>
  api.post("/management/v1/useradm/users/me/email-change/complete", { secret_hash: secret }, { quiet: true });

export interface SignUp {
  organization: string;
  email: string;
  password: string;
}

export const signUp = (wanted: SignUp): Promise<void> =>
  api.post("/management/v2/tenantadm/tenants/trial", { ...wanted, name: wanted.organization, plan: "enterprise", marketing: false }, { quiet: true });
