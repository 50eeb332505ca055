// Nothing that a model, a tool, a file, a server or another user writes can run, load, or imitate anything.
import { check, equal, host, script, url } from "../browser.mjs";
import { fakeStream } from "../fake_stream.mjs";

const ATTACKS = [
  "<script>alert(1)</script>",
  "<img src=x onerror=alert(1)>",
  "<svg onload=alert(1)><a xlink:href='javascript:alert(1)'><text>x</text></a></svg>",
  "<iframe srcdoc='<script>parent.alert(1)</script>'></iframe>",
  "<iframe src='javascript:alert(1)'></iframe>",
  "<math><mtext><table><mglyph><style><!--</style><img title='--&gt;&lt;img src=1 onerror=alert(1)&gt;'>",
  "[click](javascript:alert(1))",
  "[click](JaVaScRiPt:alert%281%29)",
  "[click](java&#10;script:alert(1))",
  "[click](data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==)",
  "[click](vbscript:msgbox(1))",
  "![picture](https://evil.test/track.png)",
  "![picture](javascript:alert(1))",
  "![picture](data:image/svg+xml;base64,PHN2ZyBvbmxvYWQ9ImFsZXJ0KDEpIi8+)",
  '![a](x "onerror=alert(1)")',
  '[a](https://ok.test/"onmouseover="alert(1))',
  "<a href='https://ok.test' style='position:fixed;inset:0' class='primary' id='app'>cover</a>",
  "<form action='https://evil.test'><input name=token><button>Sign in</button></form>",
  "<base href='https://evil.test/'><meta http-equiv=refresh content='0;url=https://evil.test'>",
  "<link rel=stylesheet href='https://evil.test/x.css'><style>body{display:none}</style>",
  "```html\n<script>alert(1)</script>\n```",
  "`<img src=x onerror=alert(1)>`",
  "<div id='prompt'><button>Allow</button></div>",
  '<https://evil.test/"onclick=alert(1)>',
];

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

  // A page of another origin can neither frame the console nor use the server.
  const context = page.context();
  await context.route("https://evil.test/**", (route) =>
    route.fulfill({ contentType: "text/html", body: `<iframe src="${url}/"></iframe>` }),
  );
  const attacker = await context.newPage();
  await attacker.goto("https://evil.test/");
  const frame = attacker.frames().find((one) => one !== attacker.mainFrame());
  check(!frame || !(await frame.content()).includes("console/app.js"), "the console is in a frame of another page");
  const answer = await attacker.evaluate(
    (to) =>
      fetch(`${to}/sessions`, { method: "POST", body: "{}" }).then(
        (response) => response.status,
        () => "refused",
      ),
    url,
  );
  equal(answer, "refused", "a request of another page");
}

/** Nothing has run (the browser reports that), and nothing is there that could. */
async function harmless(page) {
  const found = await page.evaluate(() => {
    const bad = [...document.querySelectorAll("#app *")].filter((element) => {
      if (/^(script|iframe|object|embed|base|meta|link|style|math)$/i.test(element.localName)) return true;
      if ([...element.attributes].some(({ name }) => /^on/i.test(name))) return true;
      const inside = element.closest(".prose, .code code");
      if (
        inside &&
        (element.id ||
          element.hasAttribute("style") ||
          /^(form|input|button|select|textarea|svg)$/.test(element.localName))
      )
        return true;
      if (
        inside &&
        element !== inside &&
        [...element.classList].some((name) => !/^(prose|hljs|code|quiet|small|icon)|_$/.test(name))
      )
        return !element.closest("figcaption") && element.localName !== "figure";
      if (
        element.localName === "img" &&
        !/^(data:image\/(png|jpeg|gif|webp);|console\/|blob:)/.test(element.getAttribute("src"))
      )
        return true;
      return (
        element.localName === "a" &&
        element.hasAttribute("href") &&
        !/^(https?:|mailto:|#\/)/.test(element.getAttribute("href"))
      );
    });
    return bad.map((element) => element.outerHTML.slice(0, 200));
  });
  equal(
    found.filter((html) => !/^<(button|svg)/.test(html)),
    [],
    "elements that could do harm",
  );
}
