// What each event of the stream changes. The containers of the state are fresh copies; what they hold is replaced,
// never changed, so that the page draws again only what is new.

import type { StreamEvent } from "../protocol/types";
import type { Block, Conversation, Entry, Message, Prompt, PromptKind, Tool, Turn } from "./conversation";
import { todosAfter } from "./todos";

const PROMPTS: Record<string, PromptKind> = {
  permission_request: "permission",
  ask_user_question: "question",
  hook_decision_request: "hook",
  elicitation_request: "elicitation",
};

export function apply(state: Conversation, { seq, name, data }: StreamEvent): void {
  switch (name) {
    case "user_message":
      return userMessage(state, String(data.message_uuid ?? seq), data.content, seq);
    case "user_message_cancelled":
      return withdraw(state, String(data.message_uuid), "cancelled");
    case "files_rewound":
      return rewound(state, seq, data);
    case "message_delta":
      return delta(state, data);
    case "message_complete":
      return complete(state, data);
    case "tool_use":
      return toolUse(state, data);
    case "tool_result":
      return toolResult(state, data);
    case "permission_request":
    case "ask_user_question":
    case "hook_decision_request":
    case "elicitation_request":
      return open(state, { id: String(data.correlation_id), kind: PROMPTS[name]!, data });
    case "prompt_resolved":
      state.prompts = state.prompts.filter((prompt) => prompt.id !== data.correlation_id);
      state.settled.set(String(data.correlation_id), { outcome: String(data.outcome), behavior: data.behavior });
      return;
    case "result":
      return result(state, seq, data);
    case "error":
      return error(state, seq, data);
    case "mcp_status_change":
      state.mcp.set(String(data.server_name), String(data.status));
      return;
    case "task_update":
      return task(state, data);
    case "status":
      return status(state, seq, data);
    case "session_state":
      return sessionState(state, data);
    case "done":
      state.ended = true;
      state.running = false;
      state.prompts = [];
      note(state, seq, "info", "This session has ended.");
  }
}

function userMessage(state: Conversation, id: string, content: any, seq: number): void {
  if (state.running) {
    state.users.set(id, { id, content, seq, state: "queued" });
    state.queue.push(id);
  } else {
    state.users.set(id, { id, content, seq, state: "sent" });
    state.entries.push({ kind: "user", id });
    begin(state);
  }
}

/** Shows a queued message where its turn begins. */
function takeFromQueue(state: Conversation): void {
  const id = state.queue.shift()!;
  state.users.set(id, { ...state.users.get(id)!, state: "sent" });
  state.entries.push({ kind: "user", id });
  begin(state);
}

/** The message has no turn. It stays where it is, or where it would have begun. */
function withdraw(state: Conversation, id: string, how: "withdrawn" | "cancelled"): void {
  const message = state.users.get(id);
  if (!message) return;
  state.users.set(id, { ...message, state: how });
  if (!state.queue.includes(id)) return;
  state.queue = state.queue.filter((queued) => queued !== id);
  state.entries.push({ kind: "user", id });
}

function rewound(state: Conversation, seq: number, data: Record<string, any>): void {
  const files: string[] = Array.isArray(data.files) ? data.files.map(String) : [];
  const message = String(data.message_uuid);
  state.rewound = { seq, message, files, dryRun: data.dry_run === true };
  if (!state.rewound.dryRun) state.entries.push({ kind: "rewound", id: `rewound-${seq}`, message, files });
}

function begin(state: Conversation): void {
  state.running = true;
  state.asleep = false;
}

/** The entry is the agent's own, or stands below the call that started its sub-agent. */
function place(state: Conversation, parent: unknown, entry: Entry): void {
  const tool = typeof parent === "string" ? state.tools.get(parent) : undefined;
  if (tool) state.tools.set(tool.id, { ...tool, children: [...tool.children, entry] });
  else state.entries.push(entry);
}

function messageOf(state: Conversation, id: string, parent: unknown): Message {
  const known = state.messages.get(id);
  if (known) return known;
  const message: Message = { id, blocks: [], open: false, writing: true };
  state.messages.set(id, message);
  place(state, parent, { kind: "message", id });
  return message;
}

