/** Releases and artifacts as the API has them. */
import type { Shape } from "../api/calls";

export type Release = Shape<"Release">;
export type Artifact = Shape<"Artifact">;
export type Update = Shape<"Update">;
export type UpdateFile = Shape<"UpdateFile">;

export const RELEASES = "/management/v2/deployments/deployments/releases";
export const ARTIFACTS = "/management/v1/deployments/artifacts";

export const artifactPath = (id: string) => `${ARTIFACTS}/${encodeURIComponent(id)}` as const;
export const releasePath = (name: string) => `${RELEASES}/${encodeURIComponent(name)}` as const;

/** All device types of a release, each once, in order. */
export const deviceTypes = (release: Release): string[] =>
  [...new Set(release.artifacts.flatMap((artifact) => artifact.device_types_compatible))].sort();

/** All payload types of some artifacts, each once, in order. An artifact without payload has none. */
export const payloadTypes = (artifacts: readonly Artifact[]): string[] =>
  [...new Set(artifacts.flatMap((artifact) => artifact.updates.map((update) => update.type_info.type ?? "")))].filter(Boolean).sort();

/** Whether no trusted key had signed some artifact of a release when it was uploaded, and that was checked. */
export const isMarked = (release: Release): boolean => release.artifacts.some((artifact) => artifact.signature?.trusted === false);
