/** The whole page: the sign-in, or the frame with the current screen in it. */
import { type ComponentType } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { ErrorState } from "../parts/feedback";
import { Toasts } from "../parts/overlay";
import { SignIn, SignInAgain } from "../signin/SignIn";
import type { Screen } from "./feature";
import { NotFound, NotInPlan } from "./NotFound";
import { params, place } from "./router";
import { allowed, screenAt } from "./screens";
import { can, failure, start, state } from "./session";
import { Shell } from "./Shell";
import { said, title } from "./title";

export function App() {
  const found = screenAt(place.value.path);
  params.value = found?.params ?? {};
  return (
    <>
      <Content screen={found?.screen} />
      <Toasts />
      <div class="seen-by-readers" role="status" aria-live="polite">
        {said.value}
      </div>
    </>
  );
}

function Content({ screen }: { screen: Screen | undefined }) {
  if (screen?.open) return <Loading screen={screen} />;
  switch (state.value) {
    case "starting":
      return <div class="starting" role="status" aria-label="Loading" />;
    case "failed":
      return (
        <main class="starting">
          <ErrorState error={failure.value} title="The console could not start" onRetry={start} />
        </main>
      );
    case "out":
      return <SignIn />;
    default:
      return (
        <>
          <Shell>
            {!screen ? (
              <NotFound />
            ) : !allowed(screen) ? (
              <NotInPlan missing={screen.needs && !can(screen.needs) ? "right" : "feature"} />
            ) : (
              <Loading screen={screen} />
            )}
          </Shell>
          {state.value === "lost" && <SignInAgain />}
        </>
      );
  }
}

const loaded = new Map<Screen["load"], ComponentType>();

/** The screen's code, fetched when it is first gone to. */
function Loading({ screen }: { screen: Screen }) {
  const [, redraw] = useState(0);
  const [failed, setFailed] = useState<unknown>();
  const Body = loaded.get(screen.load);
  const path = place.value.path;
  const came = useRef(path);

  useEffect(() => {
    title.value = screen.title;
    setFailed(undefined);
    if (loaded.has(screen.load)) return;
    let gone = false;
    screen
      .load()
      .then((module) => {
        loaded.set(screen.load, module.default);
        if (!gone) redraw((count) => count + 1);
      })
      .catch((error: unknown) => !gone && setFailed(error));
    return () => void (gone = true);
  }, [screen]);

  // After navigation the new screen begins at its top, and readers of screens are taken to its title, or its first field.
  useEffect(() => {
    if (!Body || came.current === path) return;
    came.current = path;
    const within = document.activeElement?.closest("main, dialog");
    globalThis.scrollTo(0, 0);
    if (!within?.matches("dialog") && !document.activeElement?.matches("[autofocus]")) document.getElementById("content")?.focus({ preventScroll: true });
  }, [path, Body]);

  if (failed) {
    return (
      <ErrorState
        error={new Error("A part of the console could not be loaded. The server may have been updated: reload the page.")}
        title="This screen could not be loaded"
        onRetry={() => location.reload()}
      />
    );
  }
  return Body ? <Body key={screen.path} /> : <div class="starting" role="status" aria-label="Loading" />;
}
