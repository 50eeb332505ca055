// The reducer of the published @agent-webkit/react, with events of our stream.
import assert from "node:assert/strict";
import { test } from "node:test";
import { initialState, reduce } from "@agent-webkit/react";
import { Reader, bash, client, script } from "./story.mjs";

test("messages, prompts and cost end right", async () => {
  const session = await client.createSession();
  const reader = new Reader(session);
  let state = initialState;
  let reduced = 0;
  // Reduces the events as the hook does.
  const until = async (name) => {
    const event = await reader.until(name);
    for (; reduced < reader.seen.length; reduced += 1) {
      state = reduce(state, { type: "server_event", event: reader.seen[reduced] });
    }
    return event;
  };

  const first = script([{ think: "A file." }, "I make it.", bash("toolu_made", "touch reduced")], "Made.");
  state = reduce(state, { type: "local_user_message", localId: "local-1", content: first });
  await session.send(first);
  const request = await until("permission_request");
  assert.equal(state.status, "awaiting_permission");
  assert.equal(state.pendingPermission.correlation_id, "toolu_made");
  await session.approve(request.data.correlation_id);
  state = reduce(state, { type: "permission_resolved", correlationId: request.data.correlation_id });
  await until("result");

  await session.send("And again.");
  const result = await until("result");

  assert.equal(state.status, "idle");
  assert.equal(state.pendingPermission, null);
  assert.equal(state.pendingQuestion, null);
  assert.equal(state.lastError, null);
  assert.ok(state.totalCostUsd > 0);
  assert.ok(Math.abs(state.totalCostUsd - result.data.session_cost_usd) < 1e-9, "the sum of the turns is the session's");

  const shapes = state.messages.map((message) =>
    message.kind === "assistant" ? message.content.map((block) => block.type).join(" ") : message.kind,
  );
  assert.deepEqual(shapes, ["user", "thinking text tool_use", "tool_result", "text", "text"]);
  const assistants = state.messages.filter((message) => message.kind === "assistant");
  assert.ok(assistants.every((message) => !message.streaming));
  assert.equal(assistants[0].content[1].text, "I make it.");
  assert.equal(assistants[1].content[0].text, "Made.");
  assert.equal(assistants[2].content[0].text, "You said: And again.");
  await session.close();
});

// What the table in docs/clients.md says of this hook, as far as it is its reducer's doing.
test("the published reducer keeps one prompt, and messages that were given up", () => {
  const after = (...events) =>
    events.reduce((state, [event, data], at) => reduce(state, { type: "server_event", event: { id: at + 1, event, data } }), initialState);
  const ask = (correlation_id) => ["permission_request", { correlation_id, tool_name: "Bash", input: {} }];
  assert.equal(after(ask("a"), ask("b")).pendingPermission.correlation_id, "b");
  const resolved = ["prompt_resolved", { correlation_id: "b", kind: "permission", outcome: "answered" }];
  assert.equal(after(ask("a"), ask("b"), resolved).pendingPermission.correlation_id, "b");
  const abandoned = ["message_complete", { message_id: "m", message: { id: "m", role: "assistant", content: [] }, abandoned: true }];
  assert.deepEqual(after(abandoned).messages.map(({ id, content }) => [id, content]), [["m", []]]);
  assert.equal(after(["done", {}]).status, "idle");
});
