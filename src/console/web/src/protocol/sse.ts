// A parser of server-sent events, fed with whatever pieces the network delivers.

import type { StreamEvent } from "./types";

export class SseParser {
  #rest = "";

  /** Returns the events that this piece completes. Comments and unreadable data are skipped. */
  feed(piece: string): StreamEvent[] {
    const frames = (this.#rest + piece).split("\n\n");
    this.#rest = frames.pop() ?? "";
    return frames.flatMap((frame) => {
      const event = parse(frame);
      return event ? [event] : [];
    });
  }
}

function parse(frame: string): StreamEvent | null {
  let seq = 0;
  let name = "message";
  const data: string[] = [];
  for (const line of frame.split("\n")) {
    const colon = line.indexOf(":");
    if (colon <= 0) continue;
    const value = line.slice(colon + 1).replace(/^ /, "");
    switch (line.slice(0, colon)) {
      case "id":
        seq = Number(value) || 0;
        break;
      case "event":
        name = value;
        break;
      case "data":
        data.push(value);
    }
  }
  if (data.length === 0) return null;
  try {
    const parsed: unknown = JSON.parse(data.join("\n"));
    return typeof parsed === "object" && parsed ? { seq, name, data: parsed } : null;
  } catch {
    return null;
  }
}
