// A form that begins a session: it sends what is wanted once, shows why not, and leads to the text.

import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import type { NewSession } from "../protocol/api";
import { useApp } from "./context";

interface Props {
  wanted: () => NewSession;
  /** What the button says, and what it says meanwhile. */
  words: [string, string];
  close: () => void;
  children: ComponentChildren;
  /** Further buttons. */
  buttons?: ComponentChildren;
}

export function CreateForm({ wanted, words: [word, meanwhile], close, children, buttons }: Props) {
  const app = useApp();
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<string | null>(null);
  const submit = async (event: Event) => {
    event.preventDefault();
    // The button stays enabled: disabled, it would lose the focus.
    if (busy) return;
    setBusy(true);
    const failed = await app.create(wanted());
    setBusy(false);
    if (failed) return setProblem(failed);
    close();
    requestAnimationFrame(() => document.getElementById("composer")?.focus());
  };
  return (
    <form onSubmit={submit}>
      {children}
      {problem && (
        <p class="problem" role="alert">
          {problem}
        </p>
      )}
      <div class="actions">
        <button type="submit" class="primary">
          {busy ? meanwhile : word}
        </button>
        {buttons}
      </div>
    </form>
  );
}
