import assert from "node:assert/strict";
import { test } from "node:test";
import type { StreamEvent } from "../protocol/types";
import { empty, reduce, type Conversation } from "./conversation";
import { arrived, type Outgoing } from "./outbox";

/** Events with rising numbers; a name that ends in `!` has no number. */
function events(from: number, ...list: [string, object][]): StreamEvent[] {
  let seq = from;
  return list.map(([name, data]) =>
    name.endsWith("!") ? { seq: 0, name: name.slice(0, -1), data } : { seq: seq++, name, data },
  );
}

const said = (content: string, id = content): [string, object] => ["user_message", { content, message_uuid: id }];
const text = (id: string, piece: string): [string, object] => [
  "message_delta",
  { message_id: id, delta: { type: "text", text: piece } },
];
const whole = (id: string, content: object[], stop: string | null = "end_turn"): [string, object] => [
  "message_complete",
  { message_id: id, message: { id, content, stop_reason: stop } },
];
const result: [string, object] = [
  "result",
  { subtype: "success", total_cost_usd: 0.5, session_cost_usd: 1.5, duration_ms: 10 },
];

const shape = (state: Conversation) => state.entries.map((entry) => `${entry.kind} ${entry.id}`);

test("a text grows, is replaced by its whole, and its turn ends", () => {
  const first = reduce(empty(), events(1, ["session_ready", {}], said("hi"), text("m1", "a "), text("m1", "b")));
  assert.deepEqual(first.messages.get("m1")!.blocks, [{ type: "text", text: "a b" }]);
  assert.equal(first.running, true);
  const last = reduce(first, events(5, whole("m1", [{ type: "text", text: "a b!" }]), result));
  assert.deepEqual(last.messages.get("m1")!.blocks, [{ type: "text", text: "a b!" }]);
  assert.deepEqual(shape(last), ["user hi", "message m1", "result result-6"]);
  assert.deepEqual([last.running, last.cost, last.turns[0]!.cost], [false, 1.5, 0.5]);
  assert.deepEqual(first.messages.get("m1")!.blocks, [{ type: "text", text: "a b" }], "the state before is untouched");
});

test("after a whole message further text is a block of its own", () => {
  const state = reduce(
    empty(),
    events(1, text("m", "one"), whole("m", [{ type: "text", text: "one" }], null), text("m", "two")),
  );
  assert.deepEqual(state.messages.get("m")!.blocks, [
    { type: "text", text: "one" },
    { type: "text", text: "two" },
  ]);
});

test("the same events in other portions give the same state", () => {
  const all = events(
    1,
    ["session_ready", {}],
    said("q"),
    ["message_delta", { message_id: "m", delta: { type: "thinking", thinking: "hm" } }],
    [
      "message_delta",
      {
        message_id: "m",
        delta: { type: "input_json_delta", tool_use_id: "t", name: "Bash", partial_json: '{"command":"ls"}' },
      },
    ],
    whole(
      "m",
      [
        { type: "thinking", thinking: "hm" },
        { type: "tool_use", id: "t", name: "Bash", input: { command: "ls" } },
      ],
      "tool_use",
    ),
    ["tool_use", { message_id: "m", tool_use_id: "t", tool_name: "Bash", input: { command: "ls" } }],
    ["permission_request", { correlation_id: "t", tool_name: "Bash", input: {}, context: {} }],
    ["prompt_resolved", { correlation_id: "t", kind: "permission", outcome: "answered", behavior: "allow" }],
    ["tool_result", { tool_use_id: "t", output: "x", is_error: false }],
    result,
    ["done", {}],
  );
  const once = reduce(empty(), all);
  let one = empty();
  for (const event of all) one = reduce(one, [event]);
  assert.deepEqual(one, once);
  assert.deepEqual(reduce(once, all), once, "what is read twice counts once");
  assert.deepEqual(
    [once.tools.get("t")!.state, once.settled.get("t")!.behavior, once.prompts.length],
    ["done", "allow", 0],
  );
});

test("messages wait for the running turn, and stand where their own begins", () => {
  const before = reduce(empty(), events(1, said("a"), said("b"), said("c"), text("m1", "x")));
  assert.deepEqual(before.queue, ["b", "c"]);
  const after = reduce(before, events(5, result, text("m2", "y")));
  assert.deepEqual(shape(after), ["user a", "message m1", "result result-5", "user b", "message m2"]);
  assert.deepEqual([after.queue, after.running], [["c"], true]);
  assert.equal(reduce(after, events(7, result, result)).running, false);
});

