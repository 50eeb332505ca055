// The conversation itself, which stays at its end while somebody reads there.

import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import type { Conversation } from "../state/conversation";
import { arrived, type Outgoing } from "../state/outbox";
import type { OpenSession } from "../state/session";
import { useStore } from "../state/store";
import { Entries, Said, UserEntry } from "./entries";
import { Icon } from "./icons";

/** Pixels from the end that still count as the end. */
const NEAR = 80;

export function Log({
  session,
  conversation,
  cwd,
}: {
  session: OpenSession;
  conversation: Conversation;
  cwd: string | undefined;
}) {
  const outgoing = useStore(session.outbox.store);
  const log = useRef<HTMLDivElement>(null);
  const inner = useRef<HTMLDivElement>(null);
  const pinned = useRef(true);
  const [away, setAway] = useState(false);
  const toEnd = () => log.current?.scrollTo({ top: log.current.scrollHeight });

  const written = useRef(outgoing.length);
  useLayoutEffect(() => {
    // Whoever sends a message wants to see what becomes of it.
    if (outgoing.length > written.current) pinned.current = true;
    written.current = outgoing.length;
    if (pinned.current) toEnd();
  }, [conversation, outgoing]);
  useEffect(() => {
    // Pictures and late layout change the height without an event.
    const sizes = new ResizeObserver(() => pinned.current && toEnd());
    sizes.observe(inner.current!);
    sizes.observe(log.current!);
    return () => sizes.disconnect();
  }, []);

  const back = arrived(outgoing, conversation);
  const underway = outgoing.filter((message) => !back.has(message.key));
  const blank = conversation.caughtUp && conversation.entries.length === 0 && underway.length === 0;
  return (
    <div class="log-frame">
      <div
        ref={log}
        class="log"
        role="log"
        aria-label="Messages"
        aria-live="off"
        tabIndex={0}
        onScroll={(event) => {
          // Not of the ref: the scrolling is told a frame later, when the log may be gone.
          const { scrollHeight, scrollTop, clientHeight } = event.currentTarget;
          pinned.current = scrollHeight - scrollTop - clientHeight < NEAR;
          setAway(!pinned.current);
        }}
      >
        <div ref={inner} class="log-inner">
          {blank && <Welcome cwd={cwd} />}
          <Entries entries={conversation.entries} conversation={conversation} cwd={cwd} />
          {conversation.running && <Activity conversation={conversation} />}
          {conversation.queue.map((id) => (
            <UserEntry key={id} message={conversation.users.get(id)!} />
          ))}
          {underway.map((message) => (
            <Underway key={message.key} message={message} session={session} />
          ))}
        </div>
      </div>
      {away && (
        <button
          type="button"
          class="to-end"
          onClick={() => {
            pinned.current = true;
            toEnd();
          }}
        >
          <Icon name="down" />
          Newest
        </button>
      )}
    </div>
  );
}

function Welcome({ cwd }: { cwd: string | undefined }) {
  return (
    <div class="welcome">
      <h2>What should be done?</h2>
      <p class="faint">
        The agent works in <code>{cwd ?? "its directory"}</code>.
      </p>
    </div>
  );
}

function Activity({ conversation }: { conversation: Conversation }) {
  const waits = conversation.prompts.length > 0;
  return (
    <p class={waits ? "activity waits" : "activity"}>
      <span class="dots" aria-hidden="true">
        <i />
        <i />
        <i />
      </span>
      {conversation.activity ?? (waits ? "Waits for your answer" : "Works")}
    </p>
  );
}

const STATES: Record<Outgoing["state"], string> = {
  sending: "Sending…",
  waiting: "Not sent yet.",
  accepted: "Sent.",
  failed: "Not sent.",
};

function Underway({ message, session }: { message: Outgoing; session: OpenSession }) {
  const failed = message.state === "failed";
  return (
    <article class={`entry user underway ${message.state}`} aria-label="You, not yet confirmed">
      <div class="bubble">
        <Said content={message.content} />
        <p class={failed ? "problem" : "faint"} role={failed ? "alert" : undefined}>
          {STATES[message.state]} {message.why}
        </p>
      </div>
      {(failed || message.state === "waiting") && (
        <div class="actions">
          {typeof message.content === "string" && (
            <button
              type="button"
              class="small"
              onClick={() => {
                session.writeAgain.set(message.content as string);
                session.outbox.remove(message.key);
              }}
            >
              Edit
            </button>
          )}
          <button type="button" class="small" onClick={() => session.outbox.remove(message.key)}>
            Discard
          </button>
        </div>
      )}
    </article>
  );
}
