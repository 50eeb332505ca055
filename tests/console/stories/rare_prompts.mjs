// What an MCP server asks, a hook's decision, a plan, and what else seldom happens.
import { check, equal, script } from "../browser.mjs";
import { fakeStream } from "../fake_stream.mjs";

export default async function (browser) {
  // A real MCP server asks, by the real CLI.
  const window = await browser.window();
  const { page } = window;
  await window.signIn();
  await window.newSession();
  await window.say(`Ask. ${script([{ tool: "mcp__asks__ask", id: "toolu_ask", input: {} }, "It has asked."])}`);
  await page.getByRole("button", { name: /^Allow y/ }).click();
  const asked = window.prompt("asks asks you.");
  await asked.getByRole("textbox", { name: /name/ }).fill("heliotrope");
  await window.inspect("elicitation");
  await asked.getByRole("button", { name: "Submit" }).click();
  await window.sees("It has asked.");
  await page.locator(".tool summary").last().click();
  await page.getByText("heliotrope").first().waitFor();

  // A plan, and its approval.
  await page.getByRole("combobox", { name: "Permission mode" }).selectOption("plan");
  await page.waitForFunction(() => document.querySelector(".head-tools select").value === "plan");
  await window.say(
    `Plan. ${script([{ tool: "ExitPlanMode", id: "toolu_plan", input: { plan: "# The plan\n\n1. Look\n2. Act" } }, "The plan is known."])}`,
  );
  const plan = window.prompt("Is this plan right?");
  await plan.getByRole("button", { name: /Approve the plan/ }).click();
  await window.sees("The plan is known.");

  // A turn that is stopped, and one whose model fails.
  await window.say(`Hang. ${script([{ hang: 600 }])}`);
  await window.state("Works");
  await page.getByRole("button", { name: /^Stop/ }).click();
  await page.getByText("The turn ended early: it was stopped.").waitFor();
  await window.say(`Fail. ${script([{ status: 400, error: "invalid_request_error" }])}`);
  await page.locator(".turn-end.failed").nth(1).waitFor();
  await window.state("Ready");
  await window.inspect("failed-turns");

  // The model.
  await page.getByRole("button", { name: "Default model" }).click();
  await page.getByRole("dialog").getByRole("combobox").fill("sonnet");
  await window.inspect("model");
  await page.getByRole("button", { name: "Use it" }).click();
  await page.getByRole("button", { name: "sonnet" }).waitFor();

  const rare = await browser.window();
  const schema = {
    type: "object",
    required: ["mail", "size"],
    properties: {
      mail: { type: "string", format: "email", title: "Mail" },
      size: { type: "string", enum: ["s", "l"], enumNames: ["Small", "Large"] },
      count: { type: "integer", minimum: 1, description: "How many" },
      gift: { type: "boolean", title: "As a gift" },
    },
  };
  const hook = {
    correlation_id: "h",
    hook_event: "PreToolUse",
    hook_input: { tool_name: "Bash", tool_input: { command: "make release" } },
  };
  const form = {
    correlation_id: "f",
    server_name: "shop",
    message: "What do you order?",
    mode: "form",
    requested_schema: schema,
  };
  const visit = {
    correlation_id: "v",
    server_name: "bank",
    message: "Please confirm.",
    mode: "url",
    url: "https://bank.example/confirm",
  };
  const sent = await fakeStream(rare.page, [
    ["user_message", { content: "Do it.", message_uuid: "u" }],
    ["mcp_status_change", { server_name: "shop", status: "connected" }],
    ["mcp_status_change", { server_name: "bank", status: "failed" }],
    [
      "tool_use",
      {
        message_id: "m",
        tool_use_id: "g",
        tool_name: "mcp__genui__render_weather_card",
        input: { city: "Oslo", degrees: 4 },
      },
    ],
    [
      "tool_use",
      {
        message_id: "m",
        tool_use_id: "l",
        tool_name: "TodoWrite",
        input: {
          todos: [
            { content: "Read", status: "completed" },
            { content: "Write", activeForm: "Writing", status: "in_progress" },
            { content: "Test", status: "pending" },
          ],
        },
      },
    ],
    ["task_update", { task_id: "b1", status: "running", description: "Run the tests" }],
    ["status", { status: "retrying", attempt: 2, max_retries: 10, error_status: 529 }],
    ["hook_decision_request", hook],
    ["elicitation_request", form],
    ["elicitation_request", visit],
    [
      "session_state",
      {
        status: "requires_action",
        pending: [
          { type: "hook_decision_request", ...hook },
          { type: "elicitation_request", ...form },
          { type: "elicitation_request", ...visit },
        ],
      },
    ],
  ]);
  await rare.signIn();
  await rare.page.evaluate((hash) => (location.hash = hash), "#/00000000-0000-4000-8000-000000000000");
  const prompt = rare.page.locator("#prompt");
  await prompt.getByText("2 more prompts wait.").waitFor();
  await rare.page.getByText("Trying again, attempt 2 of 10. The model answered 529.").waitFor();
  await rare.page.getByText("Component weather_card").waitFor();
  equal(
    await rare.page.locator(".todos li").allTextContents(),
    ["✓Read (completed)", "•Writing (in progress)", "Test (pending)"],
    "the list",
  );
  await rare.inspect("hook");
  await prompt.getByRole("button", { name: /^Deny/ }).click();
  await prompt.getByRole("textbox").fill("Not today.");
  await prompt.getByRole("checkbox").check();
  await prompt.getByRole("button", { name: "Deny", exact: true }).click();
  await rare.page.waitForFunction(() => document.getElementById("prompt").querySelector("button:disabled") === null);
  equal(
    sent.pop(),
    { type: "permission_response", correlation_id: "h", behavior: "deny", message: "Not today.", interrupt: true },
    "the hook's decision",
  );

  await rare.page.getByRole("button", { name: "1 background task runs" }).click();
  await rare.page.getByRole("button", { name: "Stop Run the tests" }).click();
  await rare.inspect("tasks-and-servers");
  equal(sent.pop(), { type: "stop_task", task_id: "b1" }, "the task to stop");

  // The other two, each as the only one that is open.
  const forms = await browser.window({ phone: true });
  const answers = await fakeStream(forms.page, [
    ["elicitation_request", form],
    ["session_state", { status: "requires_action", pending: [{ type: "elicitation_request", ...form }] }],
  ]);
  await forms.signIn();
  await forms.page.evaluate((hash) => (location.hash = hash), "#/00000000-0000-4000-8000-000000000000");
  const shop = forms.page.locator("#prompt");
  await shop.getByRole("button", { name: "Submit" }).click();
  equal(answers, [], "an incomplete form is not sent");
  await shop.getByLabel("Mail").fill("a@b.example");
  await shop.getByRole("combobox").selectOption("Large");
  await shop.getByLabel(/count/).fill("3");
  await shop.getByLabel("As a gift").check();
  await forms.inspect("phone-form");
  await shop.getByRole("button", { name: "Submit" }).click();
  await forms.page.waitForFunction(() => document.getElementById("prompt").querySelector("button:disabled") === null);
  equal(
    answers.pop(),
    {
      type: "elicitation_response",
      correlation_id: "f",
      action: "accept",
      content: { mail: "a@b.example", size: "l", count: 3, gift: true },
    },
    "the form",
  );

  const bank = await browser.window();
  const replies = await fakeStream(bank.page, [
    ["elicitation_request", visit],
    ["session_state", { status: "requires_action", pending: [{ type: "elicitation_request", ...visit }] }],
  ]);
  await bank.signIn();
  await bank.page.evaluate((hash) => (location.hash = hash), "#/00000000-0000-4000-8000-000000000000");
  await bank.page.getByText("The page belongs to bank.example.").waitFor();
  await bank.inspect("visit");
  await bank.page.getByRole("button", { name: "Decline" }).click();
  await bank.page.waitForFunction(() => document.getElementById("prompt").querySelector("button:disabled") === null);
  equal(replies.pop(), { type: "elicitation_response", correlation_id: "v", action: "decline" }, "the refusal");

  const planning = await browser.window();
  const plans = {
    correlation_id: "p",
    tool_name: "ExitPlanMode",
    input: { plan: "# The plan\n\n1. Look\n2. Act" },
    context: {},
  };
  await fakeStream(planning.page, [
    ["permission_request", plans],
    ["session_state", { status: "requires_action", pending: [{ type: "permission_request", ...plans }] }],
  ]);
  await planning.signIn();
  await planning.page.evaluate((hash) => (location.hash = hash), "#/00000000-0000-4000-8000-000000000000");
  await planning.prompt("Is this plan right?").getByRole("heading", { name: "The plan" }).waitFor();
  await planning.inspect("plan");
  check(replies.length === 0, "nothing else was sent");
}
