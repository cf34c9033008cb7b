import { EmptyState, Page } from "../parts/plain";
import { title } from "./title";

/** The place of a screen that is being built. */
export default function Soon() {
  return (
    <Page title={title.value}>
      <EmptyState icon="clock" title="This screen is not there yet">
        <p>Everything it will show is already available through the API.</p>
      </EmptyState>
    </Page>
  );
}
