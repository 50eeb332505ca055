// What the agent says and does: Markdown, code, thinking, diffs, a list, a sub-agent, pictures in and out, a failure.
import { check, equal, bash, host, script } from "../browser.mjs";
import { writeFileSync } from "node:fs";

const PIXEL =
  "iVBORw0KGgoAAAANSUhEUgAAAAoAAAAKCAYAAACNMs+9AAAAFUlEQVR42mNk+M9Qz0AEYBxVSF+FABJADveWkH6oAAAAAElFTkSuQmCC";

const TEXT = `## A plan

Some *emphasis*, \`code\`, and a [link](https://example.com/page).

- first
- second
  1. inner

| name | size |
|---|---|
| a.rs | 12 |

> A quotation.

\`\`\`rust
fn main() {
    println!("hello"); // greets
}
\`\`\`

The end.`;

export default async function (browser) {
  const window = await browser.window();
  const { page } = window;
  await window.signIn();
  await window.newSession();
  const workspace = await host("workspace");
  writeFileSync(`${workspace}/pixel.png`, Buffer.from(PIXEL, "base64"));
  writeFileSync(`${workspace}/poem.txt`, "one\ntwo\nthree\nfour\nfive\nsix\nseven\neight\n");

  await window.say(`Say it well. ${script([[{ think: "First **this**, then that." }, TEXT]], 5)}`);
  await window.sees("The end.");
  await window.state("Ready");
  const prose = page.locator(".entry.agent .text");
  equal(await prose.getByRole("heading", { name: "A plan" }).count(), 1, "headings");
  equal(await prose.locator("td").allTextContents(), ["a.rs", "12"], "cells");
  check((await prose.locator(".hljs-keyword").count()) > 0, "code has colours");
  const link = prose.getByRole("link", { name: "link" });
  equal(
    [await link.getAttribute("rel"), await link.getAttribute("target")],
    ["noopener noreferrer nofollow", "_blank"],
    "the link",
  );
  const thinking = page.locator("details.thinking");
  equal(await thinking.getAttribute("open"), null, "thinking is folded");
  await thinking.locator("summary").click();
  await thinking.locator("strong").waitFor();
  await window.inspect("markdown");

  const edit = {
    tool: "Edit",
    id: "toolu_edit",
    input: { file_path: `${workspace}/poem.txt`, old_string: "four\nfive", new_string: "4\nfive" },
  };
  const write = {
    tool: "Write",
    id: "toolu_write",
    input: { file_path: `${workspace}/new.py`, content: "def f():\n    return 1\n" },
  };
  const read = (path, id) => ({ tool: "Read", id, input: { file_path: path } });
  await window.say(
    `Work. ${script([read(`${workspace}/poem.txt`, "toolu_r1"), read(`${workspace}/pixel.png`, "toolu_r2"), edit, write, { tool: "TaskCreate", id: "toolu_task", input: { subject: "Test it", description: "Run the tests" } }, bash("toolu_bad", "cat missing.txt"), "All worked."])}`,
  );
  const prompt = page.locator("#prompt");
  await window.prompt("May the agent use Edit?").waitFor();
  equal(await prompt.locator(".line.removed .content").allTextContents(), ["four"], "removed lines");
  equal(await prompt.locator(".line.added .content").allTextContents(), ["4"], "added lines");
  await window.inspect("permission-diff");
  await prompt.getByRole("button", { name: /accept all edits/ }).click();
  await window.sees("All worked.");
  await window.state("Ready");
  equal(
    await page.getByRole("combobox", { name: "Permission mode" }).inputValue(),
    "acceptEdits",
    "the mode that the suggestion sets",
  );
  await page.locator(".tool summary", { hasText: "pixel.png" }).click();
  await page.getByRole("img", { name: "Image from the tool" }).waitFor();
  await page.locator(".tool", { hasText: "No such file" }).first().waitFor();
  await window.inspect("tools");

  const inner = `Look around. ${script([bash("toolu_inner", "echo inside"), "The sub-agent has looked."])}`;
  await window.say(
    `Delegate. ${script([{ tool: "Agent", id: "toolu_agent", input: { description: "Look around", prompt: inner, subagent_type: "general-purpose", run_in_background: false } }, "It came back."])}`,
  );
  await window.sees("It came back.");
  await page
    .getByRole("group", { name: /Sub-agent/ })
    .getByText("echo inside")
    .waitFor();
  await window.state("Ready");
  await window.inspect("sub-agent");

  await page
    .locator('input[type="file"]')
    .setInputFiles({ name: "pixel.png", mimeType: "image/png", buffer: Buffer.from(PIXEL, "base64") });
  await page.getByRole("img", { name: "pixel.png" }).waitFor();
  await window.inspect("picture-to-send");
  await window.say(`How many? ${script(["ECHO_IMAGES"])}`);
  await page.getByRole("img", { name: "Image that you sent" }).waitFor();
  // The practice model answers with the number of pictures in the user's messages.
  await window.sees(/^1$/);

  await page.getByRole("button", { name: /^Details/ }).click();
  await page.getByRole("img", { name: /Cost of the last 4 turns/ }).waitFor();
  await window.inspect("details");
}
