import { useEffect, useMemo, useSyncExternalStore } from "react";
import { Session, type Options, type Snapshot } from "./session";

export interface UseSession extends Snapshot {
  /** Sends a message; until it has come back in the stream it is in `outgoing`. */
  send(text: string): void;
  /** Removes a message that was refused. */
  discard(id: string): void;
  /** The others return why the server refuses the answer; `undefined` if it has taken it. */
  allow(promptId: string): Promise<string | undefined>;
  deny(promptId: string, message?: string): Promise<string | undefined>;
  answer(promptId: string, answers: Record<string, string | string[]>): Promise<string | undefined>;
  interrupt(): Promise<string | undefined>;
}

/** Follows a session for as long as the component is shown. The session itself goes on. */
export function useSession({ baseUrl, token, sessionId }: Options): UseSession {
  const session = useMemo(() => new Session({ baseUrl, token, sessionId }), [baseUrl, token, sessionId]);
  const snapshot = useSyncExternalStore(session.subscribe, session.getSnapshot);
  useEffect(() => {
    void session.start();
    return () => session.stop();
  }, [session]);
  const actions = useMemo(() => {
    const settle = (promptId: string, behavior: "allow" | "deny", message?: string) =>
      session.post({ type: "permission_response", correlation_id: promptId, behavior, ...(message && { message }) });
    return {
      send: (text: string) => session.send(text),
      discard: (id: string) => session.discard(id),
      allow: (promptId: string) => settle(promptId, "allow"),
      deny: (promptId: string, message?: string) => settle(promptId, "deny", message),
      answer: (promptId: string, answers: Record<string, string | string[]>) =>
        session.post({ type: "question_response", correlation_id: promptId, answers }),
      interrupt: () => session.post({ type: "interrupt" }),
    };
  }, [session]);
  return { ...snapshot, ...actions };
}
