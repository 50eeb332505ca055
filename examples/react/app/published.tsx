// The same chat with the hook of @agent-webkit/react 0.2.0, to compare: docs/clients.md has the differences.

import type { UserInput } from "@agent-webkit/core";
import { useAgentSession } from "@agent-webkit/react";
import { useState, type FormEvent } from "react";
import { createRoot } from "react-dom/client";
import { SignIn, type ChatProps } from "./sign_in";

function Chat(props: ChatProps) {
  const { messages, pendingPermission, status, lastError, send, approve, deny } = useAgentSession(props);
  const [text, setText] = useState("");
  const [problem, setProblem] = useState("");
  const failed = (error: unknown) => setProblem(String(error));
  const submit = (event: FormEvent) => {
    event.preventDefault();
    setText("");
    send(text).catch(failed);
  };
  return (
    <main>
      <h1>Chat, published hook</h1>
      <p role="status">{lastError ? `${status}: ${lastError.message}` : status}</p>
      <ol aria-label="Messages">
        {messages.map((message) => (
          <li key={message.id} className={message.kind}>
            {message.kind === "tool_result" ? <pre>{String(message.output)}</pre> : words(message.content)}
          </li>
        ))}
      </ol>
      {pendingPermission && (
        <section className="prompt" aria-label="Permission">
          <p>
            May the agent use {pendingPermission.tool_name}? <code>{JSON.stringify(pendingPermission.input)}</code>
          </p>
          <button onClick={() => void approve(pendingPermission.correlation_id).catch(failed)}>Allow</button>
          <button onClick={() => void deny(pendingPermission.correlation_id).catch(failed)}>Deny</button>
        </section>
      )}
      {problem && <p role="alert">{problem}</p>}
      <form onSubmit={submit}>
        <input aria-label="Message" value={text} onChange={(event) => setText(event.target.value)} />
        <button>Send</button>
      </form>
    </main>
  );
}

function words(content: UserInput): string {
  if (typeof content === "string") return content;
  return content.map((block) => (block.type === "text" ? block.text : "")).join("");
}

createRoot(document.getElementById("root")!).render(<SignIn Chat={Chat} />);
