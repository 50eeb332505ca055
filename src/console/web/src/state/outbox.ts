// Messages that are on their way to the server. Each is sent until it is answered, under one idempotency key, so that
// it takes effect once. They are kept for as long as the tab lives, reloads included.

import { Refused, isTemporary, wordsOf, type Api } from "../protocol/api";
import { sleep } from "../protocol/follow";
import type { UserContent } from "../protocol/types";
import type { Conversation } from "./conversation";
import { Store } from "./store";

export interface Outgoing {
  key: string;
  content: UserContent;
  /** The newest event when it was written: its own event comes later. */
  after: number;
  state: "sending" | "waiting" | "accepted" | "failed";
  why?: string;
}

export class Outbox {
  readonly store: Store<Outgoing[]>;
  #sending = false;
  #stopped = new AbortController();

  constructor(
    readonly id: string,
    readonly api: () => Api | null,
    readonly refused: (error: Refused) => void,
  ) {
    this.store = new Store(
      load(id).map((message) => (message.state === "sending" ? { ...message, state: "waiting" } : message)),
    );
    this.store.watch(() => save(id, this.store.get()));
  }

  add(content: UserContent, after: number): void {
    const key = crypto.randomUUID?.() ?? Array.from(crypto.getRandomValues(new Uint32Array(4)), String).join("-");
    this.store.update((messages) => [...messages, { key, content, after, state: "waiting" }]);
    void this.flush();
  }

  remove(key: string): void {
    this.store.update((messages) => messages.filter((message) => message.key !== key));
  }

  stop(): void {
    this.#stopped.abort();
  }

  /** Sends what waits, in order. A message that the server refuses for good is kept, with the reason. */
  async flush(): Promise<void> {
    if (this.#sending) return;
    this.#sending = true;
    try {
      for (let failures = 0; !this.#stopped.signal.aborted;) {
        const next = this.store.get().find(({ state }) => state === "sending" || state === "waiting");
        const api = this.api();
        if (!next || !api) return;
        this.#mark(next.key, { state: "sending", why: undefined });
        try {
          await api.input(this.id, { type: "user_message", content: next.content }, next.key);
          this.#mark(next.key, { state: "accepted" });
          failures = 0;
        } catch (error) {
          if (error instanceof Refused && error.status === 401) {
            this.#mark(next.key, { state: "waiting", why: "Waits until you have signed in." });
            return this.refused(error);
          }
          if (!isTemporary(error)) {
            this.#mark(next.key, { state: "failed", why: wordsOf(error) });
            continue;
          }
          failures += 1;
          this.#mark(next.key, { state: "waiting", why: wordsOf(error) });
          const asked = error instanceof Refused ? error.retryAfter * 1000 : 0;
          await sleep(Math.max(asked, Math.min(10_000, 400 * 2 ** failures)), this.#stopped.signal);
        }
      }
    } finally {
      this.#sending = false;
    }
  }

  #mark(key: string, change: Partial<Outgoing>): void {
    this.store.update((messages) =>
      messages.map((message) => (message.key === key ? { ...message, ...change } : message)),
    );
  }

  /** Removes the messages that were accepted and have come back in the stream. */
  settle(conversation: Conversation): void {
    const back = arrived(this.store.get(), conversation);
    const rest = this.store.get().filter((message) => message.state !== "accepted" || !back.has(message.key));
    if (rest.length < this.store.get().length) this.store.set(rest);
  }
}

/** The keys of the messages whose own event is in the conversation. */
export function arrived(messages: Outgoing[], conversation: Conversation): Set<string> {
  const free = [...conversation.users.values()];
  const keys = new Set<string>();
  for (const message of messages) {
    const same = JSON.stringify(message.content);
    const at = free.findIndex((user) => user.seq > message.after && JSON.stringify(user.content) === same);
    if (at < 0) continue;
    free.splice(at, 1);
    keys.add(message.key);
  }
  return keys;
}

function load(id: string): Outgoing[] {
  try {
    const stored: unknown = JSON.parse(sessionStorage.getItem(`outbox:${id}`) ?? "[]");
    return Array.isArray(stored) ? stored : [];
  } catch {
    return [];
  }
}

function save(id: string, messages: Outgoing[]): void {
  try {
    if (messages.length > 0) sessionStorage.setItem(`outbox:${id}`, JSON.stringify(messages));
    else sessionStorage.removeItem(`outbox:${id}`);
  } catch {
    // The storage is full or forbidden: the messages live as long as the page.
  }
}
