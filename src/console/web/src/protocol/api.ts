// Requests to the protocol, below the same prefix as the page.

import type { GenuiTool, Input, Looks, SessionDescription } from "./types";

/** The server's answer is an error. */
export class Refused extends Error {
  constructor(
    readonly status: number,
    detail: string,
    readonly code: string | undefined,
    /** In seconds. */
    readonly retryAfter: number,
  ) {
    super(detail);
  }
}

/** No answer came: the network or the server is away. */
export class Unreachable extends Error {}

/** In milliseconds. */
const LONGEST = 45_000;

export interface NewSession {
  model?: string;
  permission_mode?: string;
  cwd?: string;
  title?: string;
  profile?: string;
  budget_usd?: number;
  fork_of?: { session_id: string; after_message_uuid?: string };
}

export class Api {
  /** Without a token for a server that needs none. */
  constructor(
    readonly base: string,
    readonly token: string | null,
  ) {}

  async list(): Promise<SessionDescription[]> {
    const answer = (await this.#json("GET", "sessions")) as { sessions: SessionDescription[] };
    return answer.sessions;
  }

  async create(wanted: NewSession): Promise<string> {
    const answer = (await this.#json("POST", "sessions", wanted)) as { session_id: string };
    return answer.session_id;
  }

  async describe(id: string): Promise<SessionDescription> {
    return (await this.#json("GET", `sessions/${encodeURIComponent(id)}`)) as SessionDescription;
  }

  async remove(id: string): Promise<void> {
    await this.#request("DELETE", `sessions/${encodeURIComponent(id)}`);
  }

  /** Sends one message. With the same key and message it takes effect once, however often it is sent. */
  async input(id: string, message: Input, key: string): Promise<void> {
    const headers = { "idempotency-key": key };
    await this.#request("POST", `sessions/${encodeURIComponent(id)}/input`, { body: JSON.stringify(message), headers });
  }

  /** Asks what the session's agent has. `query` is for files. */
  async look<Name extends keyof Looks>(id: string, name: Name, query?: string): Promise<Looks[Name]> {
    const path = `sessions/${encodeURIComponent(id)}/${name}`;
    const search = query === undefined ? "" : `?query=${encodeURIComponent(query)}`;
    const answer = (await this.#json("GET", path + search)) as Looks;
    return answer[name];
  }

  /** The components of the host's user interface. */
  async components(): Promise<GenuiTool[]> {
    const answer = (await this.#json("GET", "genui/schema")) as { tools: GenuiTool[] };
    return answer.tools;
  }

  /** The key by which push services know the server, in base64url. */
  async pushKey(): Promise<string> {
    const answer = (await this.#json("GET", "push")) as { public_key: string };
    return answer.public_key;
  }

  /** Adds or renews a device. Without `events` it hears of all. */
  async addDevice(subscription: PushSubscriptionJSON, events?: string[]): Promise<void> {
    await this.#json("POST", "push/subscriptions", { ...subscription, events });
  }

  async removeDevice(id: string): Promise<void> {
    await this.#request("DELETE", `push/subscriptions/${encodeURIComponent(id)}`);
  }

  /** Opens the stream after this event; 0 is from the oldest. */
  async stream(id: string, after: number, signal: AbortSignal): Promise<Response> {
    const headers: Record<string, string> = { accept: "text/event-stream" };
    if (after > 0) headers["last-event-id"] = String(after);
    return this.#request("GET", `sessions/${encodeURIComponent(id)}/stream`, { headers, signal });
  }

  async #json(method: string, path: string, body?: object): Promise<unknown> {
    const response = await this.#request(method, path, body ? { body: JSON.stringify(body) } : {});
    try {
      return await response.json();
    } catch {
      throw new Unreachable("The answer of the server was cut off.");
    }
  }

  async #request(
    method: string,
    path: string,
    rest: { body?: string; headers?: Record<string, string>; signal?: AbortSignal } = {},
  ): Promise<Response> {
    const headers = new Headers(rest.headers);
    if (this.token !== null) headers.set("authorization", `Bearer ${this.token}`);
    if (rest.body !== undefined) headers.set("content-type", "application/json");
    let response: Response;
    try {
      response = await fetch(new URL(path, this.base), {
        method,
        headers,
        body: rest.body,
        // A connection that says nothing is dead. The server answers everything but a stream within half a minute.
        signal: rest.signal ?? AbortSignal.timeout(LONGEST),
        cache: "no-store",
        credentials: "same-origin",
        redirect: "error",
        referrerPolicy: "no-referrer",
      });
    } catch (error) {
      if (rest.signal?.aborted) throw error;
      throw new Unreachable("The server cannot be reached.");
    }
    if (!response.ok) throw await refusal(response);
    return response;
  }
}

async function refusal(response: Response): Promise<Refused> {
  let detail = `The server answered ${response.status}.`;
  let code: string | undefined;
  try {
    const body = (await response.json()) as { detail?: unknown; code?: unknown };
    if (typeof body.detail === "string") detail = body.detail;
    if (typeof body.code === "string") code = body.code;
  } catch {
    // A proxy's error page: the status has to do.
  }
  return new Refused(response.status, detail, code, Number(response.headers.get("retry-after")) || 0);
}

/** Whether sending the same again may work later. */
export function isTemporary(error: unknown): boolean {
  return (
    error instanceof Unreachable || (error instanceof Refused && [408, 429, 500, 502, 503, 504].includes(error.status))
  );
}

export function wordsOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.charAt(0).toUpperCase() + text.slice(1) + (/[.!?]$/.test(text) ? "" : ".");
}
