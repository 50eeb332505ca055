// One session outside of React: follows its stream, and sends each message until it is answered.

import { createAgentClient, Transport, TransportError } from "@agent-webkit/core";
import { EMPTY, reduce, type Event, type Outgoing, type State } from "./state";

export interface Options {
  baseUrl: string;
  token?: string | undefined;
  sessionId: string;
}

/** `refused` is for good: the token, or the session, is not accepted. */
export type Connection = "connecting" | "live" | "offline" | { refused: number };

export interface Snapshot extends State {
  connection: Connection;
  outgoing: Outgoing[];
}

/** In milliseconds. */
const FIRST_PAUSE = 300;
const LONGEST_PAUSE = 8000;

export class Session {
  #snapshot: Snapshot = { ...EMPTY, connection: "connecting", outgoing: [] };
  #watchers = new Set<() => void>();
  #sending = false;
  /** The messages that the server has accepted. */
  #sent = new Set<string>();
  #stop = new AbortController();

  constructor(readonly options: Options) {}

  getSnapshot = (): Snapshot => this.#snapshot;

  subscribe = (watcher: () => void): (() => void) => {
    this.#watchers.add(watcher);
    return () => this.#watchers.delete(watcher);
  };

  #set(change: Partial<Snapshot>): void {
    this.#snapshot = { ...this.#snapshot, ...change };
    for (const watcher of this.#watchers) watcher();
  }

  /** Follows the stream until `stop`. The published client reconnects by itself; here is what it leaves to its callers. */
  async start(): Promise<void> {
    this.#stop = new AbortController();
    const { signal } = this.#stop;
    const client = createAgentClient({ ...this.options, fetchImpl: this.#watched(signal) });
    void this.#flush();
    while (!signal.aborted) {
      const { seq } = this.#snapshot;
      const attached = client.attachSession(this.options.sessionId, seq > 0 ? { resumeFromEventId: `${seq}` } : {});
      signal.addEventListener("abort", () => attached.detach(), { once: true });
      try {
        for await (const event of attached.events()) this.#take(event as Event);
        return;
      } catch (error) {
        if (signal.aborted) return;
        const status = error instanceof TransportError ? error.status : undefined;
        // What follows the last event is no longer kept: begin again with what is.
        if (status === 412 && this.#snapshot.seq > 0) this.#set({ ...EMPTY });
        else if (status !== undefined) return this.#set({ connection: { refused: status } });
        else await this.#pause(FIRST_PAUSE);
      }
    }
  }

  stop(): void {
    this.#stop.abort();
  }

  #take(event: Event): void {
    const state = reduce(this.#snapshot, event);
    const arrived = event.event === "user_message" ? event.data.message_uuid : undefined;
    const outgoing = this.#snapshot.outgoing.filter(({ id }) => id !== arrived);
    this.#set({ ...state, outgoing });
  }

  /** The client's `fetch`, which tells what becomes of the connection. */
  #watched(signal: AbortSignal): typeof fetch {
    return async (input, init) => {
      try {
        const response = await fetch(input, init);
        this.#set({ connection: response.ok ? "live" : "offline" });
        if (response.ok) void this.#flush();
        return response;
      } catch (error) {
        if (!signal.aborted) this.#set({ connection: "offline" });
        throw error;
      }
    };
  }

  /** Shows the message at once, and sends it as soon as it can be sent. */
  send(text: string): void {
    const id = crypto.randomUUID();
    this.#set({ outgoing: [...this.#snapshot.outgoing, { id, text }] });
    void this.#flush();
  }

  discard(id: string): void {
    this.#set({ outgoing: this.#snapshot.outgoing.filter((message) => message.id !== id) });
  }

  /** Sends what waits, in order. */
  async #flush(): Promise<void> {
    if (this.#sending) return;
    this.#sending = true;
    try {
      while (!this.#stop.signal.aborted) {
        const next = this.#snapshot.outgoing.find(({ id, refused }) => !refused && !this.#sent.has(id));
        if (!next) return;
        const why = await this.post({ type: "user_message", content: next.text, message_uuid: next.id }, next.id);
        if (!why) this.#sent.add(next.id);
        else if (this.#stop.signal.aborted) return;
        const outgoing = this.#snapshot.outgoing;
        if (why) this.#set({ outgoing: outgoing.map((one) => (one.id === next.id ? { ...one, refused: why } : one)) });
      }
    } finally {
      this.#sending = false;
    }
  }

  /**
   * Sends one message of the protocol until it is answered; with one key, so it takes effect once however often it is sent.
   * Returns why the server refuses it.
   */
  async post(message: object, key: string = crypto.randomUUID()): Promise<string | undefined> {
    const withKey: typeof fetch = (input, init) =>
      fetch(input, { ...init, headers: { ...(init?.headers as Record<string, string>), "idempotency-key": key } });
    const transport = new Transport({ ...this.options, fetchImpl: withKey });
    for (let pause = FIRST_PAUSE; ; pause = Math.min(pause * 2, LONGEST_PAUSE)) {
      try {
        const response = await transport.post(`/sessions/${this.options.sessionId}/input`, message);
        if (response.ok) return undefined;
        if (![408, 429, 500, 502, 503, 504].includes(response.status)) return await detail(response);
      } catch {
        // No answer: the network or the server is away.
      }
      if (this.#stop.signal.aborted) return "The page is gone.";
      await this.#pause(pause);
    }
  }

  #pause(milliseconds: number): Promise<void> {
    return new Promise((resolve) => {
      setTimeout(resolve, milliseconds);
      this.#stop.signal.addEventListener("abort", () => resolve(), { once: true });
    });
  }
}

async function detail(response: Response): Promise<string> {
  const body = (await response.json().catch(() => null)) as { detail?: unknown } | null;
  return typeof body?.detail === "string" ? body.detail : `The server answered ${response.status}.`;
}
