// The permission modes, and the choice of the model.

import { useState } from "preact/hooks";
import { Dialog } from "./dialog";
import { useSession } from "./context";
import { useLook } from "./looks";

export const MODES: [string, string][] = [
  ["default", "Ask before changes"],
  ["acceptEdits", "Accept edits"],
  ["plan", "Plan only"],
  ["auto", "Ask when risky"],
  ["dontAsk", "Never ask, rules only"],
  ["bypassPermissions", "Never ask, allow all"],
];

export function ModelDialog({ current, close }: { current: string; close: () => void }) {
  const session = useSession();
  const known = useLook("models", null);
  const [name, setName] = useState(current);
  const [problem, setProblem] = useState<string | null>(null);
  const use = async (model: string | null) => {
    const failed = await session.send({ type: "set_model", model });
    if (failed) setProblem(failed);
    else close();
  };
  return (
    <Dialog title="Model" close={close}>
      <form onSubmit={(event) => (event.preventDefault(), void use(name.trim() || null))}>
        {known.kind === "found" && (
          <ul class="choices" aria-label="Models that the agent knows">
            {known.value.map((model) => (
              <li key={model.value}>
                <button
                  type="button"
                  class="small"
                  aria-pressed={model.value === (current || "default")}
                  onClick={() => void use(model.value === "default" ? null : model.value)}
                >
                  {model.displayName ?? model.value}
                </button>
              </li>
            ))}
          </ul>
        )}
        <label class="field">
          <span>Name of the model; empty for the agent's default. It answers from the next message on.</span>
          <input
            type="text"
            value={name}
            list="models"
            autocomplete="off"
            onInput={(event) => setName(event.currentTarget.value)}
          />
        </label>
        <ModelNames />
        {problem && (
          <p class="problem" role="alert">
            {problem}
          </p>
        )}
        <div class="actions">
          <button type="submit" class="primary">
            Use it
          </button>
        </div>
      </form>
    </Dialog>
  );
}

/** Names that every version of the CLI knows. */
export function ModelNames() {
  return (
    <datalist id="models">
      <option value="opus" />
      <option value="sonnet" />
      <option value="haiku" />
    </datalist>
  );
}
