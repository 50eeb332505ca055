// The state of a conversation: a pure function of the events of its stream, so that every window that has read the same
// events shows the same.

import type { StreamEvent, UserContent } from "../protocol/types";
import { apply } from "./apply";
import type { Todo } from "./todos";

export type Block =
  | { type: "text"; text: string }
  | { type: "thinking"; text: string }
  | { type: "tool"; id: string }
  | { type: "other"; value: unknown };

export interface Message {
  id: string;
  blocks: Block[];
  /** Whether the last block still grows. */
  open: boolean;
  /** Whether the model may still write. */
  writing: boolean;
  model?: string;
}

export interface Tool {
  id: string;
  name: string;
  input?: Record<string, unknown>;
  /** The input so far, as the model writes it. */
  partial: string;
  state: "writing" | "running" | "done" | "failed" | "stopped";
  output?: unknown;
  /** The events of the sub-agent that the call has started. */
  children: Entry[];
}

export interface UserMessage {
  id: string;
  content: UserContent;
  state: "queued" | "sent" | "withdrawn" | "cancelled";
  seq: number;
}

export interface Turn {
  cost: number;
  milliseconds?: number;
  subtype: string;
  failed: boolean;
  text?: string;
}

export type Entry =
  | { kind: "user"; id: string }
  | { kind: "message"; id: string }
  | { kind: "note"; id: string; tone: "info" | "warning" | "error"; text: string }
  | { kind: "rewound"; id: string; message: string; files: string[] }
  | { kind: "result"; id: string; turn: Turn };

export type PromptKind = "permission" | "question" | "hook" | "elicitation";

export interface Prompt {
  id: string;
  kind: PromptKind;
  data: Record<string, any>;
}

export interface Settled {
  outcome: string;
  behavior?: string;
}

export interface Task {
  id: string;
  status: string;
  description: string;
  toolUseId?: string;
}

/** Files that were put back, or would be. */
export interface Rewound {
  seq: number;
  message: string;
  files: string[];
  dryRun: boolean;
}

export interface Conversation {
  /** The last event that is part of this. */
  seq: number;
  entries: Entry[];
  messages: Map<string, Message>;
  tools: Map<string, Tool>;
  users: Map<string, UserMessage>;
  /** Messages that wait for the running turn to end. */
  queue: string[];
  running: boolean;
  /** What the agent does beside writing, such as trying again. */
  activity: string | null;
  asleep: boolean;
  prompts: Prompt[];
  settled: Map<string, Settled>;
  tasks: Map<string, Task>;
  mcp: Map<string, string>;
  todos: Todo[];
  turns: Turn[];
  /** The newest answer to a `rewind`. */
  rewound: Rewound | null;
  cost: number;
  /** Tokens in the model's context after its last message, and how many fit. */
  context: { tokens: number; window: number };
  /** Whether the replay has come to its end: before, the state is incomplete. */
  caughtUp: boolean;
  ended: boolean;
}

export function empty(): Conversation {
  return {
    seq: 0,
    entries: [],
    messages: new Map(),
    tools: new Map(),
    users: new Map(),
    queue: [],
    running: false,
    activity: null,
    asleep: false,
    prompts: [],
    settled: new Map(),
    tasks: new Map(),
    mcp: new Map(),
    todos: [],
    turns: [],
    rewound: null,
    cost: 0,
    context: { tokens: 0, window: 0 },
    caughtUp: false,
    ended: false,
  };
}

/** Returns the state after these events. Events that it has already are skipped. */
export function reduce(state: Conversation, events: StreamEvent[]): Conversation {
  const next: Conversation = {
    ...state,
    entries: [...state.entries],
    messages: new Map(state.messages),
    tools: new Map(state.tools),
    users: new Map(state.users),
    queue: [...state.queue],
    prompts: [...state.prompts],
    settled: new Map(state.settled),
    tasks: new Map(state.tasks),
    mcp: new Map(state.mcp),
    turns: [...state.turns],
  };
  for (const event of events) {
    if (event.seq > 0) {
      if (event.seq <= next.seq) continue;
      // The first event that the server still has: what came before is not kept.
      if (next.seq === 0 && event.seq > 1) {
        const text = "The beginning of this conversation is no longer kept by the server.";
        next.entries.push({ kind: "note", id: "beginning", tone: "info", text });
      }
      next.seq = event.seq;
    }
    apply(next, event);
  }
  return next;
}
