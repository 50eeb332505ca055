// Slash commands and files are offered while they are typed, and taken by keyboard or by touch.
import { mkdirSync, writeFileSync } from "node:fs";
import { equal, host } from "../browser.mjs";

export default async function (browser) {
  const window = await browser.window();
  const { page } = window;
  const { keyboard } = page;
  const workspace = await host("workspace");
  mkdirSync(`${workspace}/src/deep`, { recursive: true });
  for (const name of ["src/main.rs", "src/deep/main_test.rs", "two words.txt"])
    writeFileSync(`${workspace}/${name}`, name);
  await window.signIn();
  await window.newSession();
  await window.say("Hello.");
  await window.sees("You said: Hello.");
  await window.state("Ready");

  const composer = window.composer;
  const list = page.getByRole("listbox");
  const selected = () => list.getByRole("option", { selected: true }).textContent();
  await composer.focus();
  await keyboard.type("/comp");
  await page.getByRole("listbox", { name: "Commands" }).waitFor();
  // Once all of it is typed.
  await list
    .getByRole("option", { selected: true })
    .filter({ hasText: /^\/compact/ })
    .waitFor();
  await window.inspect("commands");
  // A screen reader is told which one is chosen.
  const active = await composer.getAttribute("aria-activedescendant");
  equal(await page.locator(`[id="${active}"]`).getAttribute("aria-selected"), "true", "the active option");
  await page.getByText(/suggestions?: compact/).waitFor({ state: "attached" });
  await keyboard.press("Enter");
  equal(await composer.inputValue(), "/compact ", "the command");
  await list.waitFor({ state: "detached" });

  // Escape closes the list, and does not come back for the same text.
  await composer.fill("");
  await keyboard.type("/");
  await list.waitFor();
  await keyboard.press("Escape");
  await list.waitFor({ state: "detached" });
  equal(await composer.inputValue(), "/", "the text after Escape");

  // Files: by part of their name, over a directory, with a space in the name, in the middle of a text.
  await composer.fill("");
  await keyboard.type("Read @main");
  await page.getByRole("listbox", { name: "Files" }).waitFor();
  await page.getByRole("option", { name: "src/deep/main_test.rs" }).waitFor();
  await window.inspect("files");
  await keyboard.press("ArrowDown");
  equal(await selected(), "src/deep/main_test.rs", "one further down");
  await keyboard.press("ArrowUp");
  await keyboard.press("Tab");
  equal(await composer.inputValue(), "Read @src/main.rs ", "the file");
  await keyboard.type("and @sr");
  await page.getByRole("option", { name: "src/", exact: true }).waitFor();
  await page.getByRole("option", { name: "src/", exact: true }).click();
  equal(await composer.inputValue(), "Read @src/main.rs and @src/", "the directory");
  await page.getByRole("option", { name: "src/deep/", exact: true }).waitFor();
  await keyboard.press("Escape");
  await keyboard.type(" and @words");
  await page.getByRole("option", { name: "two words.txt" }).waitFor();
  await keyboard.press("Enter");
  const message = 'Read @src/main.rs and @src/ and @"two words.txt"';
  equal(await composer.inputValue(), `${message} `, "a name with a space");
  await keyboard.press("Enter");
  await window.sees(`You said: ${message}`);

  // Whoever writes past the list sends what is written.
  await composer.fill("No file @nothing-like-this");
  await keyboard.press("Enter");
  await window.sees("You said: No file @nothing-like-this");

  const phone = await browser.window({ phone: true });
  await phone.signIn();
  await phone.open(window.session());
  await phone.composer.tap();
  await phone.page.keyboard.type("See @tw");
  await phone.page.getByRole("option", { name: "two words.txt" }).waitFor();
  await phone.inspect("phone-files");
  await phone.page.getByRole("option", { name: "two words.txt" }).tap();
  equal(await phone.composer.inputValue(), 'See @"two words.txt" ', "a file by touch");
  await phone.composer.fill("");
  await phone.page.keyboard.type("/");
  await phone.page.getByRole("listbox", { name: "Commands" }).waitFor();
  await phone.inspect("phone-commands");
}
