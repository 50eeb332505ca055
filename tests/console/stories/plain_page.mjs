// The page without a library: through a restart of the server, with a ticket that has expired meanwhile.
import { bash, check, equal, host, script, token, url } from "../browser.mjs";
import { openExample, serveExamples, signIn, write } from "../foreign_page.mjs";

export default async function (browser) {
  const address = `${await serveExamples("")}/plain.html`;
  const one = await openExample(browser, address);
  const id = new URL(one.page.url()).hash.slice(1);
  const two = await openExample(browser, address, id);
  const tabs = [one, two];
  const all = (wait) => Promise.all(tabs.map(({ page }) => wait(page)));
  const lines = ({ page }) => page.getByRole("list", { name: "Messages" }).locator("> li").allTextContents();
  const line = (page, text) => page.locator("#log > li").getByText(text, { exact: true }).waitFor();
  const prompt = (page) => page.getByLabel("Permission");
  // Each ticket has expired once it was used: when the browser comes with it again, the answer is 401.
  const tickets = [];
  await one.page.context().route("**/stream?*", (route) => {
    const ticket = new URL(route.request().url()).searchParams.get("ticket");
    const known = tickets.includes(ticket);
    tickets.push(ticket);
    return known ? route.fulfill({ status: 401, headers: { "access-control-allow-origin": "*" } }) : route.continue();
  });
  await one.page.reload();
  await signIn(one.page);

  await write(one.page, `Ask. ${script([bash("toolu_a", "touch a.txt"), "First."])}`);
  await all((page) => prompt(page).waitFor());
  await one.inspect("plain");
  await host("kill");
  await all((page) => page.getByText("Offline").waitFor());
  await write(two.page, "From the tunnel.");
  await host("start");
  await all((page) => prompt(page).waitFor());
  await prompt(two.page).getByRole("button", { name: "allow" }).click();
  await all((page) => line(page, "First."));
  await all((page) => line(page, "You said: From the tunnel."));
  await all((page) => prompt(page).waitFor({ state: "detached" }));
  const [first, second] = await Promise.all(tabs.map(lines));
  equal(second, first, "the two tabs");
  equal(first.filter((text) => text === "You: From the tunnel.").length, 1, "the message from the tunnel");
  check(new Set(tickets).size > 1 && tickets.length > new Set(tickets).size, `tickets: ${tickets}`);

  await fetch(`${url}/sessions/${id}`, { method: "DELETE", headers: { authorization: `Bearer ${token}` } });
  await all((page) => page.getByText("This session has ended.").waitFor());
}
