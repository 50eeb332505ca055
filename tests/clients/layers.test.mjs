// Published clients with the examples of the layers, over connections that are cut in the middle.
import assert from "node:assert/strict";
import { test } from "node:test";
import { HttpAgent } from "@ag-ui/client";
import { Chat } from "@ai-sdk/react";
import { DefaultChatTransport } from "ai";
import { EventSource } from "eventsource";
import { cutting } from "./cuts.mjs";
import { resumingFetch } from "./resuming_fetch.mjs";

const words = Array.from({ length: 200 }, (_, index) => `wörd${index}`).join(" ");

const textOf = (message) => message.parts.filter((part) => part.type === "text").map((part) => part.text).join("");

/** The one option that the example `ai_sdk` asks for. */
const prepareSendMessagesRequest = ({ api, id, messages }) => ({ api: `${api}/${id}`, body: { messages } });

function chat(url, id, messages = []) {
  return new Chat({ id, messages, transport: new DefaultChatTransport({ api: `${url}/api/chat`, prepareSendMessagesRequest }) });
}

const question = { id: "q", role: "user", parts: [{ type: "text", text: words }] };

test("ai: a page whose connection was cut finds the whole answer again, after a reload as well", async () => {
  const proxy = await cutting(process.env.AI_SDK_URL, { times: 1 });
  const page = chat(proxy.url, "cut");
  await page.sendMessage({ text: words });
  assert.equal(page.status, "error");
  assert.equal(proxy.cuts, 1);
  const partial = textOf(page.lastMessage);
  assert.ok(page.lastMessage.role === "assistant" && words.startsWith(partial) && partial.length < words.length);

  await page.resumeStream();
  assert.deepEqual([page.status, page.messages.length, textOf(page.lastMessage)], ["ready", 2, words]);
  const reloaded = chat(proxy.url, "cut", [question]);
  await reloaded.resumeStream();
  assert.deepEqual([reloaded.status, reloaded.messages.length, textOf(reloaded.lastMessage)], ["ready", 2, words]);
  proxy.close();
});

test("ai: a reloaded page joins a running answer, the next message has its own, and no chat has none", async () => {
  const url = process.env.AI_SDK_URL;
  const page = chat(url, "reload");
  const sent = page.sendMessage({ text: words });
  while (page.lastMessage?.role !== "assistant") await new Promise((resolve) => setTimeout(resolve, 1));
  const reloaded = chat(url, "reload", [question]);
  await Promise.all([sent, reloaded.resumeStream()]);
  for (const one of [page, reloaded]) assert.equal(textOf(one.lastMessage), words);

  await page.sendMessage({ text: "and again" });
  assert.equal(textOf(page.lastMessage), "and again");
  const newest = chat(url, "reload", [question]);
  await newest.resumeStream();
  assert.equal(textOf(newest.lastMessage), "and again");
  const none = chat(url, "none", [question]);
  await none.resumeStream();
  assert.deepEqual([none.status, none.messages.length, none.error], ["ready", 1, undefined]);
});

test("@ag-ui/client: a run survives its connections, by the option `fetch`", async () => {
  const proxy = await cutting(process.env.AG_UI_URL, { times: 10 });
  const initialMessages = [{ id: "q", role: "user", content: words }];
  const agent = new HttpAgent({ url: `${proxy.url}/agent`, initialMessages, fetch: resumingFetch });
  const seen = [];
  await agent.runAgent({}, { onEvent: ({ event }) => void seen.push(event.type) });
  const said = agent.messages.at(-1);
  assert.deepEqual([said.role, said.content], ["assistant", words]);
  const content = words.split(" ").map(() => "TEXT_MESSAGE_CONTENT");
  assert.deepEqual(seen, ["RUN_STARTED", "TEXT_MESSAGE_START", ...content, "TEXT_MESSAGE_END", "RUN_FINISHED"]);
  assert.equal(proxy.cuts, 10);
  proxy.close();
});

test("eventsource: every event once, by Last-Event-ID alone", async () => {
  const proxy = await cutting(process.env.OPENAI_URL, { times: 5 });
  const path = "/v1/chat/completions";
  const started = await fetch(process.env.OPENAI_URL + path, { method: "POST", headers: { "x-words": "300" }, body: "{}" });
  await started.body.cancel();
  const source = new EventSource(`${proxy.url}${path}?stream_id=${started.headers.get("stream-id")}`);
  const events = [];
  await new Promise((resolve) => {
    source.onmessage = (event) => {
      events.push(event);
      if (event.data === "[DONE]") resolve();
    };
  });
  source.close();
  assert.equal(proxy.cuts, 5);
  assert.deepEqual(events.map((event) => Number(event.lastEventId)), events.map((_, index) => index + 1));
  const said = events.slice(0, -1).map((event) => JSON.parse(event.data).choices[0].delta.content).join("");
  assert.equal(said, Array.from({ length: 300 }, (_, index) => `word ${index} `).join(""));
  proxy.close();
});
