/** Which release. */
import { api } from "../api/client";
import { Combobox, Link, Stack } from "../parts";
import type { Draft } from "./draft";
import { RELEASES } from "./types";

const find = async (text: string, signal: AbortSignal) =>
  (await api.get(RELEASES, { name: text, per_page: 30, sort: "modified:desc" }, { signal })).map((release) => ({
    value: release.name,
    label: release.name,
    hint: [...new Set(release.artifacts.flatMap((artifact) => artifact.device_types_compatible))].join(", "),
  }));

export function ReleaseField({ value, hint, onChange }: { value: string; hint: string; onChange: (release: string) => void }) {
  return <Combobox label="Release" icon="release" placeholder="Find a release by name" hint={hint} value={value} options={find} onChange={onChange} />;
}

export function ReleaseStep({ draft, onChange }: { draft: Draft; onChange: (change: Partial<Draft>) => void }) {
  return (
    <Stack>
      <ReleaseField
        value={draft.release}
        hint="The newest come first. Each device gets the artifact of the release that fits its device type."
        onChange={(release) => onChange({ release })}
      />
      <p class="muted">
        Not there yet? <Link to="/releases" query={{ upload: "file" }}>Upload an artifact</Link> first.
      </p>
    </Stack>
  );
}
