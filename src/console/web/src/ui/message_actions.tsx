// What can be done with a message that was sent: begin a fork after it, put the files back as they were before it, or, while
// it waits, cancel it.

import { useState } from "preact/hooks";
import type { UserMessage } from "../state/conversation";
import { useSession } from "./context";
import { ForkDialog } from "./fork_dialog";
import { Icon } from "./icons";
import { RewindDialog } from "./rewind_dialog";

/** A message without an id of its own is named by its number, which the server does not know. */
const isKnown = (message: UserMessage) => message.id !== String(message.seq);

export function MessageActions({ message }: { message: UserMessage }) {
  const session = useSession();
  const [dialog, setDialog] = useState<"fork" | "rewind" | null>(null);
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<string | null>(null);
  if (!isKnown(message)) return null;
  const cancel = async () => {
    setBusy(true);
    setProblem(await session.send({ type: "cancel_message", message_uuid: message.id }));
    setBusy(false);
    document.getElementById("composer")?.focus();
  };
  const close = () => setDialog(null);
  return (
    <>
      {message.state === "queued" && (
        <div class="actions">
          <button type="button" class="small" disabled={busy} onClick={cancel}>
            Cancel<span class="hidden"> this message</span>
          </button>
        </div>
      )}
      {message.state === "sent" && (
        <div class="message-actions">
          <button type="button" class="quiet small" onClick={() => setDialog("fork")}>
            <Icon name="fork" />
            Fork<span class="hidden"> the session after this message's turn</span>
          </button>
          <button type="button" class="quiet small" onClick={() => setDialog("rewind")}>
            <Icon name="rewind" />
            Rewind<span class="hidden"> the files to before this message</span>
          </button>
        </div>
      )}
      {problem && (
        <p class="problem" role="alert">
          {problem}
        </p>
      )}
      {dialog === "fork" && <ForkDialog after={message} close={close} />}
      {dialog === "rewind" && <RewindDialog message={message} close={close} />}
    </>
  );
}
