// Follows a session's stream through whatever the network and the server do.

import { Refused, Unreachable, wordsOf, type Api } from "./api";
import { SseParser } from "./sse";
import type { StreamEvent } from "./types";

export type Connection =
  | { kind: "connecting" }
  | { kind: "live" }
  /** Tries again at this time, in milliseconds of the page's clock. */
  | { kind: "offline"; why: string; retryAt: number }
  /** The token is not accepted (any more). */
  | { kind: "unauthorized"; why: string }
  | { kind: "forbidden"; why: string }
  /** The session was deleted, or never was. */
  | { kind: "gone" }
  /** The session has sent its last event. */
  | { kind: "ended" };

export interface Follower {
  /** The last event that the page has. */
  seq(): number;
  events(events: StreamEvent[]): void;
  /** What the page has is not continued by what the server still has: begin again. */
  reset(): void;
  connection(state: Connection): void;
}

/** Above the server's default keepalive of 15 s: a stream that is silent for longer is dead, whatever TCP believes. */
const SILENCE = 50_000;
const FIRST_PAUSE = 400;
const LONGEST_PAUSE = 10_000;

/** Reads until the session ends, is gone, refuses the token, or `signal` aborts. */
export async function follow(api: Api, id: string, to: Follower, signal: AbortSignal): Promise<void> {
  let failures = 0;
  while (!signal.aborted) {
    if (failures === 0) to.connection({ kind: "connecting" });
    let why = "The connection was closed.";
    let wait = 0;
    const attempt = new AbortController();
    const abort = () => attempt.abort();
    signal.addEventListener("abort", abort);
    try {
      const response = await api.stream(id, to.seq(), attempt.signal);
      to.connection({ kind: "live" });
      failures = 0;
      const last = await read(response, to, attempt);
      if (last?.name === "done") return to.connection({ kind: "ended" });
      if (last?.seq === 0 && last.name === "error") why = String(last.data.message ?? why);
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof Refused) {
        why = wordsOf(error);
        wait = error.retryAfter * 1000;
        if (error.status === 401) return to.connection({ kind: "unauthorized", why });
        if (error.status === 403) return to.connection({ kind: "forbidden", why });
        if (error.status === 404) return to.connection({ kind: "gone" });
        if (error.status === 412 && to.seq() > 0) {
          to.reset();
          continue;
        }
      } else if (error instanceof Unreachable) {
        why = wordsOf(error);
      }
    } finally {
      signal.removeEventListener("abort", abort);
      attempt.abort();
    }
    if (signal.aborted) return;
    failures += 1;
    const pause = Math.min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** (failures - 1)) * (0.75 + Math.random() / 2);
    const delay = Math.max(pause, wait);
    to.connection({ kind: "offline", why, retryAt: Date.now() + delay });
    await sleep(delay, signal);
  }
}

/** Passes the events on until the body ends. Returns the last frame. */
async function read(response: Response, to: Follower, attempt: AbortController): Promise<StreamEvent | undefined> {
  const reader = response.body!.getReader();
  const text = new TextDecoder();
  const parser = new SseParser();
  let last: StreamEvent | undefined;
  let silence = setTimeout(() => attempt.abort(), SILENCE);
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return last;
      clearTimeout(silence);
      silence = setTimeout(() => attempt.abort(), SILENCE);
      const events = parser.feed(text.decode(value, { stream: true }));
      if (events.length === 0) continue;
      last = events[events.length - 1];
      to.events(events);
    }
  } finally {
    clearTimeout(silence);
  }
}

/** Waits, but no longer than until the network is back or somebody looks at the page again. */
export function sleep(milliseconds: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      window.removeEventListener("online", end);
      document.removeEventListener("visibilitychange", visible);
      signal?.removeEventListener("abort", end);
      resolve();
    };
    const visible = () => document.visibilityState === "visible" && end();
    const timer = setTimeout(end, milliseconds);
    window.addEventListener("online", end);
    document.addEventListener("visibilitychange", visible);
    signal?.addEventListener("abort", end);
  });
}
