// A server that needs no token: the page asks for none.
import { equal, url } from "../browser.mjs";

export default async function (browser) {
  const window = await browser.window();
  await window.page.goto(url);
  await window.newSession();
  await window.say("Hello.");
  await window.sees("You said: Hello.");
  equal(await window.page.getByRole("button", { name: "Sign out" }).count(), 0, "a way to sign out");
}
