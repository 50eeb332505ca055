// Events that the practice model can't bring about, such as those of hooks and of servers with evil names: the page gets
// them in place of the session's stream. What the page sends is kept.

/** Serves these events, `[name, data]`, as the stream of every session. Returns what the page sends. */
export async function fakeStream(page, events) {
  const sent = [];
  const frames = [["session_ready", { session_id: "x", protocol_version: "1.0" }], ...events].map(([name, data], at) =>
    frame(name, data, at + 1),
  );
  let first = true;
  await page.context().route("**/stream", async (route) => {
    // The stream ends at once. Connected again, the page would be told the same: it waits for an answer instead.
    if (!first) return;
    first = false;
    await route.fulfill({ status: 200, contentType: "text/event-stream", body: frames.join("") });
  });
  await page.context().route("**/input", async (route) => {
    sent.push(route.request().postDataJSON());
    await route.fulfill({ status: 204 });
  });
  return sent;
}

function frame(name, data, seq) {
  // The state of a session is the one frame without a number.
  const id = name === "session_state" ? "" : `id: ${seq}\n`;
  return `${id}event: ${name}\ndata: ${JSON.stringify(data)}\n\n`;
}
