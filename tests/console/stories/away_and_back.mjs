// A network that breaks: what is written meanwhile is kept and takes effect once; a jump beyond the window starts again.
import { check, equal, host, script } from "../browser.mjs";

export default async function (browser) {
  const base = await host("network");
  const window = await browser.window({ base });
  const { page } = window;
  const context = page.context();
  await window.signIn();
  const id = await window.newSession();

  // Cut in the middle of a text: it arrives whole.
  const words = Array.from({ length: 40 }, (_, at) => `w${at}`).join(" ");
  await window.say(`Speak. ${script([words], 40)}`);
  await window.sees(/w5 /);
  await host("cut");
  await window.sees(words);
  await window.state("Ready");
  equal((await page.locator(".entry.agent").last().textContent()).trim(), words, "the text over the cut");

  // The answer to a message is lost, after the server has taken it: sent again, it runs once.
  let lost = 0;
  await context.route("**/input", async (route) => {
    if (lost > 0) return route.continue();
    lost += 1;
    await route.fetch();
    await route.abort();
  });
  const again = page.waitForResponse((response) => response.url().endsWith("/input") && response.status() === 204);
  await window.say("Once only.");
  await again;
  // A second one would be answered before this.
  await window.say("After it.");
  await window.sees("You said: After it.");
  equal([lost, (await window.said()).filter((text) => text === "Once only.").length], [1, 1], "lost answers, messages");
  await context.unroute("**/input");

  // Written while away, kept over a reload, sent once when the network is back.
  await context.setOffline(true);
  await host("cut");
  await page.getByText("Offline.").waitFor();
  await window.say("From the tunnel.");
  await page.getByText("Not sent yet.").waitFor();
  await window.composer.fill("A draft");
  await window.inspect("written-offline");
  await context.setOffline(false);
  await page.getByText("Offline.").waitFor({ state: "detached" });
  await window.sees("You said: From the tunnel.");
  equal((await window.said()).filter((text) => text === "From the tunnel.").length, 1, "the message from the tunnel");
  equal(await window.composer.inputValue(), "A draft", "the draft");
  await page.reload();
  await window.ready();
  equal(await window.composer.inputValue(), "A draft", "the draft after a reload");
  equal((await window.said()).filter((text) => text === "From the tunnel.").length, 1, "the message after a reload");

  // A message that the server refuses stays, with the reason.
  await context.route("**/input", (route) =>
    route.fulfill({ status: 413, contentType: "application/json", body: '{"detail":"the body is too large"}' }),
  );
  await window.say("Too large.");
  await page.getByText("Not sent. The body is too large.").waitFor();
  await window.inspect("refused-message");
  await window.composer.fill("");
  await page.getByRole("button", { name: "Edit" }).click();
  await page.getByText("Not sent.").waitFor({ state: "detached" });
  // The refused message, to be written again.
  await page.waitForFunction(() => document.getElementById("composer").value === "Too large.");
  await window.composer.fill("");
  await context.unroute("**/input");

  // Away for longer than the server keeps events: 412, and the page begins again with what there is.
  await context.setOffline(true);
  await host("cut");
  await page.getByText("Offline.").waitFor();
  const direct = await (await browser.window()).signIn();
  await direct.open(id);
  for (const round of [1, 2]) {
    await direct.say(`Round ${round}. ${script([Array.from({ length: 60 }, (_, at) => `r${at}`).join(" "), ""])}`);
    await direct.page
      .locator(".entry.agent")
      .nth(round + 3)
      .getByText("r59")
      .waitFor();
  }
  await direct.say("The last round.");
  await direct.sees("You said: The last round.");
  let gone = 0;
  page.on("response", (response) => (gone += response.status() === 412 ? 1 : 0));
  await context.setOffline(false);
  await window.sees("You said: The last round.");
  await page.getByText("The beginning of this conversation is no longer kept by the server.").waitFor();
  await window.inspect("beginning-gone");
  check(gone > 0, "the server has answered 412");
}