function delta(state: Conversation, data: Record<string, any>): void {
  const message = messageOf(state, String(data.message_id), data.parent_tool_use_id);
  const piece = data.delta ?? {};
  const blocks = [...message.blocks];
  const last = message.open ? blocks[blocks.length - 1] : undefined;
  if (piece.type === "text" || piece.type === "thinking") {
    const text = String(piece.text ?? piece.thinking ?? "");
    if (last && "text" in last && last.type === piece.type)
      blocks[blocks.length - 1] = { ...last, text: last.text + text };
    else blocks.push({ type: piece.type, text } as Block);
  } else if (piece.type === "input_json_delta") {
    const id = String(piece.tool_use_id);
    const tool = toolOf(state, id, String(piece.name ?? ""));
    state.tools.set(id, { ...tool, partial: tool.partial + String(piece.partial_json ?? "") });
    if (!blocks.some((block) => block.type === "tool" && block.id === id)) blocks.push({ type: "tool", id });
  } else {
    return;
  }
  state.messages.set(message.id, { ...message, blocks, open: true });
  if (!data.parent_tool_use_id) {
    begin(state);
    state.activity = null;
  }
}

function complete(state: Conversation, data: Record<string, any>): void {
  const id = String(data.message_id);
  if (data.abandoned) {
    state.messages.delete(id);
    const remove = (entries: Entry[]) => entries.filter((entry) => entry.kind !== "message" || entry.id !== id);
    const parent = state.tools.get(data.parent_tool_use_id);
    if (parent) state.tools.set(parent.id, { ...parent, children: remove(parent.children) });
    else state.entries = remove(state.entries);
    return;
  }
  const message = messageOf(state, id, data.parent_tool_use_id);
  const whole = data.message ?? {};
  const blocks = (Array.isArray(whole.content) ? whole.content : []).map((block: any): Block => {
    switch (block?.type) {
      case "text":
        return { type: "text", text: String(block.text ?? "") };
      case "thinking":
        return { type: "thinking", text: String(block.thinking ?? "") };
      case "tool_use": {
        const tool = toolOf(state, String(block.id), String(block.name ?? ""));
        state.tools.set(tool.id, { ...tool, input: block.input ?? tool.input });
        return { type: "tool", id: tool.id };
      }
      default:
        return { type: "other", value: block };
    }
  });
  const writing = !whole.stop_reason;
  // What the model writes next is a block of its own, also if it has the same type.
  state.messages.set(id, { ...message, blocks, open: false, writing, model: whole.model });
  if (!data.parent_tool_use_id && whole.usage) {
    const {
      input_tokens = 0,
      cache_read_input_tokens = 0,
      cache_creation_input_tokens = 0,
      output_tokens = 0,
    } = whole.usage;
    const tokens = input_tokens + cache_read_input_tokens + cache_creation_input_tokens + output_tokens;
    if (Number.isFinite(tokens)) state.context = { ...state.context, tokens };
  }
}

function toolOf(state: Conversation, id: string, name: string): Tool {
  const known = state.tools.get(id);
  if (known) return known;
  const tool: Tool = { id, name, partial: "", state: "writing", children: [] };
  state.tools.set(id, tool);
  return tool;
}

function toolUse(state: Conversation, data: Record<string, any>): void {
  const id = String(data.tool_use_id);
  const tool = toolOf(state, id, String(data.tool_name));
  state.tools.set(id, {
    ...tool,
    name: String(data.tool_name),
    input: data.input,
    state: tool.state === "writing" ? "running" : tool.state,
  });
  const message = messageOf(state, String(data.message_id), data.parent_tool_use_id);
  if (!message.blocks.some((block) => block.type === "tool" && block.id === id)) {
    state.messages.set(message.id, { ...message, blocks: [...message.blocks, { type: "tool", id }], open: false });
  }
  if (!data.parent_tool_use_id) begin(state);
}

function toolResult(state: Conversation, data: Record<string, any>): void {
  const id = String(data.tool_use_id);
  const known = toolOf(state, id, "");
  const tool: Tool = { ...known, output: data.output, state: data.is_error ? "failed" : "done" };
  state.tools.set(id, tool);
  // A sub-agent has a list of its own.
  if (tool.input && tool.state === "done" && !data.parent_tool_use_id)
    state.todos = todosAfter(state.todos, tool.name, tool.input, tool.output);
}

function open(state: Conversation, prompt: Prompt): void {
  if (state.settled.has(prompt.id) && prompt.kind !== "hook") state.settled.delete(prompt.id);
  if (!state.prompts.some((known) => known.id === prompt.id)) state.prompts.push(prompt);
}

