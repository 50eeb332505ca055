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

export type Input =
  | { type: "user_message"; content: UserContent }
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
