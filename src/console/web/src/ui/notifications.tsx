// The setting of notifications on this device.

import { useStore } from "../state/store";
import type { Wanted } from "../state/notifier";
import { useApp } from "./context";
import { Dialog } from "./dialog";

export function Notifications({ close }: { close: () => void }) {
  const app = useApp();
  const auth = useStore(app.auth);
  const state = useStore(app.notifier.state);
  const wanted = useStore(app.notifier.wanted);
  const api = auth.kind === "in" ? auth.api : null;
  const problem = state.kind === "never" ? state.why : state.problem;
  const toggle = (on: boolean) => {
    if (!api || state.kind === "never" || state.busy) return;
    void (on ? app.notifier.turnOn(api) : app.notifier.turnOff(api));
  };
  return (
    <Dialog title="Notifications" close={close}>
      <p>
        This device can show what an agent asks, and when a turn has ended or something went wrong, also while this page
        is closed. A tap opens the session. The browser's push service carries it, encrypted.
      </p>
      <label class="check">
        <input
          type="checkbox"
          checked={state.kind === "on"}
          disabled={state.kind === "never"}
          aria-busy={state.kind !== "never" && state.busy}
          onChange={(event) => {
            const { checked } = event.currentTarget;
            // What is shown is what holds, not what was clicked.
            event.currentTarget.checked = state.kind === "on";
            toggle(checked);
          }}
        />
        <span>Notify this device</span>
      </label>
      {state.kind !== "never" && (
        <label class="field">
          <span>Of</span>
          <select
            value={wanted}
            onChange={(event) => api && void app.notifier.choose(api, event.currentTarget.value as Wanted)}
          >
            <option value="all">Prompts, results and errors</option>
            <option value="prompts">Prompts only</option>
          </select>
        </label>
      )}
      <div aria-live="polite">
        {state.kind === "on" && !state.busy && !problem && <p class="faint">Notifications are on.</p>}
        {problem && <p class={state.kind === "never" ? "faint" : "problem"}>{problem}</p>}
      </div>
    </Dialog>
  );
}
