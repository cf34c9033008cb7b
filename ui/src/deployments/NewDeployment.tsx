/** Make a deployment: release, devices, phases, options, review. Each step shows whom it reaches. */
import { useEffect, useState } from "preact/hooks";
import { ApiError, call } from "../api/client";
import { format, now } from "../app/format";
import { useApi } from "../app/resource";
import { navigate, place, setQuery, useQuery } from "../app/router";
import { can, has } from "../app/session";
import { textOf, toast } from "../app/toasts";
import { Banner, Page, Stack, Wizard } from "../parts";
import { created } from "./created";
import { callOf, type Draft, draftOf, problems, readDraft, retryOf, suggestedName, writeDraft } from "./draft";
import { OptionsStep } from "./OptionsStep";
import { PhasesStep } from "./PhasesStep";
import { fieldOf, type Wrong } from "./protecting";
import { FILTERS, useReach } from "./reach";
import { PreviewCard } from "./PreviewCard";
import { ReachCard } from "./ReachCard";
import { ReleaseStep } from "./ReleaseStep";
import { ReviewStep } from "./ReviewStep";
import { deploymentPath } from "./types";
import { WhomStep } from "./WhomStep";

const STEPS = ["release", "devices", "rollout", "options", "review"] as const;
type StepId = (typeof STEPS)[number];

export default function NewDeployment() {
  const draft = readDraft(place.value.query);
  const [again] = useQuery("again");
  const [step] = useQuery("step");
  const [error, setError] = useState<unknown>();
  const [refused, setRefused] = useState<Wrong>({});
  const earlier = again || draft.parent;
  const original = useApi(earlier ? deploymentPath(earlier) : null, { keep: false });
  const parent = draft.whom === "retry" ? original.data : undefined;
  const filters = useApi(draft.whom === "filter" && has("dynamic_groups") && can("devices:read") ? { path: FILTERS, query: { per_page: 500 } } : null);
  const filter = filters.data?.find((each) => each.id === draft.filter);
  const reach = useReach(draft, filter, parent);
  const wrong = problems(draft, reach.total);
  const change = (next: Partial<Draft>): void => {
    setError(undefined);
    setRefused({});
    setQuery(writeDraft({ ...draft, ...next }));
  };
  const goTo = (id: string): void => setQuery({ step: id }, { replace: false });

  useEffect(() => {
    if (!again || original.data?.id !== again) return;
    const retries = draft.whom === "retry";
    const next = retries ? retryOf(original.data, draft, now.value) : draftOf(original.data, now.value);
    // Of a retry, the release and the devices are chosen already.
    setQuery({ ...writeDraft(next), again: "", step: retries ? "rollout" : "review" });
  }, [again, original.data]);
  useEffect(() => {
    // Who comes with a release or devices already goes on with what is missing.
    if (!step && !again) setQuery({ step: !draft.release ? "release" : "devices" });
  }, [step, again]);

  const name = draft.name.trim() || suggestedName(draft, filter?.name ?? "a filter");
  const finish = async (): Promise<void> => {
    setError(undefined);
    try {
      const { path, body } = callOf(draft, name);
      created(await call("POST", path, { body }), { replace: true });
      toast.ok("The deployment is created.");
    } catch (failed) {
      setError(failed);
      const field = draft.protection && failed instanceof ApiError && failed.status === 400 ? fieldOf(failed.message) : undefined;
      if (!field) return;
      setRefused({ [field]: textOf(failed) });
      goTo("rollout");
    }
  };
  const bodies: Record<StepId, { title: string; body: preact.ComponentChild }> = {
    release: { title: "Release", body: <ReleaseStep draft={draft} onChange={change} /> },
    devices: { title: "Devices", body: <WhomStep draft={draft} onChange={change} reach={reach} filters={filters} parent={parent} /> },
    rollout: { title: "Rollout", body: <PhasesStep draft={draft} onChange={change} total={reach.total} counting={reach.counting} refused={refused} /> },
    options: { title: "Options", body: <OptionsStep draft={draft} onChange={change} /> },
    review: { title: "Review", body: <ReviewStep draft={draft} onChange={change} name={name} filter={filter} reach={reach} parent={parent} onStep={goTo} /> },
  };
  const count = reach.total === undefined ? "" : draft.whom === "filter" ? "" : ` to ${format.count(reach.total, "device")}`;
  return (
    <Page title="New deployment" back={{ to: "/deployments", label: "Deployments" }}>
      <Stack>
        {original.error && (
          <Banner is="danger" title="The earlier deployment could not be loaded" requestId={original.error.requestId}>
            {textOf(original.error)}
          </Banner>
        )}
        <Wizard
          steps={STEPS.map((id) => ({ id, ...bodies[id], problem: wrong[id] }))}
          at={step || "release"}
          onStep={goTo}
          onFinish={finish}
          finish={`Deploy${count}`}
          onCancel={() => navigate("/deployments")}
          aside={
            <Stack>
              <ReachCard draft={draft} reach={reach} />
              <PreviewCard draft={draft} name={name} ready={!STEPS.some((id) => wrong[id])} />
            </Stack>
          }
        />
        {error !== undefined && (
          <Banner is="danger" title="The deployment was not created" requestId={error instanceof ApiError ? error.requestId : ""}>
            {textOf(error)}
          </Banner>
        )}
      </Stack>
    </Page>
  );
}
