// The head of a session: its title and state, the model and the mode.

import { useState } from "preact/hooks";
import type { Connection } from "../protocol/follow";
import type { SessionDescription } from "../protocol/types";
import type { Conversation } from "../state/conversation";
import { dollars } from "../text/plain";
import { useApp, useSession } from "./context";
import { Dialog } from "./dialog";
import { ForkDialog } from "./fork_dialog";
import { Icon } from "./icons";
import { ModelDialog, MODES } from "./models";

interface Props {
  description: SessionDescription | null;
  conversation: Conversation;
  connection: Connection;
  details: () => void;
}

export function Head({ description, conversation, connection, details }: Props) {
  const app = useApp();
  const session = useSession();
  const [problem, setProblem] = useState<string | null>(null);
  const [models, setModels] = useState(false);
  const [forking, setForking] = useState(false);
  const [deleting, setDeleting] = useState(false);
  const mode = description?.permission_mode ?? "";
  const budget = description?.budget_usd === undefined ? "" : ` of ${dollars(description.budget_usd)}`;
  const known = MODES.some(([name]) => name === mode);
  return (
    <>
      <header class="head">
        <button type="button" class="quiet square back" aria-label="All sessions" onClick={() => app.show(null)}>
          <Icon name="back" />
        </button>
        <div class="head-title">
          <h1>{description?.title ?? "New session"}</h1>
          <p class="faint">
            <State conversation={conversation} connection={connection} />
            {description && <span class="head-cwd">{description.cwd}</span>}
          </p>
        </div>
        <div class="head-tools">
          <select
            aria-label="Permission mode"
            value={mode}
            onChange={async (event) => {
              const wanted = event.currentTarget.value;
              event.currentTarget.value = mode;
              if (wanted) setProblem(await session.send({ type: "set_permission_mode", mode: wanted }));
            }}
          >
            {!known && <option value={mode}>{mode || "Agent's default mode"}</option>}
            {MODES.map(([name, text]) => (
              <option key={name} value={name}>
                {text}
              </option>
            ))}
          </select>
          <button type="button" class="model" onClick={() => setModels(true)}>
            {description?.model ?? "Default model"}
          </button>
          <button
            type="button"
            class="cost"
            onClick={details}
            aria-label={`Details. Cost so far ${dollars(conversation.cost)}${budget}`}
          >
            {dollars(conversation.cost)}
            {budget && <span class="faint">{budget}</span>}
          </button>
        </div>
        <div class="head-actions">
          <button type="button" class="quiet square" aria-label="Fork this session" onClick={() => setForking(true)}>
            <Icon name="fork" />
          </button>
          <button type="button" class="quiet square" aria-label="Delete this session" onClick={() => setDeleting(true)}>
            <Icon name="trash" />
          </button>
        </div>
      </header>
      {problem && (
        <div class="banner bad" role="alert">
          <span>{problem}</span>
          <button type="button" class="small" onClick={() => setProblem(null)}>
            Dismiss
          </button>
        </div>
      )}
      {models && <ModelDialog current={description?.model ?? ""} close={() => setModels(false)} />}
      {forking && <ForkDialog close={() => setForking(false)} />}
      {deleting && <DeleteDialog title={description?.title ?? "New session"} close={() => setDeleting(false)} />}
    </>
  );
}

function State({ conversation, connection }: { conversation: Conversation; connection: Connection }) {
  const [tone, text] = stateOf(conversation, connection);
  return (
    <span class={`state ${tone}`} data-state={tone}>
      {text}
    </span>
  );
}

function stateOf(conversation: Conversation, connection: Connection): [string, string] {
  if (connection.kind === "ended" || conversation.ended) return ["idle", "Ended"];
  if (connection.kind === "offline") return ["offline", "Offline"];
  if (connection.kind === "unauthorized") return ["offline", "Signed out"];
  if (connection.kind === "connecting" || !conversation.caughtUp) return ["connecting", "Connecting"];
  if (conversation.prompts.length > 0) return ["asks", "Asks you"];
  if (conversation.running) return ["running", "Works"];
  return ["idle", conversation.asleep ? "Asleep" : "Ready"];
}

function DeleteDialog({ title, close }: { title: string; close: () => void }) {
  const app = useApp();
  const session = useSession();
  const [problem, setProblem] = useState<string | null>(null);
  const remove = async () => {
    const failed = await app.remove(session.id);
    if (failed) setProblem(failed);
    else close();
  };
  return (
    <Dialog title="Delete this session?" close={close}>
      <p>
        “{title}” ends at once, for everybody who watches it, and its conversation is removed from the server. The files
        that the agent has changed stay as they are.
      </p>
      {problem && (
        <p class="problem" role="alert">
          {problem}
        </p>
      )}
      <div class="actions">
        <button type="button" class="primary danger" onClick={remove}>
          Delete
        </button>
        <button type="button" onClick={close}>
          Keep it
        </button>
      </div>
    </Dialog>
  );
}
