import { EmptyState, Link, Page } from "../parts/plain";
import { session } from "../app/session";

/** What needs attention first. */
export default function Overview() {
  return (
    <Page title="Overview" lead={session.value?.tenant.name}>
      <EmptyState icon="device" title="No device yet" action={<Link to="/start" button="primary">Connect a first device</Link>}>
        <p>This page will show what needs attention, your fleet by software, and deployments at work. It begins with a device.</p>
      </EmptyState>
    </Page>
  );
}
