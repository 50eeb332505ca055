// Shared by both test files: the client, scripts for the practice model, and a reader.
import { createAgentClient } from "@agent-webkit/core";

export const baseUrl = process.env.AGENT_URL;
export const token = process.env.AGENT_TOKEN;
export const client = createAgentClient({ baseUrl, token });

/** A prompt with the answers of the practice model, one for each request. */
export function script(...steps) {
  return `<<${JSON.stringify({ steps, token_ms: 2 })}>>`;
}

export function bash(id, command) {
  return { tool: "Bash", id, input: { command } };
}

/** Reads a session's events, in order, up to the next one with a given name. */
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

  /** The ids of the events. The client sets -1 for an event without an id. */
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