test("a withdrawn message leaves the queue and says so", () => {
  const state = reduce(
    empty(),
    events(1, said("a"), said("b"), ["error", { code: "message_withdrawn", message: "It does not run." }]),
  );
  assert.deepEqual([state.queue, state.users.get("b")!.state], [[], "withdrawn"]);
});

test("a cancelled message leaves the queue and has no turn", () => {
  const state = reduce(
    empty(),
    events(
      1,
      said("a"),
      said("b"),
      said("c"),
      ["user_message_cancelled", { message_uuid: "b" }],
      result,
      text("m", "x"),
    ),
  );
  assert.deepEqual([state.queue, state.users.get("b")!.state], [[], "cancelled"]);
  assert.deepEqual(shape(state), ["user a", "user b", "result result-5", "user c", "message m"]);
});

test("files that were put back are part of the conversation, a dry run is not", () => {
  const rewind = (dry: boolean): [string, object] => [
    "files_rewound",
    { message_uuid: "a", files: ["/w/x"], dry_run: dry },
  ];
  const dry = reduce(empty(), events(1, said("a"), result, rewind(true)));
  assert.deepEqual(dry.rewound, { seq: 3, message: "a", files: ["/w/x"], dryRun: true });
  const state = reduce(dry, events(4, rewind(false)));
  assert.deepEqual(shape(state), ["user a", "result result-2", "rewound rewound-4"]);
});

test("a sub-agent's messages stand below the call that started it", () => {
  const state = reduce(
    empty(),
    events(
      1,
      ["tool_use", { message_id: "m", tool_use_id: "t", tool_name: "Task", input: {} }],
      ["message_delta", { message_id: "s", delta: { type: "text", text: "inner" }, parent_tool_use_id: "t" }],
    ),
  );
  assert.deepEqual(shape(state), ["message m"]);
  assert.deepEqual(state.tools.get("t")!.children, [{ kind: "message", id: "s" }]);
});

test("an abandoned message is gone", () => {
  const state = reduce(
    empty(),
    events(
      1,
      text("m", "half"),
      ["message_complete", { message_id: "m", message: { content: [] }, abandoned: true }],
      text("n", "whole"),
    ),
  );
  assert.deepEqual(shape(state), ["message n"]);
});

test("what a turn leaves unfinished is stopped", () => {
  const state = reduce(
    empty(),
    events(1, said("a"), ["tool_use", { message_id: "m", tool_use_id: "t", tool_name: "Bash", input: {} }], result),
  );
  assert.deepEqual([state.tools.get("t")!.state, state.messages.get("m")!.writing], ["stopped", false]);
});

test("the state after the replay decides which prompts are open", () => {
  const ask = (id: string): [string, object] => [
    "permission_request",
    { correlation_id: id, tool_name: "Bash", input: {}, context: {} },
  ];
  const before = reduce(empty(), events(1, said("x"), ask("a"), ask("b")));
  const kept = before.prompts[1];
  const state = reduce(
    before,
    events(0, [
      "session_state!",
      {
        status: "requires_action",
        pending: [
          { type: "permission_request", correlation_id: "b" },
          { type: "ask_user_question", correlation_id: "c", questions: {} },
        ],
      },
    ]),
  );
  assert.deepEqual(
    state.prompts.map((prompt) => `${prompt.kind} ${prompt.id}`),
    ["permission b", "question c"],
  );
  assert.equal(state.prompts[0], kept, "what is shown already stays the same");
  const idle = reduce(state, events(0, ["session_state!", { status: "idle", pending: [] }]));
  assert.deepEqual([idle.prompts, idle.running], [[], false]);
});

test("a beginning that is no longer kept is said, a jump over old deltas is not", () => {
  const late = reduce(empty(), events(41, said("later")));
  assert.deepEqual(shape(late), ["note beginning", "user later"]);
  const jumped = reduce(
    reduce(empty(), events(1, ["session_ready", {}], said("a"))),
    events(30, whole("m", [{ type: "text", text: "t" }])),
  );
  assert.deepEqual(shape(jumped), ["user a", "message m"]);
  assert.equal(jumped.seq, 30);
});

test("an outgoing message has arrived when its own event is there, not an older one with the same text", () => {
  const state = reduce(empty(), events(1, said("same", "u1"), result, said("same", "u2")));
  const outgoing = (key: string, after: number): Outgoing => ({ key, content: "same", after, state: "accepted" });
  assert.deepEqual([...arrived([outgoing("k", 2)], state)], ["k"]);
  assert.deepEqual([...arrived([outgoing("k", 3)], state)], []);
  assert.deepEqual([...arrived([outgoing("k", 1), outgoing("l", 1)], state)], ["k"], "one event is one message");
});
