/**
 * What each call of the API takes and answers, by its path: types only, from the server's own description
 * (`chalicelib/reference/openapi.json`), which `npm run check` turns into `.types/openapi.d.ts`.
 *
 * A path is matched as it is written: `` `/management/v1/deployments/deployments/${id}` `` is the operation of
 * `/management/v1/deployments/deployments/{id}`. A function that gives a path ends with `as const`, or its type is lost.
 */
import type { components, paths } from "../../.types/openapi";

/** A shape of the description by its name there. */
export type Shape<Name extends keyof components["schemas"]> = components["schemas"][Name];

export type Method = "GET" | "POST" | "PUT" | "PATCH" | "DELETE";

/** `/users/{id}/roles` as `/users/${string}/roles`. */
type Filled<Path extends string> = Path extends `${infer Start}{${string}}${infer End}` ? `${Start}${string}${Filled<End>}` : Path;
type Patterns = { [Path in keyof paths]: Filled<Path> };
type Described<P extends string> = [Exactly<P>] extends [never] ? Fitting<P> : Exactly<P>;
type Exactly<P extends string> = { [Path in keyof paths]: P extends Patterns[Path] ? (Patterns[Path] extends P ? Path : never) : never }[keyof paths];
/** The path that has variables where `P` has texts: `/limits/{name}` for `/limits/storage`. */
type Fitting<P extends string> = { [Path in keyof paths]: P extends Patterns[Path] ? (Depth<P> extends Depth<Path> ? Path : never) : never }[keyof paths];
type Depth<Path> = Path extends `${string}/${infer Rest}` ? [1, ...Depth<Rest>] : [];
type OperationAt<Path, M extends Method> = Path extends keyof paths ? (Lowercase<M> extends infer Name extends keyof paths[Path] ? paths[Path][Name] : never) : never;
/** The operation of a method and a path; of a union of paths, the union of theirs. */
type Operation<P extends string, M extends Method> = P extends string ? OperationAt<Described<P>, M> : never;

type Content<Response> = Response extends { content: infer Media } ? ("application/json" extends keyof Media ? Media["application/json"] : Media[keyof Media]) : undefined;
type Responses<Op> = Op extends { responses: infer Found } ? Found : never;
type Succeeded = 200 | 201 | 202 | 204 | 206 | 302;
/** The decoded body of an answer that is no refusal; undefined where it has none. */
export type AnswerOf<P extends string, M extends Method = "GET"> = SuccessOf<Responses<Operation<P, M>>>;
type SuccessOf<Found> = Found extends unknown ? Content<Found[keyof Found & Succeeded]> : never;

/** A parameter's value. Which texts fit is left to the server, for many come from the page's address, numbers too. */
type Loose<Value> = Value extends readonly (infer Item)[] ? readonly Loose<Item>[] | Loose<Item> : Value extends number ? number | string : Value extends string ? string : Value;
type Parameters<Op> = Op extends { parameters: { query?: infer Query } } ? NonNullable<Query> : never;
export type QueryOf<P extends string, M extends Method = "GET"> = LooseQuery<Parameters<Operation<P, M>>>;
type LooseQuery<Query> = [Query] extends [never] ? Record<string, never> : { readonly [Name in keyof Query]?: Loose<NonNullable<Query[Name]>> | "" | null | undefined };

type Bodies<Op> = Op extends { requestBody?: infer Body } ? (NonNullable<Body> extends { content: infer Media } ? Media[keyof Media] : undefined) : never;
export type BodyOf<P extends string, M extends Method> = Given<Bodies<Operation<P, M>>> | FormData;
/** What is sent may be read-only. */
type Given<Value> = Value extends object ? { readonly [Name in keyof Value]: Given<Value[Name]> } : Value;

/** What a call takes after its path: `Rest`, or for a path that is not described what no call can give. */
export type Checked<P extends string, M extends Method, Rest extends unknown[]> = [Operation<P, M>] extends [never | undefined] ? [problem: Unknown<M>] : Rest;
interface Unknown<M extends Method> { readonly notInOpenapiJson: M }
