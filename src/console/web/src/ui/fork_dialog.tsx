// Begins a session as a copy of this one.

import { useState } from "preact/hooks";
import type { UserMessage } from "../state/conversation";
import { firstLine, textOf } from "../text/plain";
import { useApp, useSession } from "./context";
import { Dialog } from "./dialog";

export function ForkDialog({ after, close }: { after?: UserMessage; close: () => void }) {
  const app = useApp();
  const session = useSession();
  const [title, setTitle] = useState("");
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<string | null>(null);
  const submit = async (event: Event) => {
    event.preventDefault();
    setBusy(true);
    const failed = await app.create({
      fork_of: { session_id: session.id, ...(after && { after_message_uuid: after.id }) },
      ...(title.trim() && { title: title.trim() }),
    });
    setBusy(false);
    if (failed) return setProblem(failed);
    close();
    requestAnimationFrame(() => document.getElementById("composer")?.focus());
  };
  return (
    <Dialog title="Fork this session" close={close}>
      <form onSubmit={submit}>
        <p>
          {after
            ? `A new session begins with a copy of this conversation, up to and with the turn of “${firstLine(textOf(after.content), 80)}”.`
            : "A new session begins with a copy of this conversation, up to the last turn that has ended."}{" "}
          Both work on the same files.
        </p>
        <label class="field">
          <span>Title (optional)</span>
          <input
            type="text"
            value={title}
            maxLength={200}
            autocomplete="off"
            placeholder={session.description.get()?.title ?? ""}
            onInput={(event) => setTitle(event.currentTarget.value)}
          />
        </label>
        {problem && (
          <p class="problem" role="alert">
            {problem}
          </p>
        )}
        <div class="actions">
          <button type="submit" class="primary" disabled={busy}>
            {busy ? "Forking…" : "Fork"}
          </button>
          <button type="button" onClick={close}>
            Cancel
          </button>
        </div>
      </form>
    </Dialog>
  );
}
