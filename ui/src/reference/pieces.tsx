/** Small parts of the API's screens. */
import { Badge, type Meaning } from "../parts";
import type { Operation } from "./description";

const MEANINGS: Record<string, Meaning | "accent"> = { GET: "neutral", POST: "ok", PUT: "running", PATCH: "waiting", DELETE: "danger" };

export function Method({ of: { method } }: { of: Pick<Operation, "method"> }) {
  return (
    <span class="reference-method">
      <Badge is={MEANINGS[method] ?? "neutral"}>{method}</Badge>
    </span>
  );
}

/** A text of the description: what is between backticks is code. */
export function Text({ children }: { children: string }) {
  return <>{children.split("`").map((part, index) => (index % 2 ? <code key={index}>{part}</code> : part))}</>;
}
