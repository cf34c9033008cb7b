import { EmptyState, Link, Page } from "../parts/plain";
import { place } from "./router";

export function NotFound() {
  return (
    <Page title="Not found">
      <EmptyState icon="search" title="There is no such page" action={<Link to="/" button="primary">Go to the overview</Link>}>
        <p>
          Nothing is at <code>{place.value.path}</code>. The link may be old, or a part of it was lost.
        </p>
      </EmptyState>
    </Page>
  );
}

export function NotInPlan({ missing }: { missing: "right" | "feature" }) {
  return (
    <Page title="Not available">
      <EmptyState icon="lock" title={missing === "right" ? "You do not have the right to see this" : "This is not in your plan"} action={<Link to="/" button="plain">Go to the overview</Link>}>
        <p>
          {missing === "right"
            ? "An administrator of your organization can give you a role that has it."
            : "Your organization's plan does not have this feature. Whoever runs this server can change the plan."}
        </p>
      </EmptyState>
    </Page>
  );
}
