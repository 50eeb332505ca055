// Chromium's own EventSource with the example `openai_proxy`, over connections that are cut in the middle.
import assert from "node:assert/strict";
import { chromium } from "playwright-core";
import { cutting } from "../clients/cuts.mjs";

const WORDS = 300;
const CUTS = 5;

const proxy = await cutting(process.env.OPENAI_URL, { times: CUTS });
const path = "/v1/chat/completions";
const started = await fetch(process.env.OPENAI_URL + path, {
  method: "POST",
  headers: { "x-words": String(WORDS) },
  body: "{}",
});
await started.body.cancel();
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM,
  // Root has no sandbox.
  args: ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"],
});
const page = await browser.newPage();
// A page of the proxy's origin, which the proxy need not have.
await page.route(`${proxy.url}/page`, (route) =>
  route.fulfill({
    contentType: "text/html",
    body: "<!doctype html><link rel=icon href=data:>",
  }),
);
await page.goto(`${proxy.url}/page`);
const events = await page.evaluate(
  (url) =>
    new Promise((resolve, reject) => {
      const source = new EventSource(url);
      const events = [];
      source.onmessage = ({ data, lastEventId }) => {
        events.push({ data, lastEventId });
        if (data !== "[DONE]") return;
        source.close();
        resolve(events);
      };
      source.onerror = () => source.readyState === EventSource.CLOSED && reject(new Error("it gave up"));
    }),
  `${path}?stream_id=${started.headers.get("stream-id")}`,
);
await browser.close();
proxy.close();
assert.equal(proxy.cuts, CUTS);
assert.deepEqual(
  events.map((event) => Number(event.lastEventId)),
  events.map((_, index) => index + 1),
);
const said = events
  .slice(0, -1)
  .map((event) => JSON.parse(event.data).choices[0].delta.content)
  .join("");
assert.equal(said, Array.from({ length: WORDS }, (_, index) => `word ${index} `).join(""));
process.exit(0);
