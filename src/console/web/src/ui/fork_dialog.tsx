// Begins a session as a copy of this one.

import { useState } from "preact/hooks";
import type { UserMessage } from "../state/conversation";
import { firstLine, textOf } from "../text/plain";
import { useSession } from "./context";
import { CreateForm } from "./create_form";
import { Dialog } from "./dialog";

export function ForkDialog({ after, close }: { after?: UserMessage; close: () => void }) {
  const session = useSession();
  const [title, setTitle] = useState("");
  const wanted = () => ({
    fork_of: { session_id: session.id, ...(after && { after_message_uuid: after.id }) },
    ...(title.trim() && { title: title.trim() }),
  });
  const cancel = (
    <button type="button" onClick={close}>
      Cancel
    </button>
  );
  return (
    <Dialog title="Fork this session" close={close}>
      <CreateForm wanted={wanted} words={["Fork", "Forking…"]} close={close} buttons={cancel}>
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
      </CreateForm>
    </Dialog>
  );
}
