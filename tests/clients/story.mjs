// What both test files need: the client, scripts for the practice model, a reader with patience.
import { createAgentClient } from "@agent-webkit/core";

export const baseUrl = process.env.AGENT_URL;
export const token = process.env.AGENT_TOKEN;
export const client = createAgentClient({ baseUrl, token });

/** A prompt that tells the practice model what to answer, request by request. */
export function script(...steps) {
  return `<<${JSON.stringify({ steps, token_ms: 2 })}>>`;
}

export function bash(id, command) {
  return { tool: "Bash", id, input: { command } };
}

/** Reads a session's events, in order, up to the one that is wanted. */
export class Reader {
  constructor(session) {
    this.events = session.events()[Symbol.asyncIterator]();
    this.seen = [];
  }

  async until(name) {
    for (;;) {
      const { value, done } = await this.events.next();
      if (done) throw new Error(`no ${name}; seen: ${this.seen.map((event) => event.event)}`);
      this.seen.push(value);
      if (value.event === name) return value;
    }
  }

  /** The numbers of the events; what has none says -1. */
  ids() {
    return this.seen.map((event) => event.id).filter((id) => id > 0);
  }

  text() {
    return this.seen
      .filter((event) => event.event === "message_delta")
      .map((event) => event.data.delta.text ?? "")
      .join("");
  }
}

export function counted(length) {
  return Array.from({ length }, (_, index) => index + 1);
}
