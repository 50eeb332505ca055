// What the protocol says, as far as the page reads it (docs/protocol.md).

export interface SessionDescription {
  session_id: string;
  oldest_seq: number;
  as_of_seq: number;
  model: string | null;
  permission_mode: string | null;
  cwd: string;
  title: string | null;
  created_at: number;
  active_at: number;
  status: Status;
  session_cost_usd: number;
  /** Absent without a budget of its own. */
  budget_usd?: number;
}

export type Status = "idle" | "running" | "requires_action";

export interface ImageSource {
  type: "base64";
  media_type: string;
  data: string;
}

export type UserBlock = { type: "text"; text: string } | { type: "image"; source: ImageSource };
export type UserContent = string | UserBlock[];

/** A frame of the stream. Frames without an id have seq 0. */
export interface StreamEvent {
  seq: number;
  name: string;
  data: Record<string, any>;
}

/** A slash command of the agent. */
export interface Command {
  name: string;
  description?: string;
  argumentHint?: string;
}

export interface Model {
  value: string;
  displayName?: string;
}

/** How much of the model's context is in use, and by what. */
export interface ContextUse {
  totalTokens?: number;
  maxTokens?: number;
  categories?: { name?: string; tokens?: number; kind?: string }[];
}

export interface McpServer {
  name: string;
  status: string;
  error?: string;
  tools?: { name?: string; description?: string }[];
}

/** What can be asked about a session's agent, by the name of the route. */
export interface Looks {
  commands: Command[];
  models: Model[];
  context: ContextUse;
  mcp: McpServer[];
  files: string[];
}

/** A component of the host's user interface, which the agent shows by calling this tool. */
export interface GenuiTool {
  name: string;
  short_name: string;
  description?: string;
  schema?: Record<string, any>;
}

export type Input =
  | { type: "user_message"; content: UserContent }
  | { type: "cancel_message"; message_uuid: string }
  | { type: "rewind"; message_uuid: string; dry_run?: boolean }
  | { type: "interrupt" }
  | {
      type: "permission_response";
      correlation_id: string;
      behavior: "allow" | "deny";
      updated_input?: object;
      updated_permissions?: unknown[];
      message?: string;
      interrupt?: boolean;
    }
  | { type: "question_response"; correlation_id: string; answers: { question: string; selectedOptions: string[] }[] }
  | { type: "elicitation_response"; correlation_id: string; action: "accept" | "decline" | "cancel"; content?: object }
  | { type: "set_permission_mode"; mode: string }
  | { type: "set_model"; model: string | null }
  | { type: "stop_task"; task_id: string };
