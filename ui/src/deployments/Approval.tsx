/** What a deployment waits for, if a second person has to approve it; and how that person decides. */
import { useState } from "preact/hooks";
import { api } from "../api/client";
import { can, session } from "../app/session";
import { Banner, Button, EditDialog, Name, Row, TextArea, Time } from "../parts";
import { waitsForApproval } from "./states";
import { type Deployment, deploymentPath } from "./types";

const MAX_COMMENT = 1000;

interface Props {
  deployment: Deployment;
  onDone: () => Promise<void>;
}

export function ApprovalBanner({ deployment, onDone }: Props) {
  const [decision, setDecision] = useState<"approve" | "reject">();
  const { approval } = deployment;
  if (!approval) return null;
  const waits = waitsForApproval(deployment);
  const own = approval.requested_by.id === session.value?.user.id;
  if (!waits) return <Decided deployment={deployment} />;
  return (
    <>
      <Banner
        is="warning"
        title="Waits for approval"
        action={
          can("deployments:approve") &&
          !own && (
            <Row>
              <Button onClick={() => setDecision("reject")}>Reject</Button>
              <Button kind="primary" onClick={() => setDecision("approve")}>
                Approve
              </Button>
            </Row>
          )
        }
      >
        {own ? "You have created it, so another user has to approve it." : <>Created by <Name wrap>{approval.requested_by.email}</Name>.</>} No device gets it until it is
        approved. It is aborted <Time at={approval.expires} /> if nobody approves it.
      </Banner>
      {decision && <DecisionDialog deployment={deployment} approve={decision === "approve"} onClose={() => setDecision(undefined)} onDone={onDone} />}
    </>
  );
}

const OUTCOMES = { approved: "Approved", rejected: "Rejected", expired: "Aborted, because nobody approved it in time", ended: "Ended before anybody approved it", waiting: "" };

function Decided({ deployment: { approval } }: { deployment: Deployment }) {
  if (!approval) return null;
  return (
    <Banner
      is={approval.state === "approved" ? "ok" : "warning"}
      title={
        <>
          {OUTCOMES[approval.state]}
          {approval.decided_by && <> by <Name>{approval.decided_by.email}</Name></>}
          {approval.decided_at && <> <Time at={approval.decided_at} /></>}
        </>
      }
    >
      {approval.comment && <Name wrap>{approval.comment}</Name>}
    </Banner>
  );
}

function DecisionDialog({ deployment, approve, onClose, onDone }: Props & { approve: boolean; onClose: () => void }) {
  const [comment, setComment] = useState("");
  const save = async (): Promise<string> => {
    await api.post(`${deploymentPath(deployment.id)}/approval`, { approve, comment: comment.trim() });
    return approve ? "The deployment is approved." : "The deployment is rejected.";
  };
  return (
    <EditDialog title={approve ? "Approve this deployment?" : "Reject this deployment?"} action={approve ? "Approve" : "Reject"} ready save={save} onDone={onDone} onClose={onClose}>
      <p>
        {approve
          ? "Devices get it when they next poll, or when its first phase begins. A decision cannot be changed, but the deployment can be paused or aborted."
          : "The deployment is aborted. No device has got it. A decision cannot be changed."}
      </p>
      <TextArea label="Comment" optional maxLength={MAX_COMMENT} hint="Shown to everybody who looks at the deployment, and in the audit log." value={comment} onInput={setComment} />
    </EditDialog>
  );
}
