// Tokens: a wrong one, one that expires in the middle of work, and what is left behind of them.
import { equal, host, token, url } from "../browser.mjs";

export default async function (browser) {
  const window = await browser.window();
  const { page } = window;
  await page.goto(url);
  await page.getByRole("heading", { name: "agent-webkit" }).waitFor();
  await window.inspect("sign-in");
  await page.getByLabel("Token").fill("wrong");
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByText("The server does not accept this token.").waitFor();
  await window.inspect("sign-in-refused");
  await page.getByLabel("Token").fill("wörng");
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByText(/visible ASCII/).waitFor();
  await page.getByLabel("Token").fill(token);
  await page.getByRole("checkbox", { name: /Stay signed in/ }).check();
  await page.getByLabel("Token").press("Enter");
  const id = await window.newSession();
  await window.say("Before.");
  await window.sees("You said: Before.");
  await page.reload();
  await window.sees("You said: Before.");

  // The operator changes the token while somebody writes.
  await window.composer.fill("Half a thought");
  await host("kill");
  await host("token another-token");
  await host("start");
  await page.getByRole("dialog", { name: "Sign in again" }).waitFor();
  await window.inspect("sign-in-again");
  equal(await page.evaluate(() => sessionStorage.getItem("token")), null, "the refused token is forgotten");
  await page.getByLabel("Token").fill("another-token");
  await page.getByLabel("Token").press("Enter");
  await page.getByRole("dialog").waitFor({ state: "detached" });
  await window.state(/Ready|Asleep/);
  equal(await window.composer.inputValue(), "Half a thought", "what was typed");
  await window.composer.press("Enter");
  await window.sees("You said: Half a thought");

  // Without "stay signed in" a reload asks again.
  await page.reload();
  await page.getByRole("heading", { name: "agent-webkit" }).waitFor();
  await page.goto(`${url}/#token=another-token&keep=1`);
  await page.getByRole("navigation", { name: "Sessions" }).waitFor();
  await window.open(id);
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.getByRole("heading", { name: "agent-webkit" }).waitFor();
  equal(await page.evaluate(() => sessionStorage.getItem("token")), null, "the token after signing out");
  await page.reload();
  await page.getByRole("heading", { name: "agent-webkit" }).waitFor();
}
