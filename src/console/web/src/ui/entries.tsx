// The entries of a conversation, or of a sub-agent's part of it.

import { Component } from "preact";
import { useState } from "preact/hooks";
import type { Block, Conversation, Entry, Message, Turn, UserMessage } from "../state/conversation";
import type { UserContent } from "../protocol/types";
import { dollars, duration, firstLine, shortPath, textOf } from "../text/plain";
import { Icon } from "./icons";
import { Markdown } from "./markdown";
import { memo } from "./memo";
import { MessageActions } from "./message_actions";
import { Picture, ToolCard } from "./tool_card";

interface Props {
  entries: Entry[];
  conversation: Conversation;
  cwd: string | undefined;
}

export function Entries({ entries, conversation, cwd }: Props) {
  const asking = new Set(conversation.prompts.map((prompt) => prompt.id));
  return (
    <>
      {entries.map((entry) => {
        switch (entry.kind) {
          case "user":
            return <UserEntry key={`u-${entry.id}`} message={conversation.users.get(entry.id)!} />;
          case "message": {
            const message = conversation.messages.get(entry.id);
            return (
              message && (
                <MessageEntry
                  key={`m-${entry.id}`}
                  message={message}
                  conversation={conversation}
                  asking={asking}
                  cwd={cwd}
                />
              )
            );
          }
          case "note":
            return <Note key={entry.id} tone={entry.tone} text={entry.text} />;
          case "rewound":
            return (
              <FilesRewound
                key={entry.id}
                files={entry.files}
                about={conversation.users.get(entry.message)}
                cwd={cwd}
              />
            );
          case "result":
            return <Result key={entry.id} turn={entry.turn} />;
        }
      })}
    </>
  );
}

export const UserEntry = memo(({ message }: { message: UserMessage }) => (
  <article class={`entry user ${message.state}`} aria-label="You">
    <div class="bubble">
      <Said content={message.content} />
      {message.state === "withdrawn" && <p class="faint">Not run: it could not be stored in time.</p>}
      {message.state === "cancelled" && <p class="faint">Cancelled before it ran.</p>}
      {message.state === "queued" && <p class="faint">Queued until the running turn has ended.</p>}
    </div>
    <MessageActions message={message} />
  </article>
));

/** Above this a message is shown in part: somebody has pasted a file. */
const LONG = 1500;

function Words({ text }: { text: string }) {
  const [all, setAll] = useState(text.length <= LONG);
  if (all) return <p class="said">{text}</p>;
  return (
    <>
      <p class="said">{text.slice(0, LONG - 300)}…</p>
      <button type="button" class="quiet small" onClick={() => setAll(true)}>
        Show the whole message
      </button>
    </>
  );
}

export function Said({ content }: { content: UserContent }) {
  if (typeof content === "string") return <Words text={content} />;
  if (!Array.isArray(content)) return <p class="faint">A message that this page can't show.</p>;
  return (
    <>
      {content.map((block, at) =>
        block.type === "text" ? (
          <Words key={at} text={block.text} />
        ) : (
          <Picture
            key={at}
            media={block.source?.media_type ?? ""}
            data={block.source?.data ?? ""}
            alt="Image that you sent"
          />
        ),
      )}
    </>
  );
}

interface MessageProps {
  message: Message;
  conversation: Conversation;
  asking: Set<string>;
  cwd: string | undefined;
}

/** Drawn again only when the message or one of its calls changes: a long conversation has thousands of these. */
class MessageEntry extends Component<MessageProps> {
  override shouldComponentUpdate(next: MessageProps): boolean {
    const now = this.props;
    if (now.message !== next.message || now.cwd !== next.cwd) return true;
    return next.message.blocks.some((block) => {
      if (block.type !== "tool") return false;
      const [before, after] = [now.conversation.tools.get(block.id), next.conversation.tools.get(block.id)];
      if (before !== after || (after && after.children.length > 0)) return true;
      if (now.asking.has(block.id) !== next.asking.has(block.id)) return true;
      return now.conversation.settled.get(block.id) !== next.conversation.settled.get(block.id);
    });
  }

  override render({ message, conversation, asking, cwd }: MessageProps) {
    if (message.blocks.length === 0) return null;
    const grows = message.writing && message.open;
    return (
      <article class="entry agent" aria-label="Agent" aria-busy={grows}>
        {message.blocks.map((block, at) => {
          if (block.type !== "tool")
            return <TextBlock key={at} block={block} growing={grows && at === message.blocks.length - 1} />;
          const tool = conversation.tools.get(block.id);
          if (!tool) return null;
          const nested = tool.children.length > 0 ? conversation : null;
          return (
            <ToolCard
              key={block.id}
              tool={tool}
              asks={asking.has(block.id)}
              settled={conversation.settled.get(block.id)}
              cwd={cwd}
              conversation={nested}
            />
          );
        })}
      </article>
    );
  }
}

const TextBlock = memo(({ block, growing }: { block: Exclude<Block, { type: "tool" }>; growing: boolean }) => {
  switch (block.type) {
    case "text":
      return block.text.trim() ? (
        <div class={growing ? "text growing" : "text"}>
          <Markdown source={block.text} growing={growing} />
        </div>
      ) : null;
    case "thinking":
      return block.text.trim() ? (
        <details class="thinking">
          <summary>
            <Icon name="chevron" />
            <span>{growing ? "Thinking" : "Thought"}</span>
            <span class="tool-about">{firstLine(block.text, 90)}</span>
          </summary>
          <Markdown source={block.text} />
        </details>
      ) : null;
    default:
      return (
        <details class="thinking">
          <summary>
            <Icon name="chevron" />
            <span>A block that this page does not know</span>
          </summary>
          <pre class="plain">{JSON.stringify(block.value, null, 2)}</pre>
        </details>
      );
  }
});

export const Note = memo(({ tone, text }: { tone: string; text: string }) => <p class={`note ${tone}`}>{text}</p>);

const FilesRewound = memo(
  ({ files, about, cwd }: { files: string[]; about: UserMessage | undefined; cwd: string | undefined }) => (
    <div class="note info">
      <p>
        {files.length === 1 ? "One file was" : `${files.length} files were`} put back as before{" "}
        {about ? `“${firstLine(textOf(about.content), 60)}”` : "an earlier message"}:
      </p>
      <p>
        {files.map((file) => (
          <code key={file}>{shortPath(file, cwd)} </code>
        ))}
      </p>
    </div>
  ),
);

const Result = memo(({ turn }: { turn: Turn }) => {
  const parts = [dollars(turn.cost)];
  if (turn.milliseconds !== undefined) parts.push(duration(turn.milliseconds));
  const about = REASONS[turn.subtype] ?? turn.subtype.replace(/_/g, " ");
  return (
    <div class={turn.failed ? "turn-end failed" : "turn-end"}>
      {turn.failed && (
        <span>{turn.subtype === "success" ? "The turn failed." : `The turn ended early: ${about}.`}</span>
      )}
      <span class="faint">{parts.join(" · ")}</span>
    </div>
  );
});

const REASONS: Record<string, string> = {
  error_during_execution: "it was stopped",
  error_max_turns: "it took too many steps",
  error_max_budget_usd: "its budget is used up",
};
