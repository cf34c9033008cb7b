/** What a report says, in words. */
import { format } from "../app/format";

/** Seconds as people read them, or a dash while too few devices are done. */
export const timeTo = (seconds: number | undefined): string => (seconds === undefined ? "–" : format.duration(seconds));

/** The cursor of the next part, in the header Link of an answer. */
export function linkedCursor(link: string | null): string | undefined {
  const [, target] = /<([^>]*)>; rel="next"/.exec(link ?? "") ?? [];
  return target === undefined ? undefined : (new URL(target, "https://server").searchParams.get("cursor") ?? undefined);
}
