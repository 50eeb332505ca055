// Each way in which a stream or a request may fail has its own plain state, and none is an exception.
import { equal } from "../browser.mjs";

const ID = "#/00000000-0000-4000-8000-000000000000";

function events(list, { closes = true } = {}) {
  const body = list
    .map(([seq, name, data]) => `${seq ? `id: ${seq}\n` : ""}event: ${name}\ndata: ${JSON.stringify(data)}\n\n`)
    .join("");
  return (route) => (closes ? route.fulfill({ status: 200, contentType: "text/event-stream", body }) : undefined);
}

const refuses =
  (status, detail, headers = {}) =>
  (route) =>
    route.fulfill({ status, headers, contentType: "application/json", body: JSON.stringify({ detail }) });
const said = (seq, text) => [seq, "user_message", { content: text, message_uuid: `u${seq}` }];
const idle = [0, "session_state", { status: "idle", pending: [] }];

export default async function (browser) {
  const window = await browser.window();
  const { page } = window;
  const asked = [];
  let answers = [];
  await page.context().route("**/stream", (route) => {
    asked.push(route.request().headers()["last-event-id"] ?? "");
    // The last answer is silence: the stream is open.
    return answers.shift()?.(route);
  });
  await window.signIn();
  const play = async (...list) => {
    asked.length = 0;
    answers = list;
    await page.evaluate(() => (location.hash = "#/"));
    await page.getByRole("heading", { name: "No session is open" }).waitFor();
    await page.evaluate((hash) => (location.hash = hash), ID);
  };
  const banner = page.locator(".banner");

  await play(
    events([
      [1, "session_ready", {}],
      said(2, "Before."),
      idle,
      [0, "error", { code: "evicted", message: "This reader fell too far behind." }],
    ]),
    events([said(3, "After.")]),
  );
  await page.getByText("After.").waitFor();
  equal(asked.slice(0, 2), ["", "2"], "where the stream is taken up");
  equal(await window.said(), ["Before.", "After."], "the messages");

  await play(
    events([
      [1, "session_ready", {}],
      idle,
      [0, "error", { code: "server_shutdown", message: "The server shuts down." }],
    ]),
    refuses(503, "the session moves to another host", { "retry-after": "30" }),
  );
  await banner.getByText("The session moves to another host.").waitFor();
  await window.inspect("moving");
  answers = [events([said(2, "Moved.")])];
  await page.getByRole("button", { name: "Try now" }).click();
  await page.getByText("Moved.").waitFor();

  await play(refuses(403, "the credential lacks the scope read, which this request needs"));
  await page.getByRole("heading", { name: "This session can't be read" }).waitFor();
  await page.getByText("lacks the scope read").waitFor();
  await window.inspect("forbidden");

  await play(refuses(502, "<html>"));
  await banner.waitFor();

  // Nobody asks any more.
  await play(events([[1, "session_ready", {}], said(2, "Bye."), [3, "done", {}]]));
  await page.getByText("This session has ended. Start a new one").waitFor();
  equal(asked.length, 1, "requests after the end");

  // What this page doesn't know is no mistake.
  await play(
    events([
      [1, "session_ready", {}],
      [2, "news", { a: 1 }],
      [3, "message_delta", {}],
      [4, "message_complete", {}],
      [5, "tool_result", {}],
      [6, "result", {}],
      said(7, "Known."),
      idle,
    ]),
  );
  await page.getByText("Known.").waitFor();
}
