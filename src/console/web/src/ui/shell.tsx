// The page: sign-in, or the sessions beside the open one.

import { useStore } from "../state/store";
import { AppContext } from "./context";
import type { App } from "../state/app";
import { ConversationView } from "./conversation";
import { Dialog } from "./dialog";
import { Sidebar } from "./sidebar";
import { SignInForm } from "./sign_in";
import { useEffect } from "preact/hooks";

export function Shell({ app }: { app: App }) {
  const auth = useStore(app.auth);
  const open = useStore(app.open);
  const announcement = useStore(app.announcement);
  useEffect(() => {
    if (!open) document.title = "agent-webkit";
  }, [open]);
  return (
    <AppContext.Provider value={app}>
      {auth.kind === "checking" ? null : auth.kind === "out" && !open ? (
        <main class="front">
          <img src="console/icon.svg" alt="" width="44" height="44" />
          <h1>agent-webkit</h1>
          <p class="faint">
            Sign in with a token of this server. It is only sent to this server, and forgotten when the page closes.
          </p>
          <SignInForm why={auth.why} busy={auth.busy} />
        </main>
      ) : (
        <div class={open ? "shell with-session" : "shell"}>
          <Sidebar />
          {open ? (
            <ConversationView key={open.id} session={open} />
          ) : (
            <main class="blank" aria-label="Conversation">
              <h1>No session is open</h1>
              <p class="faint">Choose one from the list, or begin a new one.</p>
              <button type="button" class="primary" onClick={() => app.creating.set(true)}>
                New session
              </button>
            </main>
          )}
          {auth.kind === "out" && (
            <Dialog title="Sign in again" close={() => app.signOut()}>
              <p>What you have written is kept.</p>
              <SignInForm why={auth.why} busy={auth.busy} />
            </Dialog>
          )}
        </div>
      )}
      <div class="hidden" role="status" aria-live="polite">
        {announcement}
      </div>
    </AppContext.Provider>
  );
}
