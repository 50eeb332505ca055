// A conversation's past: files are put back as they were before a message, a fork begins after one, and a message that waits
// is cancelled.
import { existsSync, readFileSync } from "node:fs";
import { check, equal, host, script } from "../browser.mjs";

const write = (id, file_path, content) => ({ tool: "Write", id, input: { file_path, content } });

export default async function (browser) {
  const window = await browser.window();
  const { page } = window;
  const { keyboard } = page;
  await window.signIn();
  const id = await window.newSession();
  await page.getByRole("combobox", { name: "Permission mode" }).selectOption("acceptEdits");
  await page.waitForFunction(() => document.querySelector(".head-tools select").value === "acceptEdits");
  const workspace = await host("workspace");
  const poem = `${workspace}/poem.txt`;
  await window.say(`One. ${script([write("toolu_1", poem, "one\n"), "First."])}`);
  await window.sees("First.");
  await window.state("Ready");
  await window.say(
    `Two. ${script([{ tool: "Read", id: "toolu_r", input: { file_path: poem } }, write("toolu_2", poem, "two\n"), write("toolu_3", `${workspace}/new.txt`, "new\n"), "Second."])}`,
  );
  await window.sees("Second.");
  await window.state("Ready");
  equal(readFileSync(poem, "utf8"), "two\n", "the file");

  // Another window sees that the files were put back, but not the dry run.
  const other = await browser.window({ phone: true });
  await other.signIn();
  await other.open(id);

  // By keyboard: the second message's actions come after its text.
  await page
    .locator(".entry.user")
    .nth(1)
    .getByRole("button", { name: /^Rewind/ })
    .focus();
  await keyboard.press("Enter");
  const rewind = page.getByRole("dialog", { name: "Rewind the files" });
  const files = rewind.getByRole("list", { name: "Files that change" });
  await files.waitFor();
  equal((await files.locator("code").allTextContents()).sort(), ["new.txt", "poem.txt"], "what the dry run says");
  equal(readFileSync(poem, "utf8"), "two\n", "a dry run changes nothing");
  await window.inspect("rewind");
  await keyboard.press("Escape");
  await rewind.waitFor({ state: "detached" });
  equal(await page.getByText("put back as before").count(), 0, "nothing was put back");
  await keyboard.press("Enter");
  await files.waitFor();
  await rewind.getByRole("button", { name: "Put them back" }).focus();
  await keyboard.press("Enter");
  await rewind.waitFor({ state: "detached" });
  await Promise.all(
    [window, other].map((one) => one.page.getByText("2 files were put back as before “Two.").waitFor()),
  );
  equal([readFileSync(poem, "utf8"), existsSync(`${workspace}/new.txt`)], ["one\n", false], "the files after it");
  await window.inspect("rewound");
  await other.inspect("phone-rewound");
  equal(await other.page.getByText("put back as before").count(), 1, "notes in the other window");

  // Without a checkpoint the dialog has the agent's words.
  await page.context().route("**/input", (route) =>
    route.fulfill({
      status: 400,
      contentType: "application/json",
      body: '{"detail":"there is no checkpoint for it"}',
    }),
  );
  await page
    .locator(".entry.user")
    .first()
    .getByRole("button", { name: /^Rewind/ })
    .click();
  await rewind.getByText("There is no checkpoint for it.").waitFor();
  check(await rewind.getByRole("button", { name: "Put them back" }).isDisabled(), "there is nothing to put back");
  await rewind.getByRole("button", { name: "Leave them" }).click();
  await page.context().unroute("**/input");

  // A fork after the first message knows the first turn alone, and goes its own way.
  await page.locator(".entry.user").first().getByRole("button", { name: /^Fork/ }).focus();
  await keyboard.press("Enter");
  const fork = page.getByRole("dialog", { name: "Fork this session" });
  await fork.waitFor();
  await window.inspect("fork");
  await fork.getByRole("textbox", { name: /Title/ }).fill("Another way");
  await keyboard.press("Enter");
  await fork.waitFor({ state: "detached" });
  await page.waitForFunction((from) => !location.hash.includes(from), id);
  await window.ready();
  await window.sees("First.");
  equal(await page.getByRole("heading", { level: 1 }).textContent(), "Another way", "the fork's title");
  equal(
    (await window.said()).map((text) => text.split(" <<")[0]),
    ["One."],
    "the messages of the fork",
  );
  await window.say(`What was said? ${script(["ECHO_HISTORY"])}`);
  await page.locator(".entry.agent").last().getByText("One.").waitFor();
  check(!(await page.locator(".entry.agent").last().textContent()).includes("Two."), "the fork's agent knows too much");
  await window.state("Ready");

  // The whole session, from its head.
  await window.open(id);
  await page.getByRole("button", { name: "Fork this session" }).click();
  await fork.getByRole("button", { name: "Fork", exact: true }).click();
  await fork.waitFor({ state: "detached" });
  await page.waitForFunction((from) => !location.hash.includes(from), id);
  await window.sees("Second.");
  equal((await window.said()).length, 2, "the messages of the second fork");

  // A message that waits is cancelled from another window; what comes after it runs.
  await window.open(id);
  await window.say(`Hang. ${script([{ hang: 600 }])}`);
  await window.state("Works");
  await window.say("Never to be run.");
  await page.locator(".entry.user.queued").waitFor();
  await window.say("To be run.");
  await page.locator(".entry.user.queued").nth(1).waitFor();
  await other.page.locator(".entry.user.queued").nth(1).waitFor();
  await other.inspect("phone-queue");
  await window.inspect("queue");
  await other.page
    .locator(".entry.user.queued", { hasText: "Never to be run." })
    .getByRole("button", { name: /^Cancel/ })
    .click();
  await page.getByText("Cancelled before it ran.").waitFor();
  await page.getByRole("button", { name: /^Stop/ }).click();
  await window.sees("You said: To be run.");
  await window.state("Ready");
  check(!(await window.text()).includes("You said: Never to be run."), "the cancelled message has run");
  await page.reload();
  await window.sees("You said: To be run.");
  equal(await page.locator(".entry.user.cancelled .said").allTextContents(), ["Never to be run."], "after a reload");
}
