/** Which release. */
import { api } from "../api/client";
import { Combobox, Link, Stack } from "../parts";
import type { Draft } from "./draft";
import { RELEASES } from "./reach";

const find = async (text: string, signal: AbortSignal) =>
  (await api.get(RELEASES, { name: text, per_page: 30, sort: "modified:desc" }, { signal })).map((release) => ({
    value: release.name,
    label: release.name,
    hint: [...new Set(release.artifacts.flatMap((artifact) => artifact.device_types_compatible))].join(", "),
  }));

export function ReleaseStep({ draft, onChange }: { draft: Draft; onChange: (change: Partial<Draft>) => void }) {
  return (
    <Stack>
      <Combobox
        label="Release"
        icon="release"
        placeholder="Find a release by name"
        hint="The newest come first. Each device gets the artifact of the release that fits its device type."
        value={draft.release}
        options={find}
        onChange={(release) => onChange({ release })}
      />
      <p class="muted">
        Not there yet? <Link to="/releases" query={{ upload: "file" }}>Upload an artifact</Link> first.
      </p>
    </Stack>
  );
}
