/** The frame of pages without a session: a lamp, a title, a form. */
import type { ComponentChildren } from "preact";
import { useTitle } from "../app/title";
import { Mark } from "../parts/icons";

export function Frame({ title, lead, children, foot }: { title: string; lead?: ComponentChildren; children?: ComponentChildren; foot?: ComponentChildren }) {
  useTitle(title);
  return (
    <main class="entrance" id="content" tabIndex={-1}>
      <div class="entrance__card">
        <div class="entrance__mark">
          <Mark size={44} />
        </div>
        <h1>{title}</h1>
        {lead && <p class="entrance__lead">{lead}</p>}
        {children}
        {foot && <div class="entrance__foot">{foot}</div>}
      </div>
    </main>
  );
}
