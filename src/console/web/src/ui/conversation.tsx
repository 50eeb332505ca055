// An open session: its head, its conversation, what the agent asks, and where the user writes.

import { useEffect, useRef, useState } from "preact/hooks";
import type { Connection } from "../protocol/follow";
import type { Conversation } from "../state/conversation";
import type { OpenSession } from "../state/session";
import { useStore } from "../state/store";
import { firstLine } from "../text/plain";
import { Composer, draftOf } from "./composer";
import { SessionContext, useApp } from "./context";
import { Details } from "./details";
import { Head } from "./head";
import { Log } from "./log";
import { Prompts } from "./prompts";
import { TodoStrip } from "./todo_list";

export function ConversationView({ session }: { session: OpenSession }) {
  const app = useApp();
  const conversation = useStore(session.conversation);
  const connection = useStore(session.connection);
  const description = useStore(session.description);
  const [details, setDetails] = useState(false);
  const cwd = description?.cwd;
  const running = conversation.running;
  const over = connection.kind === "ended" || conversation.ended;

  useAnnouncements(conversation);
  useEffect(() => {
    const name = description?.title ?? "New session";
    document.title = `${conversation.prompts.length > 0 ? "● " : running ? "… " : ""}${name} · agent-webkit`;
  }, [description?.title, running, conversation.prompts.length]);
  useEffect(() => {
    const keys = (event: KeyboardEvent) => {
      if (!(event.ctrlKey || event.metaKey) || event.key !== "j") return;
      event.preventDefault();
      (document.getElementById("prompt") ?? document.getElementById("composer"))?.focus();
    };
    window.addEventListener("keydown", keys);
    return () => window.removeEventListener("keydown", keys);
  }, []);

  if (connection.kind === "gone" || connection.kind === "forbidden")
    return <Unavailable session={session} connection={connection} back={() => app.show(null)} />;
  const tasks = [...conversation.tasks.values()].filter((task) => task.status === "running").length;
  return (
    <SessionContext.Provider value={session}>
      <main class="conversation" aria-label="Conversation">
        <Head
          description={description}
          conversation={conversation}
          connection={connection}
          details={() => setDetails(true)}
        />
        <Banner connection={connection} />
        <Log session={session} conversation={conversation} cwd={cwd} />
        <div class="foot">
          {tasks > 0 && (
            <button type="button" class="quiet small tasks-running" onClick={() => setDetails(true)}>
              {tasks === 1 ? "1 background task runs" : `${tasks} background tasks run`}
            </button>
          )}
          {conversation.todos.length > 0 && <TodoStrip todos={conversation.todos} />}
          <Prompts prompts={conversation.prompts} cwd={cwd} />
          {over ? (
            <p class="note info">This session has ended. Start a new one to go on.</p>
          ) : (
            <Composer running={running} disabled={false} asking={conversation.prompts.length > 0} />
          )}
        </div>
        {details && <Details session={session} close={() => setDetails(false)} />}
      </main>
    </SessionContext.Provider>
  );
}

function Banner({ connection }: { connection: Connection }) {
  const [now, setNow] = useState(Date.now());
  const offline = connection.kind === "offline";
  useEffect(() => {
    if (!offline) return;
    const timer = setInterval(() => setNow(Date.now()), 500);
    return () => clearInterval(timer);
  }, [offline]);
  if (!offline) return null;
  const seconds = Math.ceil((connection.retryAt - now) / 1000);
  return (
    <div class="banner" role="status">
      <span>
        <strong>Offline.</strong> {connection.why} What you write is kept and sent once.
      </span>
      <span class="faint" aria-hidden="true">
        {seconds > 0 ? `Next try in ${seconds} s` : "Trying…"}
      </span>
      <button type="button" class="small" onClick={() => window.dispatchEvent(new Event("online"))}>
        Try now
      </button>
    </div>
  );
}

function Unavailable({
  session,
  connection,
  back,
}: {
  session: OpenSession;
  connection: Connection;
  back: () => void;
}) {
  const draft = draftOf(session.id);
  const outgoing = useStore(session.outbox.store);
  const kept = [draft, ...outgoing.map(({ content }) => (typeof content === "string" ? content : ""))]
    .filter(Boolean)
    .join("\n\n");
  return (
    <main class="blank" aria-label="Conversation">
      <h1>{connection.kind === "gone" ? "This session is gone" : "This session can't be read"}</h1>
      <p>
        {connection.kind === "gone"
          ? "It was deleted, here or elsewhere, or it never was. Its conversation is no longer on the server."
          : connection.kind === "forbidden" && connection.why}
      </p>
      {kept && (
        <label class="field">
          <span>What you had written and not sent</span>
          <textarea readOnly rows={4} value={kept} />
        </label>
      )}
      <button type="button" class="primary" onClick={back}>
        Back to the sessions
      </button>
    </main>
  );
}

/** Tells screen readers what happens, without reading each word of the stream to them. */
function useAnnouncements(conversation: Conversation): void {
  const app = useApp();
  const turns = useRef<number | null>(null);
  useEffect(() => {
    if (!conversation.caughtUp) return;
    if (turns.current !== null && conversation.turns.length > turns.current) {
      const turn = conversation.turns[conversation.turns.length - 1]!;
      app.announce(
        turn.failed ? "The turn ended early." : `The agent has finished. ${firstLine(turn.text ?? "", 200)}`,
      );
    }
    turns.current = conversation.turns.length;
  }, [conversation.turns.length, conversation.caughtUp]);
}
