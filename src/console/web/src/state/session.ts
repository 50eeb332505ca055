// One open session: its stream, its outbox, and what the page may ask of it.

import { Refused, wordsOf, type Api } from "../protocol/api";
import { follow, type Connection } from "../protocol/follow";
import type { Command, Input, Looks, SessionDescription, StreamEvent } from "../protocol/types";
import { empty, reduce, type Conversation } from "./conversation";
import { Outbox } from "./outbox";
import { Store } from "./store";

export class OpenSession {
  readonly conversation = new Store<Conversation>(empty());
  readonly connection = new Store<Connection>({ kind: "connecting" });
  readonly description = new Store<SessionDescription | null>(null);
  /** A text that was not sent, for the composer to take. */
  readonly writeAgain = new Store<string | null>(null);
  readonly outbox: Outbox;
  #api: Api;
  #waiting: StreamEvent[] = [];
  #drawing = 0;
  #stop = new AbortController();
  #following = false;
  #commands: Command[] = [];

  constructor(
    readonly id: string,
    api: Api,
    readonly unauthorized: (why: string) => void,
  ) {
    this.#api = api;
    this.outbox = new Outbox(
      id,
      () => this.#api,
      (error) => this.unauthorized(error.message),
    );
    this.#run();
  }

  /** Goes on with another token. */
  use(api: Api): void {
    this.#api = api;
    this.#run();
  }

  close(): void {
    this.#stop.abort();
    this.outbox.stop();
    cancelAnimationFrame(this.#drawing);
  }

  /** Sends one message that is not the user's text. Returns what went wrong, in words. */
  async send(message: Input): Promise<string | null> {
    try {
      await this.#api.input(this.id, message, crypto.randomUUID?.() ?? String(Math.random()));
      if (message.type === "set_model" || message.type === "set_permission_mode") void this.describe();
      return null;
    } catch (error) {
      if (error instanceof Refused && error.status === 401) this.unauthorized(error.message);
      return wordsOf(error);
    }
  }

  /** Asks what the agent has. Fails with the server's answer, for example if the agent is asleep. */
  look<Name extends keyof Looks>(name: Name, query?: string): Promise<Looks[Name]> {
    return this.#api.look(this.id, name, query);
  }

  /** The agent's slash commands: those that it had last, if it is asleep. */
  async commands(): Promise<Command[]> {
    try {
      this.#commands = await this.look("commands");
    } catch (error) {
      if (this.#commands.length === 0) throw error;
    }
    return this.#commands;
  }

  async describe(): Promise<void> {
    try {
      this.description.set(await this.#api.describe(this.id));
    } catch {
      // The stream reports what is wrong.
    }
  }

  #run(): void {
    if (this.#following) return;
    this.#following = true;
    void follow(this.#api, this.id, this.#follower(), this.#stop.signal).finally(() => (this.#following = false));
    void this.describe();
    void this.outbox.flush();
  }

  #follower() {
    return {
      seq: () => this.#waiting.reduce((seq, event) => Math.max(seq, event.seq), this.conversation.get().seq),
      events: (events: StreamEvent[]) => {
        this.#waiting.push(...events);
        // Together, once per frame; a hidden page has no frames.
        if (document.visibilityState === "hidden" || events.some((event) => event.name === "session_state"))
          this.#take();
        else this.#drawing ||= requestAnimationFrame(() => this.#take());
      },
      reset: () => {
        this.#waiting = [];
        this.conversation.set(empty());
      },
      connection: (state: Connection) => {
        this.connection.set(state);
        if (state.kind === "unauthorized") this.unauthorized(state.why);
        if (state.kind === "live") void this.outbox.flush();
      },
    };
  }

  #take(): void {
    cancelAnimationFrame(this.#drawing);
    this.#drawing = 0;
    const events = this.#waiting;
    this.#waiting = [];
    const before = this.conversation.get();
    const after = reduce(before, events);
    this.conversation.set(after);
    this.outbox.settle(after);
    const changed =
      before.running !== after.running ||
      before.turns.length !== after.turns.length ||
      before.prompts[0] !== after.prompts[0];
    if (changed || before.users.size !== after.users.size) void this.describe();
  }
}
