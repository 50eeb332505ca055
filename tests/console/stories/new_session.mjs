// A session with everything that can be chosen for it, and what its budget does.
import { check, equal, script } from "../browser.mjs";

export default async function (browser) {
  const window = await browser.window();
  const { page } = window;
  const { keyboard } = page;
  await window.signIn();
  await keyboard.press("Alt+n");
  const dialog = page.getByRole("dialog", { name: "New session" });
  await dialog.getByLabel("Profile").fill("unknown");
  await dialog.getByRole("button", { name: "Start" }).click();
  await dialog.getByRole("alert").waitFor();
  await window.inspect("unknown-profile");
  await dialog.getByLabel("Profile").fill("terse");
  await dialog.getByLabel("Title").fill("The quarterly report");
  await dialog.getByLabel("Model").fill("opus");
  await dialog.getByLabel("Permissions").selectOption("acceptEdits");
  await dialog.getByLabel("Budget").fill("0.01");
  await keyboard.press("Enter");
  await dialog.waitFor({ state: "detached" });
  await window.ready();
  equal(await page.getByRole("heading", { level: 1 }).textContent(), "The quarterly report", "the title");
  await page.getByRole("button", { name: "opus" }).waitFor();
  equal(await page.getByRole("combobox", { name: "Permission mode" }).inputValue(), "acceptEdits", "the mode");
  await window.say(`Who are you? ${script(["ECHO_SYSTEM"])}`);
  await window.sees(/You answer in one word/);
  await window.state("Ready");
  await page.getByRole("button", { name: /^Details. Cost so far .* of \$0.01/ }).click();
  await page.getByRole("meter", { name: "Budget in use" }).waitFor();
  await window.inspect("budget");
  await keyboard.press("Escape");

  // The budget is used up in the middle of a turn. What waits is withdrawn, and what is sent after it is refused.
  const steps = Array.from({ length: 200 }, (_, at) => ({
    tool: "Bash",
    id: `toolu_${at}`,
    input: { command: `echo ${at}`, description: "Echo" },
  }));
  await window.say(`Spend. ${script(steps)}`);
  await window.say("This waits.");
  await page.getByText("The turn ended early: its budget is used up.").waitFor();
  await page.getByText("Cancelled before it ran.").waitFor();
  await page.locator(".note.error", { hasText: "used up its budget" }).waitFor();
  await window.say("More.");
  await page.getByText(/Not sent. .*used up its budget/).waitFor();
  await window.inspect("budget-used-up");
  check(!(await window.text()).includes("You said: This waits."), "a message ran beyond the budget");

  const phone = await browser.window({ phone: true });
  await phone.signIn();
  await phone.page.getByRole("button", { name: "New", exact: true }).click();
  await phone.page.getByRole("dialog", { name: "New session" }).waitFor();
  await phone.inspect("phone-new-session");
}
