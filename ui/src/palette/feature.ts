/** What the command palette does beyond the screens themselves. */
import type { Feature } from "../app/feature";
import { leave } from "../app/session";
import { attempt } from "../app/toasts";

export const palette: Feature = {
  screens: [],
  commands: [
    { title: "Sign out", icon: "signout", words: "log out leave", run: () => void attempt(() => leave()) },
    { title: "Sign out everywhere", icon: "signout", words: "log out leave sessions stolen", run: () => void attempt(() => leave(true)) },
  ],
};
