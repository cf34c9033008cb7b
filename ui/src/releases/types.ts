/** Releases and artifacts as the API has them. */
export interface UpdateFile {
  name: string;
  checksum: string;
  size: number;
  date: string | null;
}

export interface Update {
  type_info: { type: string | null };
  files: UpdateFile[] | null;
  metadata: Record<string, unknown>;
}

export interface Artifact {
  id: string;
  name: string;
  description: string;
  size: number;
  modified: string;
  device_types_compatible: string[];
  info: { format: string; version: number };
  signed: boolean;
  updates: Update[];
  artifact_provides: Record<string, string>;
  artifact_depends: Record<string, string | string[]>;
  clears_artifact_provides: string[];
}

export interface Release {
  name: string;
  modified: string;
  artifacts: Artifact[];
  artifacts_count: number;
  tags: string[];
  notes: string;
}

export const RELEASES = "/management/v2/deployments/deployments/releases";
export const ARTIFACTS = "/management/v1/deployments/artifacts";

export const releasePath = (name: string): string => `${RELEASES}/${encodeURIComponent(name)}`;

/** All device types of a release, each once, in order. */
export const deviceTypes = (release: Release): string[] =>
  [...new Set(release.artifacts.flatMap((artifact) => artifact.device_types_compatible))].sort();

/** All payload types of some artifacts, each once, in order. An artifact without payload has none. */
export const payloadTypes = (artifacts: readonly Artifact[]): string[] =>
  [...new Set(artifacts.flatMap((artifact) => artifact.updates.map((update) => update.type_info.type ?? "")))].filter(Boolean).sort();
