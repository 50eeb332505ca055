// The React example in two tabs, with the published hook beside it. What the published hook does is the table in
// docs/clients.md.
import { bash, check, equal, host, script, token, url } from "../browser.mjs";
import { openExample, serveExamples, signIn, write } from "../foreign_page.mjs";

export default async function (browser) {
  const examples = await serveExamples("react/dist");
  const page = `${examples}/index.html`;
  const one = await openExample(browser, page);
  const id = new URL(one.page.url()).hash.slice(1);
  const two = await openExample(browser, page, id);
  const tabs = [one, two];
  const all = (wait) => Promise.all(tabs.map(({ page }) => wait(page)));
  const lines = ({ page }) => page.getByRole("list", { name: "Messages" }).locator("> li").allTextContents();
  const agree = async (what) => equal(await lines(two), await lines(one), what);
  const prompt = (page) => page.getByRole("region", { name: "Permission" });
  const said = (page, text) => page.locator(".assistant", { hasText: text }).waitFor();

  // A prompt is answered in the other tab.
  await write(one.page, `Ask. ${script([bash("toolu_a", "touch a.txt"), "First."])}`);
  await all((page) => prompt(page).waitFor());
  await one.inspect("react-prompt");
  await prompt(two.page).getByRole("button", { name: "Allow" }).click();
  await all((page) => said(page, "First."));
  await all((page) => prompt(page).waitFor({ state: "detached" }));
  await all((page) => page.getByText("Ready", { exact: true }).waitFor());
  check((await lines(two))[0].startsWith("Ask."), "the message of the other tab");
  await agree("after the answer");
  await two.page.reload();
  await signIn(two.page);
  await said(two.page, "First.");
  await agree("after a reload");

  // The published hook attaches: no message of a user, and the prompt that was answered.
  const published = await openExample(browser, `${examples}/published.html`, id);
  await said(published.page, "First.");
  equal(await published.page.locator(".user").count(), 0, "messages of users, published");
  await prompt(published.page).getByText("touch a.txt").waitFor();
  await prompt(published.page).getByRole("button", { name: "Allow" }).click();
  await published.page.getByRole("alert").getByText("Conflict").waitFor();

  // A prompt that another tab answers stays open in it.
  await write(one.page, `Ask again. ${script([bash("toolu_b", "touch b.txt"), "Second."])}`);
  await prompt(published.page).getByText("touch b.txt").waitFor();
  await prompt(one.page).getByRole("button", { name: "Allow" }).click();
  await all((page) => said(page, "Second."));
  await said(published.page, "Second.");
  await all((page) => prompt(page).waitFor({ state: "detached" }));
  equal(await prompt(published.page).count(), 1, "prompts that stay, published");

  // The server is away. What is written meanwhile is sent once when it is back; the published hook shows it as sent, and
  // never sends it.
  for (const { page } of [one, published])
    await page
      .context()
      .route("**/stream", (route) =>
        route.request().headers()["last-event-id"]
          ? route.fulfill({ status: 412, headers: { "access-control-allow-origin": "*" }, body: '{"detail":"gone"}' })
          : route.continue(),
      );
  await host("kill");
  await all((page) => page.getByText("Offline").waitFor());
  await write(one.page, "From the tunnel.");
  await one.page.getByText("Not sent yet.").waitFor();
  await one.inspect("react-offline");
  await write(published.page, "Lost.");
  await published.page.getByRole("alert").getByText("Failed to fetch").waitFor();
  equal(await published.page.locator(".user").allTextContents(), ["Lost."], "a message that was never sent, published");
  await host("start");
  await all((page) => said(page, "You said: From the tunnel."));

  // What followed the last event was no longer there, as far as this tab knows: it has begun again and lacks nothing.
  await all((page) => page.getByText("Ready", { exact: true }).waitFor());
  equal((await lines(one)).filter((text) => text === "From the tunnel.").length, 1, "the message from the tunnel");
  check(!(await lines(one)).some((text) => text.includes("Lost.")), "what the published hook has not sent");
  await agree("after the restart");
  await published.page.getByText(/Server has evicted/).waitFor();

  // Deleted elsewhere.
  await fetch(`${url}/sessions/${id}`, { method: "DELETE", headers: { authorization: `Bearer ${token}` } });
  await all((page) => page.getByText("This session has ended.").waitFor());
  await one.page.reload();
  await signIn(one.page);
  await one.page.getByText("The server refuses the stream: 404.").waitFor();
}
