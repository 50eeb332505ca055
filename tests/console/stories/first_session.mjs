// From the link to answers: sign-in, a session, a tool that is allowed, one that is edited, one that is denied with a
// reason, a question.
import { existsSync, readFileSync } from "node:fs";
import { bash, check, equal, host, script } from "../browser.mjs";

export default async function (browser) {
  const window = await browser.window();
  await window.signIn({ keep: false });
  check(!window.page.url().includes("token"), `the token is out of the address: ${window.page.url()}`);
  const stored = await window.page.evaluate(() => JSON.stringify({ ...sessionStorage, ...localStorage }));
  equal(stored, "{}", "what the browser has stored");
  await window.inspect("no-session");

  await window.newSession();
  await window.inspect("new-session");
  await window.say("Hello.");
  await window.sees("You said: Hello.");
  await window.state("Ready");
  equal(await window.said(), ["Hello."], "the user's messages");
  equal(await window.page.getByRole("heading", { level: 1 }).textContent(), "Hello.", "the title");

  await window.say(`Make a file. ${script([bash("toolu_a", "touch made.txt", "Make the file"), "It is made."])}`);
  const prompt = window.prompt("May the agent use Bash?");
  await prompt.waitFor();
  await window.state("Asks you");
  await window.inspect("permission");
  const workspace = await host("workspace");
  check(!existsSync(`${workspace}/made.txt`), "nothing runs before it is allowed");
  await prompt.getByRole("button", { name: /^Allow y/ }).click();
  await prompt.waitFor({ state: "detached" });
  await window.sees("It is made.");
  check(existsSync(`${workspace}/made.txt`), "the allowed command has run");

  await window.say(`Make another. ${script([bash("toolu_b", "touch wrong.txt"), "It is edited."])}`);
  await prompt.getByRole("button", { name: "Edit first" }).click();
  await prompt.getByRole("textbox", { name: "Command" }).fill("echo edited > right.txt");
  await window.inspect("permission-edited");
  await prompt.getByRole("button", { name: "Allow with this" }).click();
  await window.sees("It is edited.");
  equal(readFileSync(`${workspace}/right.txt`, "utf8"), "edited\n", "the edited command's file");
  check(!existsSync(`${workspace}/wrong.txt`), "the command before the edit has not run");

  await window.say(`Remove it. ${script([bash("toolu_c", "rm right.txt"), "It is denied."])}`);
  await prompt.getByRole("button", { name: /^Deny/ }).click();
  await prompt.getByRole("textbox", { name: /Why not/ }).fill("It is still needed.");
  await window.inspect("permission-denied");
  await prompt.getByRole("button", { name: "Deny", exact: true }).click();
  await window.sees("It is denied.");
  check(existsSync(`${workspace}/right.txt`), "the denied command has not run");
  check((await window.text()).includes("It is still needed."), "the reason is the tool's result");

  const questions = [
    {
      question: "Which colour?",
      header: "Colour",
      multiSelect: false,
      options: [
        { label: "Red", description: "like a rose" },
        { label: "Blue", description: "like the sky" },
      ],
    },
    {
      question: "Which sizes?",
      header: "Sizes",
      multiSelect: true,
      options: [
        { label: "Small", description: "fits" },
        { label: "Large", description: "is roomy" },
      ],
    },
  ];
  await window.say(
    `Ask me. ${script([{ tool: "AskUserQuestion", id: "toolu_d", input: { questions } }, "It is answered."])}`,
  );
  const asked = window.prompt("The agent has a question.");
  await asked.waitFor();
  check(await asked.getByRole("button", { name: "Answer", exact: true }).isDisabled(), "nothing is answered yet");
  await asked.getByRole("radio", { name: /Blue/ }).check();
  await asked.getByRole("checkbox", { name: /Small/ }).check();
  await asked
    .getByRole("group", { name: /Which sizes/ })
    .getByRole("textbox", { name: "Something else" })
    .fill("Tiny");
  await window.inspect("question");
  await asked.getByRole("button", { name: "Answer", exact: true }).click();
  await window.sees("It is answered.");
  const answered = await window.text();
  check(answered.includes("Blue") && answered.includes("Small, Tiny"), "the model has the answers");
  await window.state("Ready");
  await window.inspect("conversation");
}
