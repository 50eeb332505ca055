// A whole session without a mouse.
import { bash, check, equal, host, script, token, url } from "../browser.mjs";
import { existsSync } from "node:fs";

export default async function (browser) {
  const window = await browser.window();
  const { page } = window;
  const { keyboard } = page;
  const focused = () =>
    page.evaluate(() => document.activeElement.getAttribute("aria-label") ?? document.activeElement.textContent);
  const waitForFocus = (selector) =>
    page.waitForFunction((wanted) => document.activeElement?.matches(wanted), selector);

  await page.goto(url);
  await waitForFocus('input[type="password"]');
  await keyboard.type(token);
  await keyboard.press("Enter");
  await page.getByRole("navigation", { name: "Sessions" }).waitFor();
  await keyboard.press("Alt+n");
  await page.getByRole("dialog", { name: "New session" }).waitFor();
  await window.inspect("new-session-dialog");
  await keyboard.press("Escape");
  await page.getByRole("dialog").waitFor({ state: "detached" });
  await keyboard.press("Alt+n");
  await page.getByRole("dialog", { name: "New session" }).waitFor();
  await keyboard.press("Tab");
  await keyboard.press("Enter");
  await waitForFocus("#composer");
  await window.ready();

  // The prompt takes the focus, because nobody writes.
  await keyboard.type(
    `Make it. ${script([bash("toolu_a", "touch a.txt"), bash("toolu_b", "touch b.txt"), "It is over."])}`,
  );
  await keyboard.press("Enter");
  await waitForFocus("#prompt");
  equal(await focused(), "May the agent use Bash?", "the focus");
  equal(await page.locator("#prompt button", { hasText: /^Allow y/ }).count(), 1, "the key is named");
  await waitForFocus("#prompt[data-armed]");
  await keyboard.press("y");
  await page.getByText("touch b.txt").last().waitFor();
  await page.waitForFunction(() => document.querySelector(".prompt-input code")?.textContent === "touch b.txt");

  // Somebody writes: the focus stays, and Control and J leads to the prompt.
  await keyboard.press("Control+j");
  await waitForFocus("#prompt[data-armed]");
  await keyboard.press("n");
  await waitForFocus("#prompt input");
  await keyboard.type("One is enough.");
  await keyboard.press("Enter");
  await window.sees("It is over.");
  await waitForFocus("#composer");
  const workspace = await host("workspace");
  equal([existsSync(`${workspace}/a.txt`), existsSync(`${workspace}/b.txt`)], [true, false], "the files");

  const question = {
    question: "Which colour?",
    header: "Colour",
    multiSelect: false,
    options: [
      { label: "Red", description: "r" },
      { label: "Blue", description: "b" },
    ],
  };
  await keyboard.type(
    `Ask. ${script([{ tool: "AskUserQuestion", id: "toolu_q", input: { questions: [question] } }, "It is answered."])}`,
  );
  await keyboard.press("Enter");
  await waitForFocus("#prompt");
  await keyboard.press("Tab");
  await keyboard.press("Space");
  await keyboard.press("ArrowDown");
  await keyboard.press("Tab");
  await keyboard.press("Tab");
  await keyboard.press("Enter");
  await window.sees("It is answered.");
  await page.locator(".tool", { hasText: "Blue" }).last().waitFor();

  // Escape stops a turn.
  await waitForFocus("#composer");
  await keyboard.type(`Hang. ${script([{ hang: 600 }])}`);
  await keyboard.press("Enter");
  await window.state("Works");
  await keyboard.press("Escape");
  await page.getByText("The turn ended early: it was stopped.").waitFor();

  // Screen readers are told what happens.
  check(/ended early|finished/.test(await page.locator('[role="status"]').last().textContent()), "the announcement");

  // Search, choose with the arrow keys.
  const first = window.session();
  await keyboard.press("Alt+n");
  await page.getByRole("dialog", { name: "New session" }).waitFor();
  await keyboard.press("Tab");
  await keyboard.press("Enter");
  await page.waitForFunction((id) => !location.hash.includes(id), first);
  await waitForFocus("#composer");
  await window.ready();
  await keyboard.type("Second.");
  await keyboard.press("Enter");
  await window.sees("You said: Second.");
  await keyboard.press("Control+k");
  await waitForFocus('input[type="search"]');
  await keyboard.type("make");
  await page.waitForFunction(() => document.querySelectorAll(".sessions a").length === 1);
  await window.inspect("search");
  await keyboard.press("ArrowDown");
  await keyboard.press("Enter");
  await page.waitForFunction((id) => location.hash.includes(id), first);
  await window.sees("It is answered.");
}
