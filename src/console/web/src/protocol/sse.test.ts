import assert from "node:assert/strict";
import { test } from "node:test";
import { SseParser } from "./sse";

const STREAM =
  ': hello\nretry: 5\n\nid: 1\nevent: session_ready\ndata: {"a":"ü\\n"}\n\n: keepalive\n\nevent: session_state\ndata: {"b":2}\n\nid: 2\nevent: done\ndata: {}\n\n';
const EVENTS = [
  { seq: 1, name: "session_ready", data: { a: "ü\n" } },
  { seq: 0, name: "session_state", data: { b: 2 } },
  { seq: 2, name: "done", data: {} },
];

test("the pieces in which a stream arrives don't matter", () => {
  for (let size = 1; size <= STREAM.length; size += 1) {
    const parser = new SseParser();
    const found = [];
    for (let at = 0; at < STREAM.length; at += size) found.push(...parser.feed(STREAM.slice(at, at + size)));
    assert.deepEqual(found, EVENTS, `in pieces of ${size}`);
  }
});

test("data that is no object is skipped", () => {
  assert.deepEqual(new SseParser().feed("data: {\n\ndata: 7\n\ndata: null\n\nid: 3\nevent: x\ndata: {}\n\n"), [
    { seq: 3, name: "x", data: {} },
  ]);
});
