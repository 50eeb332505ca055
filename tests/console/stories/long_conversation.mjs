// Ten thousand events: all are there, and scrolling through them goes on.
import { check, equal } from "../browser.mjs";
import { fakeStream } from "../fake_stream.mjs";

export default async function (browser) {
  const window = await browser.window();
  const { page } = window;
  const events = [];
  for (let turn = 0; events.length < 10_000; turn += 1) {
    const id = `m${turn}`;
    events.push(["user_message", { content: `Question ${turn}`, message_uuid: `u${turn}` }]);
    const text = `Answer ${turn} with \`code\` and **weight**.\n\n- one\n- two\n\n\`\`\`rust\nfn f${turn}() {}\n\`\`\`\n`;
    for (const word of text.split(/(?<= )/))
      events.push(["message_delta", { message_id: id, delta: { type: "text", text: word } }]);
    events.push([
      "tool_use",
      { message_id: id, tool_use_id: `t${turn}`, tool_name: "Bash", input: { command: `echo ${turn}` } },
    ]);
    events.push(["tool_result", { tool_use_id: `t${turn}`, output: `${turn}\n`, is_error: false }]);
    events.push([
      "message_complete",
      {
        message_id: id,
        message: {
          content: [
            { type: "text", text },
            { type: "tool_use", id: `t${turn}`, name: "Bash", input: { command: `echo ${turn}` } },
          ],
          stop_reason: "end_turn",
        },
      },
    ]);
    events.push(["result", { subtype: "success", total_cost_usd: 0.01, session_cost_usd: 0.01 * turn }]);
  }
  const turns = events.filter(([name]) => name === "result").length;
  events.push(["session_state", { status: "idle", pending: [] }]);
  await fakeStream(page, events);
  await window.signIn();
  await page.evaluate((hash) => (location.hash = hash), "#/00000000-0000-4000-8000-000000000000");
  await window.sees(`Answer ${turns - 1} with`);
  equal(await page.locator(".entry.user").count(), turns, "the user's messages");
  equal(await page.locator(".entry.agent").count(), turns, "the agent's messages");

  const frames = await page.evaluate(async () => {
    const log = document.querySelector(".log");
    const times = [];
    const frame = () => new Promise(requestAnimationFrame);
    log.scrollTop = 0;
    await frame();
    const end = log.scrollHeight;
    for (let at = 0, last = await frame(); at < end; at += 700) {
      log.scrollTop = at;
      const now = await frame();
      times.push(now - last);
      last = now;
    }
    log.scrollTop = log.scrollHeight;
    await frame();
    return times.sort((a, b) => a - b);
  });
  const at = (part) => Math.round(frames[Math.floor((frames.length - 1) * part)]);
  console.log(
    `${events.length} events, ${frames.length} frames of scrolling: median ${at(0.5)} ms, 99 % ${at(0.99)} ms, longest ${at(1)} ms`,
  );
  check(frames.length > 20, "the conversation was scrolled through");
  await window.say("Still here.");
  await page.locator(".entry.user.underway, .entry.user").last().getByText("Still here.").waitFor();
}
