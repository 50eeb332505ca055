// What the agent has and does beside its text: context, cost, MCP servers with their tools, background tasks, its to-do list,
// and the components of the host's user interface.
import { check, equal, script } from "../browser.mjs";

export default async function (browser) {
  const window = await browser.window();
  const { page } = window;
  await window.signIn();
  await window.newSession();

  // A component appears as its properties, also while the model writes them.
  const card = {
    city: "Oslo",
    windSpeed: 4.5,
    rain: false,
    days: [
      { day: "Mon", high: 7 },
      { day: "Tue", high: 9 },
    ],
  };
  await window.say(
    `Show it. ${script([{ tool: "mcp__genui__render_weather_card", id: "toolu_card", input: card }, "There it is."])}`,
  );
  await window.sees("There it is.");
  const shown = page.getByRole("group", { name: "Weather card" });
  equal(
    await shown.locator(":scope > .members > div > dt").allTextContents(),
    ["The city", "Wind speed", "Rain", "Days"],
    "the names of the properties",
  );
  equal(
    (await shown.locator("dd").allTextContents()).filter((text) => text.length < 6),
    ["Oslo", "4.5", "no", "Mon", "7", "Tue", "9"],
    "the properties",
  );
  equal(await page.getByText("rendered:weather_card").count(), 0, "the result of a component is no output");
  await window.state("Ready");
  await window.inspect("component");

  // The to-do list, as the agent's calls have left it.
  const task = (id, subject, activeForm) => ({
    tool: "TaskCreate",
    id,
    input: { subject, description: subject, activeForm },
  });
  const update = (id, taskId, status) => ({ tool: "TaskUpdate", id, input: { taskId, status } });
  await window.say(
    `List. ${script([task("toolu_t1", "Read the code", "Reading the code"), task("toolu_t2", "Write a test", "Writing a test"), update("toolu_u1", "1", "completed"), update("toolu_u2", "2", "in_progress"), "It is listed."])}`,
  );
  await window.sees("It is listed.");
  const strip = page.locator(".todo-strip");
  equal(
    (await strip.locator("summary").textContent()).trim(),
    "To-do: 1 of 2 doneWriting a test",
    "the list on a line",
  );
  await strip.locator("summary").focus();
  await page.keyboard.press("Enter");
  equal(
    await strip.locator("li").allTextContents(),
    ["✓Read the code (completed)", "•Writing a test (in progress)"],
    "the list",
  );
  await window.state("Ready");
  await window.inspect("to-do");

  // A background task, stopped here.
  await window.say(
    `Begin. ${script([{ tool: "Bash", id: "toolu_bg", input: { command: "sleep 600", description: "Sleep long", run_in_background: true } }, "It has begun."])}`,
  );
  await window.sees("It has begun.");
  await page.getByRole("button", { name: "1 background task runs" }).click();
  const details = page.getByRole("dialog", { name: "Details" });
  await details.getByRole("button", { name: "Stop Sleep long" }).waitFor();

  // Charts of the routes' answers.
  await details.getByRole("meter", { name: "Context in use" }).waitFor();
  const parts = details.getByRole("list", { name: "What fills the context" });
  await parts.getByText("System prompt").waitFor();
  equal(await parts.getByText("Free space").count(), 0, "what is free fills nothing");
  await details.getByRole("img", { name: /Cost of the last/ }).waitFor();
  await details.getByText("1 tool of genui").click();
  await details.getByText("render_weather_card").waitFor();
  await window.inspect("details-open");
  await details.getByRole("button", { name: "Stop Sleep long" }).focus();
  await page.keyboard.press("Enter");
  await details.getByText(/killed|stopped/).waitFor();
  equal(await details.getByRole("button", { name: /Stop/ }).count(), 0, "tasks to stop");
  await page.keyboard.press("Escape");
  await details.waitFor({ state: "detached" });

  // The models that the agent knows.
  await page.getByRole("button", { name: "Default model" }).click();
  const models = page.getByRole("dialog", { name: "Model" });
  await models.getByRole("button", { name: "Haiku" }).waitFor();
  await window.inspect("models");
  await models.getByRole("button", { name: "Haiku" }).click();
  await page.getByRole("button", { name: "haiku" }).waitFor();

  const phone = await browser.window({ phone: true, dark: true });
  await phone.signIn();
  await phone.open(window.session());
  await phone.page.getByRole("button", { name: /^Details/ }).click();
  await phone.page.getByRole("list", { name: "What fills the context" }).waitFor();
  await phone.inspect("phone-details");
  check((await phone.page.getByRole("dialog").textContent()).includes("genui"), "the servers on the phone");
}
