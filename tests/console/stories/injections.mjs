// Nothing that a model, a tool, a file, a server or another user writes can run, load, or imitate anything.
import { ATTACKS, harmless } from "../attacks.mjs";
import { check, equal, host, script } from "../browser.mjs";
import { fakeStream } from "../fake_stream.mjs";

export default async function (browser) {
  const window = await browser.window();
  const { page } = window;
  await window.signIn();
  await window.newSession();

  // In the user's message, which is also the title, and in the model's.
  await window.say(`${ATTACKS[1]} ${ATTACKS[0]} ${script([ATTACKS.join("\n\n"), ""])}`);
  await window.sees("Sign in");
  await window.state("Ready");
  equal(
    await page
      .getByRole("heading", { level: 1 })
      .textContent()
      .then((title) => title.startsWith(ATTACKS[1])),
    true,
    "the title is text",
  );
  // In thinking, a tool's input and its output, and the name of a file.
  const path = `${await host("workspace")}/<img src=x onerror=alert(1)>.txt`;
  await window.say(
    `Again. ${script([
      [
        { think: ATTACKS.slice(0, 6).join("\n\n") },
        { tool: "Write", id: "toolu_w", input: { file_path: path, content: ATTACKS.join("\n") } },
      ],
      {
        tool: "Bash",
        id: "toolu_b",
        input: { command: `echo '${ATTACKS.slice(0, 5).join("").replaceAll("'", "")}'`, description: ATTACKS[1] },
      },
      "It is over.",
    ])}`,
  );
  for (;;) {
    const prompt = page.locator("#prompt");
    await page.locator("#prompt, .entry.agent:has-text('It is over.')").first().waitFor();
    if ((await prompt.count()) === 0) break;
    const id = await prompt.getAttribute("aria-label");
    await harmless(page);
    await prompt
      .getByRole("button", { name: /^Allow/ })
      .first()
      .click();
    await page.waitForFunction((label) => document.getElementById("prompt")?.getAttribute("aria-label") !== label, id);
  }
  await window.state("Ready");
  for (const summary of await page.locator(".log summary").all()) {
    if (!(await summary.evaluate((element) => element.parentElement.open))) await summary.click();
  }
  await harmless(page);
  const links = await page
    .locator(".log a[href]")
    .evaluateAll((all) => all.map((link) => [link.protocol, link.rel, link.target]));
  check(links.length > 0, "some links are links");
  for (const link of links) equal(link, ["https:", "noopener noreferrer nofollow", "_blank"], "a link");
  equal(await page.getByRole("button", { name: "Sign in" }).count(), 0, "buttons that a message has made");
  await window.inspect("injections");

  // In the names of servers, tools and tasks, in what they ask, and in errors.
  const evil = await browser.window();
  const [img] = [ATTACKS[1]];
  await fakeStream(evil.page, [
    ["mcp_status_change", { server_name: img, status: img }],
    ["task_update", { task_id: img, status: "running", description: img }],
    [
      "user_message",
      {
        content: [{ type: "image", source: { type: "base64", media_type: `image/svg+xml"${img}`, data: "PHN2Zy8+" } }],
        message_uuid: "u",
      },
    ],
    [
      "tool_use",
      { message_id: "m", tool_use_id: "t", tool_name: `mcp__${img}__${img}`, input: { [img]: { [img]: img } } },
    ],
    [
      "tool_result",
      {
        tool_use_id: "t",
        output: [
          { type: "text", text: img },
          { type: img, text: img },
          { type: "image", source: { type: "base64", media_type: "text/html", data: "PHNjcmlwdD4=" } },
        ],
        is_error: true,
      },
    ],
    [
      "message_complete",
      {
        message_id: "n",
        message: {
          content: [
            { type: img, [img]: img },
            { type: "text", text: img },
          ],
          stop_reason: img,
        },
      },
    ],
    ["error", { code: img, message: img }],
    ["status", { status: "retrying", attempt: img, error_status: img }],
    [
      "elicitation_request",
      { correlation_id: "e", server_name: img, message: img, mode: "url", url: "javascript:alert(1)" },
    ],
    [
      "session_state",
      {
        status: "requires_action",
        pending: [
          {
            type: "elicitation_request",
            correlation_id: "e",
            server_name: img,
            message: img,
            mode: "url",
            url: "javascript:alert(1)",
          },
        ],
      },
    ],
  ]);
  await evil.signIn();
  await evil.page.evaluate((hash) => (location.hash = hash), "#/00000000-0000-4000-8000-000000000000");
  await evil.page.getByText("an address that is no web page").waitFor();
  await harmless(evil.page);
  await evil.page.getByRole("button", { name: /background task/ }).click();
  await evil.page.getByRole("dialog").getByText(img).first().waitFor();
  await harmless(evil.page);
}
