/** Creates or changes an acceptance rule, and shows which pending devices it would accept. */
import { useState } from "preact/hooks";
import type { Shape } from "../api/calls";
import { api } from "../api/client";
import { format } from "../app/format";
import { textOf } from "../app/toasts";
import { Banner, Button, EditDialog, Input, Name, RadioGroup, Stack, TextArea } from "../parts";
import { certificatesOf, identityText, type Kind, KINDS, linesOf, type NewRule, patternOf, PREVIEW, type Rule, RULES } from "./rules";

type Preview = Shape<"AcceptancePreview">;

export function AcceptanceDialog({ rule, onClose, onDone }: { rule: Rule | undefined; onClose: () => void; onDone: () => Promise<void> }) {
  const [name, setName] = useState(rule?.name ?? "");
  const [type, setType] = useState<Kind>((rule?.type as Kind | undefined) ?? "pattern");
  const [lines, setLines] = useState(linesOf(rule?.pattern ?? {}));
  const [certificates, setCertificates] = useState(rule?.certificates.join("") ?? "");
  const [commonName, setCommonName] = useState(rule?.common_name ?? "");
  const [most, setMost] = useState(rule?.max_per_day ? String(rule.max_per_day) : "");
  const pattern = patternOf(lines);
  const certified = type === "certificate";
  const complete = pattern !== undefined && (type !== "pattern" || Object.keys(pattern).length > 0) && (!certified || certificatesOf(certificates).length > 0);
  const body = (): NewRule => ({
    name: name.trim() || "preview",
    type,
    enabled: rule?.enabled ?? true,
    pattern: pattern ?? {},
    max_per_day: Number(most) || 0,
    ...(certified ? { certificates: certificatesOf(certificates), common_name: commonName.trim() } : {}),
  });
  const save = async (): Promise<string> => {
    if (rule) await api.put(`${RULES}/${encodeURIComponent(rule.id)}`, body());
    else await api.post(RULES, body());
    return rule ? "The rule is changed." : "The rule is created. Pending devices are accepted when they ask again.";
  };
  return (
    <EditDialog drawer title={rule ? `Change ${rule.name}` : "New acceptance rule"} action={rule ? "Save rule" : "Create rule"} ready={Boolean(name.trim()) && complete} save={save} onDone={onDone} onClose={onClose}>
      <Input label="Name" value={name} onInput={setName} maxLength={256} />
      {!rule && <RadioGroup label="Accepts by" value={type} options={KINDS} onChange={setType} cards />}
      {certified && (
        <>
          <TextArea label="CA certificates" mono rows={6} value={certificates} onInput={setCertificates} hint="PEM, from -----BEGIN CERTIFICATE----- on. Devices show theirs as the attribute “certificate” of their identity data." />
          <Input label="Attribute with the common name" optional value={commonName} onInput={setCommonName} hint="This attribute of the identity data must be the common name of the device's certificate, such as serial." maxLength={256} />
        </>
      )}
      <TextArea
        label="Patterns"
        optional={type !== "pattern"}
        mono
        rows={3}
        value={lines}
        onInput={setLines}
        placeholder="mac=00:1b:44:*"
        hint="An attribute of the identity data and its pattern on each line; all must match. * is any text, ? is one character."
        {...(pattern ? {} : { error: "Each line needs an attribute, = and a pattern." })}
      />
      <Input label="Devices a day, at most" type="number" min={1} optional value={most} onInput={setMost} hint="Counted from midnight in UTC. More devices stay pending until the next day." />
      <Shown key={JSON.stringify(body())} ready={complete} body={body} />
    </EditDialog>
  );
}

/** Which of the pending devices the rule would accept now; asked again for each rule. */
function Shown({ ready, body }: { ready: boolean; body: () => NewRule }) {
  const [found, setFound] = useState<Preview>();
  const [error, setError] = useState("");
  const show = async (): Promise<void> => {
    setError("");
    try {
      setFound(await api.post(PREVIEW, body()));
    } catch (failed) {
      setError(textOf(failed));
    }
  };
  return (
    <Stack gap={2}>
      <div>
        <Button icon="show" disabled={!ready} onClick={show}>
          Preview
        </Button>
      </div>
      {error && <Banner is="danger">{error}</Banner>}
      {found && (
        <section aria-label="Preview" class="stack gap-2">
          <p role="status">
            {found.total ? `${format.count(found.total, "pending device")} would be accepted` : "No pending device would be accepted"}
            {found.complete ? "." : `, among the first ${format.number(found.checked)}.`}
          </p>
          <ul class="plain stack gap-2">
            {found.devices.map((device) => (
              <li key={device.id}>
                <Name wrap>{identityText(device.identity_data)}</Name>
              </li>
            ))}
          </ul>
          {found.total > found.devices.length && <p class="muted">and {format.number(found.total - found.devices.length)} more</p>}
        </section>
      )}
    </Stack>
  );
}
