// A chat with the hook of this example.

import { StrictMode, useState, type FormEvent } from "react";
import { createRoot } from "react-dom/client";
import { useSession, type Item, type Prompt, type UseSession } from "../src/index";
import { SignIn, type ChatProps } from "./sign_in";

function Chat(props: ChatProps) {
  const session = useSession(props);
  const [text, setText] = useState("");
  const send = (event: FormEvent) => {
    event.preventDefault();
    if (text.trim()) session.send(text.trim());
    setText("");
  };
  return (
    <main>
      <h1>Chat</h1>
      <p role="status">{stateOf(session)}</p>
      <ol aria-label="Messages">
        {session.items.map((item) => (
          <Entry key={`${item.kind} ${item.id}`} item={item} />
        ))}
        {session.outgoing.map((message) => (
          <li key={message.id} className="user outgoing">
            <p>{message.text}</p>
            <small>{message.refused ? `Not sent: ${message.refused}` : "Not sent yet."}</small>
            {message.refused && <button onClick={() => session.discard(message.id)}>Discard</button>}
          </li>
        ))}
      </ol>
      {session.prompts.map((prompt) => (
        <Ask key={prompt.id} prompt={prompt} session={session} />
      ))}
      {!session.ended && (
        <form onSubmit={send}>
          <input aria-label="Message" value={text} onChange={(event) => setText(event.target.value)} />
          <button>Send</button>
          {session.running && (
            <button type="button" onClick={() => void session.interrupt()}>
              Stop
            </button>
          )}
        </form>
      )}
    </main>
  );
}

function stateOf({ connection, ended, prompts, running }: UseSession): string {
  if (ended) return "This session has ended.";
  if (typeof connection === "object") return `The server refuses the stream: ${connection.refused}.`;
  if (connection !== "live") return connection === "offline" ? "Offline" : "Connecting";
  return prompts.length > 0 ? "Asks you" : running ? "Works" : "Ready";
}

function Entry({ item }: { item: Item }) {
  switch (item.kind) {
    case "user":
      return (
        <li className="user">
          <p>{item.text}</p>
          {item.cancelled && <small>Cancelled.</small>}
        </li>
      );
    case "assistant":
      return <li className="assistant">{item.text}</li>;
    case "tool":
      return (
        <li className={item.failed ? "tool failed" : "tool"}>
          <b>{item.name}</b> <code>{JSON.stringify(item.input)}</code>
          {item.output && <pre>{item.output}</pre>}
        </li>
      );
    case "error":
      return <li className="failed">{item.text}</li>;
  }
}

function Ask({ prompt, session }: { prompt: Prompt; session: UseSession }) {
  const [problem, setProblem] = useState<string | undefined>();
  const { data, id, kind } = prompt;
  if (kind === "elicitation_request")
    return <section className="prompt">{data.message} (Answer it in the console.)</section>;
  if (kind === "ask_user_question") {
    const [question] = data.questions.questions;
    return (
      <section className="prompt" aria-label="Question">
        <p>{question.question}</p>
        {question.options.map(({ label }: { label: string }) => (
          <button
            key={label}
            onClick={async () => setProblem(await session.answer(id, { [question.question]: label }))}
          >
            {label}
          </button>
        ))}
        {problem && <p role="alert">{problem}</p>}
      </section>
    );
  }
  return (
    <section className="prompt" aria-label="Permission">
      <p>
        May the agent use {data.tool_name ?? data.hook_event}?{" "}
        <code>{JSON.stringify(data.input ?? data.hook_input)}</code>
      </p>
      <button onClick={async () => setProblem(await session.allow(id))}>Allow</button>
      <button onClick={async () => setProblem(await session.deny(id))}>Deny</button>
      {problem && <p role="alert">{problem}</p>}
    </section>
  );
}

createRoot(document.getElementById("root")!).render(
  <StrictMode>
    <SignIn Chat={Chat} />
  </StrictMode>,
);
