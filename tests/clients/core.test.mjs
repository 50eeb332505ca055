// The published @agent-webkit/core, with the server at AGENT_URL.
import assert from "node:assert/strict";
import net from "node:net";
import { test } from "node:test";
import { TransportError, createAgentClient } from "@agent-webkit/core";
import { Reader, bash, baseUrl, client, counted, script, token } from "./story.mjs";

test("create, send, stream, close", async () => {
  const session = await client.createSession();
  const reader = new Reader(session);
  const ready = await reader.until("session_ready");
  assert.deepEqual(ready.data, { session_id: session.id, protocol_version: session.protocolVersion });

  await session.send(script("Hello from the model."));
  const complete = await reader.until("message_complete");
  assert.deepEqual(complete.data.message.content, [{ type: "text", text: "Hello from the model." }]);
  await reader.until("result");
  assert.equal(reader.text(), "Hello from the model.");

  const other = new Reader(client.attachSession(session.id, { resumeFromEventId: "1" }));
  await other.until("result");
  assert.equal(other.ids()[0], 2);
  await session.close();
  await other.until("done");
  await assert.rejects(session.send("too late"), (error) => error instanceof TransportError && error.status === 404);
});

test("approve once, 409 afterwards", async () => {
  const session = await client.createSession();
  const reader = new Reader(session);
  await session.send(script(bash("toolu_approve", "touch approved"), "made"));
  const request = await reader.until("permission_request");
  assert.equal(request.data.tool_name, "Bash");
  await session.approve(request.data.correlation_id);
  await assert.rejects(
    session.deny(request.data.correlation_id),
    (error) => error instanceof TransportError && error.status === 409,
  );
  const result = await reader.until("tool_result");
  assert.equal(result.data.is_error, false);
  await reader.until("result");
  await session.close();
});

test("answer a question", async () => {
  const session = await client.createSession();
  const reader = new Reader(session);
  const option = (label) => ({ label, description: label });
  const question = { question: "Which?", header: "Which", multiSelect: false, options: [option("A"), option("B")] };
  await session.send(script({ tool: "AskUserQuestion", id: "toolu_ask", input: { questions: [question] } }, "thanks"));
  const request = await reader.until("ask_user_question");
  assert.equal(request.data.questions.questions[0].question, "Which?");
  await session.answer(request.data.correlation_id, [{ question: "Which?", selectedOptions: ["B"] }]);
  const told = await reader.until("tool_result");
  assert.match(told.data.output, /"Which\?"="B"/);
  await reader.until("result");
  await session.close();
});

test("interrupt, change the mode and the model", async () => {
  const session = await client.createSession({ model: "claude-sonnet-4-5" });
  const reader = new Reader(session);
  await session.send(`<<${JSON.stringify({ steps: ["word ".repeat(1000)], token_ms: 50 })}>>`);
  await reader.until("message_delta");
  await session.interrupt();
  await reader.until("result");
  assert.ok(reader.text().length < 5000, "the turn was not cut short");

  await session.setPermissionMode("acceptEdits");
  await session.setModel("claude-haiku-4-5");
  await session.send(script("ECHO_MODEL"));
  const complete = await reader.until("message_complete");
  assert.equal(complete.data.message.content[0].text, "claude-haiku-4-5");
  await reader.until("result");
  await assert.rejects(session.setPermissionMode("bogus"), (error) => error.status === 400);
  await session.close();
});

test("resume across a connection that drops", async () => {
  const upstream = new URL(baseUrl);
  let cut = 0;
  // Forwards bytes, and cuts the connection after a number of bytes of the stream, four times in all.
  const proxy = net.createServer((socket) => {
    const server = net.connect(Number(upstream.port), upstream.hostname);
    let streamed = -Infinity;
    socket.on("data", (request) => {
      if (request.includes("/stream HTTP/1.1")) streamed = 0;
      server.write(request);
    });
    server.on("data", (chunk) => {
      socket.write(chunk);
      streamed += chunk.length;
      if (streamed > 4000 && cut < 4) {
        cut += 1;
        socket.destroy();
      }
    });
    socket.on("close", () => server.destroy());
    server.on("close", () => socket.destroy());
    for (const end of [socket, server]) end.on("error", () => {});
  });
  await new Promise((resolve) => proxy.listen(0, "127.0.0.1", resolve));

  const cutUrl = new URL(baseUrl);
  cutUrl.port = proxy.address().port;
  const session = await createAgentClient({ baseUrl: cutUrl.href.replace(/\/$/, ""), token }).createSession();
  const reader = new Reader(session);
  const words = Array.from({ length: 300 }, (_, index) => `w${index}`).join(" ");
  await session.send(`<<${JSON.stringify({ steps: [words], token_ms: 5 })}>>`);
  await reader.until("result");
  assert.equal(cut, 4);
  assert.equal(reader.text(), words);
  assert.deepEqual(reader.ids(), counted(reader.ids().length));
  await session.close();
  proxy.close();
});
