// Each attack at each place where a name or a text of somebody else is shown: messages, outputs, files, servers, tools, tasks,
// titles, commands, models, parts of the context, and properties of a component.
import { ATTACKS, harmless } from "../attacks.mjs";
import { check, equal } from "../browser.mjs";
import { fakeStream } from "../fake_stream.mjs";

const ID = "00000000-0000-4000-8000-000000000000";

export default async function (browser) {
  const window = await browser.window();
  const { page } = window;
  const context = page.context();
  const answer = (value) => (route) =>
    route.fulfill({ status: 200, contentType: "application/json", body: JSON.stringify(value) });
  const session = (title, at) => ({
    session_id: ID.replace(/.{4}$/, String(1000 + at)),
    oldest_seq: 1,
    as_of_seq: 1,
    model: title,
    permission_mode: title,
    cwd: `/${title}`,
    title,
    created_at: 1,
    active_at: 1,
    status: "idle",
    session_cost_usd: 0,
  });
  const sessions = ATTACKS.map(session);
  await context.route(/\/sessions$/, answer({ sessions }));
  await context.route(/\/sessions\/[^/]+$/, answer({ ...session(ATTACKS[1], 1), session_id: ID }));
  const named = ATTACKS.map((name) => ({ name, description: name, argumentHint: name }));
  await context.route(/\/commands$/, answer({ commands: named }));
  await context.route(
    /\/models$/,
    answer({ models: ATTACKS.map((value) => ({ value, displayName: value, description: value })) }),
  );
  await context.route(/\/files\?/, answer({ files: ATTACKS }));
  await context.route(
    /\/mcp$/,
    answer({ mcp: ATTACKS.map((name) => ({ name, status: name, error: name, tools: named })) }),
  );
  await context.route(
    /\/context$/,
    answer({
      context: { totalTokens: 1, maxTokens: 2, categories: ATTACKS.map((name) => ({ name, tokens: 1, kind: name })) },
    }),
  );
  const component = {
    name: "card",
    short_name: ATTACKS[1],
    schema: { properties: { [ATTACKS[0]]: { title: ATTACKS[1] } } },
  };
  await context.route(/\/genui\/schema$/, answer({ tools: [component] }));

  const events = ATTACKS.flatMap((attack, at) => [
    ["user_message", { content: attack, message_uuid: `u${at}` }],
    ["message_delta", { message_id: `m${at}`, delta: { type: "text", text: attack } }],
    [
      "tool_use",
      {
        message_id: `m${at}`,
        tool_use_id: `w${at}`,
        tool_name: "Edit",
        input: { file_path: attack, new_string: attack },
      },
    ],
    ["tool_result", { tool_use_id: `w${at}`, output: attack, is_error: true }],
    ["tool_use", { message_id: `m${at}`, tool_use_id: `x${at}`, tool_name: attack, input: { [attack]: attack } }],
    [
      "tool_use",
      { message_id: `m${at}`, tool_use_id: `c${at}`, tool_name: "card", input: { [attack]: [{ [attack]: attack }] } },
    ],
    ["tool_use", { message_id: `m${at}`, tool_use_id: `t${at}`, tool_name: "TaskCreate", input: { subject: attack } }],
    ["tool_result", { tool_use_id: `t${at}`, output: `Task #${at} created`, is_error: false }],
    ["mcp_status_change", { server_name: attack, status: attack }],
    ["task_update", { task_id: attack, status: "running", description: attack }],
    ["files_rewound", { message_uuid: `u${at}`, files: [attack], dry_run: false }],
    ["result", { subtype: attack, total_cost_usd: 0, session_cost_usd: 0 }],
    ["error", { code: attack, message: attack }],
  ]);
  await fakeStream(page, [...events, ["session_state", { status: "idle", pending: [] }]]);
  await window.signIn();
  equal(await page.locator(".session-title").allTextContents(), ATTACKS, "the titles in the list");
  await page.evaluate((hash) => (location.hash = hash), `#/${ID}`);
  await page
    .locator(".entry.user")
    .nth(ATTACKS.length - 1)
    .waitFor();
  equal(await window.said(), ATTACKS, "the messages");
  equal(await page.getByRole("heading", { level: 1 }).textContent(), ATTACKS[1], "the title");
  check((await page.title()).startsWith(ATTACKS[1]), "the title of the page");
  // Unfolded, a call shows its input and output.
  for (const summary of await page.locator(".log summary").all())
    if (!(await summary.evaluate((element) => element.parentElement.open)))
      await summary.evaluate((one) => one.click());
  await harmless(page);
  equal(await page.locator(".log .path code").count(), ATTACKS.length, "names of files");
  equal(await page.locator(".component").count(), ATTACKS.length, "components");
  await window.inspect("injected-names");

  await page.getByRole("button", { name: /background tasks run/ }).click();
  const details = page.getByRole("dialog");
  await details.locator(".server-tools").first().waitFor();
  equal(await details.locator(".legend li").count(), ATTACKS.length, "parts of the context");
  equal(await details.locator(".todos li").count(), ATTACKS.length, "to-dos");
  await harmless(page);
  await page.keyboard.press("Escape");
  for (const [text, name] of [
    ["/", "Commands"],
    ["@", "Files"],
  ]) {
    await window.composer.fill("");
    await window.composer.focus();
    await page.keyboard.type(text);
    await page.getByRole("listbox", { name }).getByText(ATTACKS[0]).first().waitFor();
    await harmless(page);
  }
  await window.composer.fill("");
  await page.locator(".head .model").click();
  await page
    .getByRole("list", { name: /Models/ })
    .getByText(ATTACKS[1])
    .first()
    .waitFor();
  await harmless(page);
  await page.keyboard.press("Escape");
  await page.getByRole("button", { name: "Fork this session" }).click();
  await page.getByRole("dialog", { name: "Fork this session" }).waitFor();
  await harmless(page);
}
