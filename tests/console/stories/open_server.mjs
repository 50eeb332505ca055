// A server that needs no token: the page asks for none, and a page of another origin still can't use it.
import { equal, url } from "../browser.mjs";
import { servePage } from "../foreign_page.mjs";

export default async function (browser) {
  const window = await browser.window();
  await window.page.goto(url);
  const id = await window.newSession();
  await window.say("Hello.");
  await window.sees("You said: Hello.");
  equal(await window.page.getByRole("button", { name: "Sign out" }).count(), 0, "a way to sign out");

  // What a form could send: the browser asks nobody before it, and tells the page nothing after it.
  const attacker = await window.page.context().newPage();
  await attacker.goto(await servePage("<!doctype html><title>Attack</title>"));
  await attacker.evaluate(
    async ({ url, id }) => {
      const send = (path, body) =>
        fetch(`${url}${path}`, { method: "POST", mode: "no-cors", body: JSON.stringify(body) });
      await send("/sessions", {});
      await send(`/sessions/${id}/input`, { type: "user_message", content: "Not mine." });
    },
    { url, id },
  );
  const { sessions } = await (await fetch(`${url}/sessions`)).json();
  equal(
    sessions.map((session) => session.session_id),
    [id],
    "the sessions",
  );
  await window.say("Still mine.");
  await window.sees("You said: Still mine.");
  equal(await window.said(), ["Hello.", "Still mine."], "the messages");
}