function result(state: Conversation, seq: number, data: Record<string, any>): void {
  const turn: Turn = {
    cost: Number(data.total_cost_usd) || 0,
    milliseconds: typeof data.duration_ms === "number" ? data.duration_ms : undefined,
    subtype: String(data.subtype ?? ""),
    failed: data.is_error === true || (typeof data.subtype === "string" && data.subtype !== "success"),
    text: typeof data.result === "string" ? data.result : undefined,
  };
  state.turns.push(turn);
  state.cost = Number(data.session_cost_usd ?? state.cost) || 0;
  state.activity = null;
  for (const usage of Object.values<any>(data.modelUsage ?? {})) {
    if (usage?.contextWindow > 0) state.context = { ...state.context, window: Number(usage.contextWindow) };
  }
  endOfTurn(state);
  state.entries.push({ kind: "result", id: `result-${seq}`, turn });
  if (state.queue.length > 0) takeFromQueue(state);
  else state.running = false;
}

/** What the turn has left unfinished stays so: its messages are not written on, its calls have no result. */
function endOfTurn(state: Conversation): void {
  for (let at = state.entries.length - 1; at >= 0; at -= 1) {
    const entry = state.entries[at]!;
    if (entry.kind === "result") break;
    if (entry.kind !== "message") continue;
    const message = state.messages.get(entry.id);
    if (!message) continue;
    if (message.writing) state.messages.set(message.id, { ...message, writing: false, open: false });
    for (const block of message.blocks) {
      const tool = block.type === "tool" ? state.tools.get(block.id) : undefined;
      if (tool && (tool.state === "writing" || tool.state === "running"))
        state.tools.set(tool.id, { ...tool, state: "stopped" });
    }
  }
}

function error(state: Conversation, seq: number, data: Record<string, any>): void {
  // A frame without a number is about this reader's connection, not about the conversation.
  if (seq === 0) return;
  if (data.code === "message_withdrawn") {
    const last = [...state.users.values()].filter(({ state }) => state === "queued" || state === "sent").pop();
    if (last) withdraw(state, last.id, "withdrawn");
  }
  note(state, seq, "error", String(data.message ?? data.code ?? "Something went wrong."));
}

function task(state: Conversation, data: Record<string, any>): void {
  const id = String(data.task_id);
  const known = state.tasks.get(id);
  state.tasks.set(id, {
    id,
    status: String(data.status),
    // The first one says what the task is for, later ones what it does at the moment.
    description: known?.description ?? String(data.description ?? id),
    toolUseId: data.tool_use_id ?? known?.toolUseId,
  });
}

function status(state: Conversation, seq: number, data: Record<string, any>): void {
  switch (data.status) {
    case "retrying": {
      const of = data.max_retries ? ` of ${data.max_retries}` : "";
      const why = data.error_status ? ` The model answered ${data.error_status}.` : "";
      state.activity = `Trying again, attempt ${data.attempt ?? "?"}${of}.${why}`;
      return;
    }
    case "compacting":
      state.activity = "Shortening the conversation to fit the model's context.";
      return;
    case "compacted":
      state.activity = null;
      return note(state, seq, "info", "The conversation was shortened to fit the model's context.");
    case "hibernating":
      state.asleep = true;
      return;
    case "wakeup":
      return note(state, seq, "info", "The agent had scheduled the next message.");
  }
}

function sessionState(state: Conversation, data: Record<string, any>): void {
  const pending: Prompt[] = (Array.isArray(data.pending) ? data.pending : []).flatMap((prompt: any) => {
    const kind = PROMPTS[prompt?.type];
    return kind ? [{ id: String(prompt.correlation_id), kind, data: prompt }] : [];
  });
  // The prompts that are shown already stay the same objects, so that half-typed answers survive.
  state.prompts = pending.map((prompt) => state.prompts.find((known) => known.id === prompt.id) ?? prompt);
  state.cost = Number(data.session_cost_usd ?? state.cost) || 0;
  state.caughtUp = true;
  state.running = data.status !== "idle";
  while (!state.running && state.queue.length > 0) {
    takeFromQueue(state);
    state.running = false;
  }
}

function note(state: Conversation, seq: number, tone: "info" | "warning" | "error", text: string): void {
  state.entries.push({ kind: "note", id: `note-${seq}`, tone, text });
}
