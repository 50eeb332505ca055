// Two windows and a phone on one session, through prompts, answers, a queue, a reload, and a killed server.
import { bash, check, equal, host, script } from "../browser.mjs";

export default async function (browser) {
  const [one, two, phone] = await Promise.all([
    browser.window(),
    browser.window({ dark: true }),
    browser.window({ phone: true }),
  ]);
  const all = [one, two, phone];
  await Promise.all(all.map((window) => window.signIn()));
  const id = await one.newSession();
  await Promise.all([two.open(id), phone.open(id)]);

  const agree = async (what) => {
    const [first, ...others] = await Promise.all(all.map((window) => window.text()));
    for (const other of others) equal(other, first, what);
  };

  await one.say(`Ask. ${script([bash("toolu_a", "touch a.txt"), "First answer."])}`);
  await Promise.all(all.map((window) => window.prompt("May the agent use Bash?").waitFor()));
  await phone.inspect("phone-permission");
  await two.inspect("dark-permission");
  await phone
    .prompt("May the agent use Bash?")
    .getByRole("button", { name: /^Allow/ })
    .first()
    .click();
  await Promise.all(all.map((window) => window.sees("First answer.")));
  for (const window of all) equal(await window.page.locator("#prompt").count(), 0, "open prompts");

  // A message from another window, queued while a turn runs, with a reload in the middle of it.
  await two.say(
    `Slowly. ${script([[..."abcdefghij"].map((letter) => letter + letter).join(" ") + " slow end."], 120)}`,
  );
  await one.sees(/aa bb/);
  await phone.composer.fill("Queued from the phone.");
  await phone.page.getByRole("button", { name: "Queue" }).click();
  await Promise.all(all.map((window) => window.page.locator(".entry.user.queued").waitFor()));
  await one.page.reload();
  await Promise.all(all.map((window) => window.sees("You said: Queued from the phone.")));
  await Promise.all(all.map((window) => window.state("Ready")));
  equal(
    (await one.said()).map((text) => text.split(" <<")[0]),
    ["Ask.", "Slowly.", "Queued from the phone."],
    "the messages after the reload",
  );
  await agree("after the reload");

  // The server dies while a prompt is open.
  await one.say(`Ask again. ${script([bash("toolu_b", "touch b.txt"), "Second answer."])}`);
  await Promise.all(all.map((window) => window.prompt("May the agent use Bash?").waitFor()));
  await host("kill");
  await Promise.all(all.map((window) => window.page.getByText("Offline.").waitFor()));
  await phone.inspect("phone-offline");
  await one.inspect("offline");
  await two.composer.fill("Half a thought");
  await host("start");
  await Promise.all(all.map((window) => window.page.getByText("Offline.").waitFor({ state: "detached" })));
  await Promise.all(all.map((window) => window.prompt("May the agent use Bash?").waitFor()));
  equal(await two.composer.inputValue(), "Half a thought", "what was typed");
  await one
    .prompt("May the agent use Bash?")
    .getByRole("button", { name: /^Allow/ })
    .first()
    .click();
  await Promise.all(all.map((window) => window.sees("Second answer.")));
  await Promise.all(all.map((window) => window.state("Ready")));
  check((await one.text()).includes("First answer."), "the conversation before the kill");
  await agree("after the kill");
  await phone.inspect("phone-conversation");
  await two.inspect("dark-conversation");

  // Deleted in one window: the others say so.
  await one.page.getByRole("button", { name: "Delete this session" }).click();
  await one.inspect("delete");
  await one.page.getByRole("dialog").getByRole("button", { name: "Delete", exact: true }).click();
  await one.page.getByRole("heading", { name: "No session is open" }).waitFor();
  await Promise.all(
    [two, phone].map((window) => window.page.getByText("This session has ended. Start a new one").waitFor()),
  );
  await two.inspect("ended");
  await two.page.reload();
  await two.page.getByRole("heading", { name: "This session is gone" }).waitFor();
  equal(await two.page.getByRole("textbox", { name: /not sent/ }).inputValue(), "Half a thought", "what was typed");
  await two.inspect("gone");
  await phone.page.getByRole("button", { name: "All sessions" }).click();
  await phone.inspect("phone-sessions");
}
