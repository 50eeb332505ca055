// The npm package `resumable-stream` on Redis, as its README shows it, behind Node's own HTTP server.
import http from "node:http";
import { createResumableStreamContext } from "resumable-stream";

const context = createResumableStreamContext({ waitUntil: (promise) => void promise.catch(() => {}) });

/** A stream of so many events, so many ms apart, each of so many bytes. With `hold` it stays open and silent. */
function source({ events, pace, bytes, hold }) {
  const filler = "x".repeat(Math.max(0, bytes - 20));
  return new ReadableStream({
    start(controller) {
      let sent = 0;
      const timer = setInterval(() => {
        if (sent < events) {
          controller.enqueue(`data: {"n":${String(sent).padStart(6, "0")},"text":"${filler}"}\n\n`);
          sent += 1;
        } else {
          clearInterval(timer);
          if (!hold) controller.close();
        }
      }, pace);
    },
  });
}

async function answer(request, response) {
  const url = new URL(request.url, "http://localhost");
  if (url.pathname === "/gc") {
    globalThis.gc();
    response.end();
    return;
  }
  const number = (name) => Number(url.searchParams.get(name) ?? 0);
  const settings = { events: number("events"), pace: number("pace"), bytes: number("bytes"), hold: number("hold") };
  const id = url.pathname;
  const stream = settings.events
    ? await context.createNewResumableStream(id, () => source(settings))
    : await context.resumeExistingStream(id, number("characters"));
  if (!stream) {
    response.writeHead(422).end();
    return;
  }
  response.writeHead(200, { "content-type": "text/event-stream" });
  const reader = stream.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    // A client that is gone is not waited for; the stream goes on without it.
    if (response.destroyed) continue;
    if (!response.write(value)) {
      await Promise.race(["drain", "close"].map((name) => new Promise((done) => response.once(name, done))));
    }
  }
  response.end();
}

const server = http.createServer((request, response) => {
  answer(request, response).catch((error) => {
    console.error(`${request.url}: ${error.message}`);
    if (!response.headersSent) response.writeHead(500);
    response.end();
  });
});
server.listen(0, "127.0.0.1", () => console.log(`listening on http://127.0.0.1:${server.address().port}`));
