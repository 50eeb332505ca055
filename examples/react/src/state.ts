// The state of a session: a pure function of its events, so that all tabs that have read the same events show the same.

export type Item =
  | { kind: "user"; id: string; text: string; cancelled: boolean }
  | { kind: "assistant"; id: string; text: string; writing: boolean }
  | { kind: "tool"; id: string; name: string; input: unknown; output?: string; failed: boolean }
  | { kind: "error"; id: string; text: string };

/** Something that the agent asks. `data` is its event. */
export interface Prompt {
  id: string;
  kind: "permission_request" | "ask_user_question" | "hook_decision_request" | "elicitation_request";
  data: Record<string, any>;
}

/** A message of this tab that has not come back in the stream yet. */
export interface Outgoing {
  id: string;
  text: string;
  /** Why it was not sent; it is not tried again then. */
  refused?: string;
}

export interface State {
  /** The number of the last event that is part of this. */
  seq: number;
  items: Item[];
  prompts: Prompt[];
  running: boolean;
  costUsd: number;
  /** Whether the session has sent its last event. */
  ended: boolean;
}

export const EMPTY: State = { seq: 0, items: [], prompts: [], running: false, costUsd: 0, ended: false };

export interface Event {
  /** -1 for a frame without a number. */
  id: number;
  event: string;
  data: Record<string, any>;
}

export function reduce(state: State, { id, event, data }: Event): State {
  if (id > 0 && id <= state.seq) return state;
  const next = id > 0 ? { ...state, seq: id } : state;
  const put = (item: Item): State => {
    const at = next.items.findIndex((known) => known.kind === item.kind && known.id === item.id);
    return { ...next, items: at < 0 ? [...next.items, item] : next.items.with(at, item) };
  };
  const find = <Kind extends Item["kind"]>(kind: Kind, wanted: string) =>
    next.items.find((item): item is Extract<Item, { kind: Kind }> => item.kind === kind && item.id === wanted);
  const others = (prompt: string) => next.prompts.filter(({ id }) => id !== prompt);

  switch (event) {
    case "user_message":
      return {
        ...put({ kind: "user", id: data.message_uuid ?? `${id}`, text: words(data.content), cancelled: false }),
        running: true,
      };
    case "user_message_cancelled": {
      const message = find("user", data.message_uuid);
      return message ? put({ ...message, cancelled: true }) : next;
    }
    case "message_delta": {
      if (data.delta?.type !== "text") return next;
      const text = (find("assistant", data.message_id)?.text ?? "") + data.delta.text;
      return put({ kind: "assistant", id: data.message_id, text, writing: true });
    }
    case "message_complete": {
      // A message that the agent has given up is gone.
      if (data.abandoned) return { ...next, items: next.items.filter(({ id }) => id !== data.message_id) };
      const text = words(data.message?.content);
      return text ? put({ kind: "assistant", id: data.message_id, text, writing: !data.message.stop_reason }) : next;
    }
    case "tool_use":
      return put({ kind: "tool", id: data.tool_use_id, name: data.tool_name, input: data.input, failed: false });
    case "tool_result": {
      const tool = find("tool", data.tool_use_id);
      return tool ? put({ ...tool, output: words(data.output), failed: data.is_error === true }) : next;
    }
    case "permission_request":
    case "ask_user_question":
    case "hook_decision_request":
    case "elicitation_request":
      return { ...next, prompts: [...others(data.correlation_id), { id: data.correlation_id, kind: event, data }] };
    case "prompt_resolved":
      return { ...next, prompts: others(data.correlation_id) };
    case "session_state": {
      // Between the replay and what is live: which prompts are open, also those whose events are no longer kept.
      const pending: Prompt[] = data.pending.map((prompt: any) => ({
        id: prompt.correlation_id,
        kind: prompt.type,
        data: prompt,
      }));
      return { ...next, prompts: pending, running: data.status !== "idle", costUsd: data.session_cost_usd };
    }
    case "result":
      return { ...next, running: false, costUsd: data.session_cost_usd ?? next.costUsd };
    case "error":
      // One without a number is about this reader's connection, which the stream takes up again.
      return id > 0 ? put({ kind: "error", id: `${id}`, text: String(data.message) }) : next;
    case "done":
      return { ...next, running: false, prompts: [], ended: true };
    default:
      return next;
  }
}

/** The text of a message or of a tool's output. */
function words(content: unknown): string {
  if (typeof content === "string") return content;
  const blocks = Array.isArray(content) ? content : [];
  return blocks.map((block) => (block?.type === "text" ? String(block.text) : "")).join("");
}
