/** Shapes of the API that several features use, by the names that screens have for them. */
import type { Shape } from "./calls";

export type Session = Shape<"Session">;
export type PublicFacts = Shape<"Public">;
export type ServerFacts = Shape<"Server">;
export type User = Shape<"User">;
export type Tenant = Shape<"Tenant">;
/** Rights by name, as the server's `Permission` has them. */
export type Permission = keyof Shape<"Rights">["permissions"];
/** Where a right holds; null: everywhere. */
export type Scope = Shape<"Place">;
