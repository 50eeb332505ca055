// Takes the README's picture of the console: `node console.mjs URL TOKEN WORKSPACE PICTURE`. The server uses the practice model,
// whose script is in a slash command of the workspace.
import { mkdirSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";

const { chromium } = createRequire(new URL("../../tests/console/browser.mjs", import.meta.url))("playwright-core");
const [url, token, workspace, picture] = process.argv.slice(2);

const notes = `${workspace}/notes.md`;
writeFileSync(notes, "# Release\n\n- Ship the consle.\n- Tell everybody.\n");
const steps = [
  [
    { think: "Read the notes first, then change one word." },
    "I read the notes first.",
    { tool: "Read", id: "toolu_1", input: { file_path: notes } },
  ],
  [
    "There is **one** misspelling, in the first item:",
    {
      tool: "Edit",
      id: "toolu_2",
      input: { file_path: notes, old_string: "Ship the consle.", new_string: "Ship the console." },
    },
  ],
  "Done.",
];
mkdirSync(`${workspace}/.claude/commands`, { recursive: true });
writeFileSync(`${workspace}/.claude/commands/proofread.md`, `Proofread the notes. <<${JSON.stringify({ steps })}>>\n`);

const browser = await chromium.launch({
  executablePath: process.env.AGENT_WEBKIT_CHROMIUM,
  args: ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--hide-scrollbars"],
});
try {
  const page = await browser.newPage({ viewport: { width: 1180, height: 760 }, reducedMotion: "reduce" });
  await page.goto(`${url}/#token=${token}`);
  const session = async (title, message, until) => {
    await page.getByRole("button", { name: "New", exact: true }).click();
    await page.getByLabel("Title", { exact: true }).fill(title);
    await page.getByLabel("Budget").fill("2.50");
    await page.getByRole("button", { name: "Start" }).click();
    const composer = page.getByRole("textbox", { name: "Message to the agent" });
    await composer.fill(message);
    await composer.press("Control+Enter");
    await until.waitFor();
  };
  await session("Which tests are slow?", "Which tests are slow?", page.locator(".entry.agent"));
  await session("Proofread the notes", "/proofread ", page.getByRole("region", { name: "May the agent use Edit?" }));
  await page.mouse.move(0, 0);
  await page.screenshot({ path: picture });
} finally {
  await browser.close();
}
