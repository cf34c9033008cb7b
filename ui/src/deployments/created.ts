import { navigate, pathTo } from "../app/router";

/** Go to the deployment that a call has made. `replace`: the back button does not lead to where it was made. */
export function created({ headers }: { headers: Headers }, options: { replace?: boolean } = {}): void {
  const id = headers.get("location")?.split("/").pop() ?? "";
  navigate(id ? pathTo("deployments", id) : "/deployments", {}, options);
}
