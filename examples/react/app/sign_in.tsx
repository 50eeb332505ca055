// Asks for the server, the token and the session. The session's id is in the address, so that a second tab can open it.

import { createAgentClient } from "@agent-webkit/core";
import { useState, type ComponentType, type FormEvent } from "react";

export interface ChatProps {
  baseUrl: string;
  token: string;
  sessionId: string;
}

export function SignIn({ Chat }: { Chat: ComponentType<ChatProps> }) {
  const [baseUrl, setBaseUrl] = useState("http://127.0.0.1:8000");
  const [token, setToken] = useState("");
  const [opened, setOpened] = useState<ChatProps | null>(null);
  const [problem, setProblem] = useState("");
  const open = async (event: FormEvent) => {
    event.preventDefault();
    try {
      const id = location.hash.slice(1) || (await createAgentClient({ baseUrl, token }).createSession()).id;
      location.hash = id;
      setOpened({ baseUrl, token, sessionId: id });
    } catch (error) {
      setProblem(String(error));
    }
  };
  if (opened) return <Chat {...opened} />;
  return (
    <main>
      <h1>Sign in</h1>
      <form onSubmit={open}>
        <label>
          Server <input value={baseUrl} onChange={(event) => setBaseUrl(event.target.value)} />
        </label>
        <label>
          Token <input type="password" value={token} onChange={(event) => setToken(event.target.value)} />
        </label>
        <button>Open</button>
      </form>
      {problem && <p role="alert">{problem}</p>}
    </main>
  );
}
