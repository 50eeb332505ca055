// A page of another origin, open in the same browser as the console: it can neither frame, read, drive nor reach into it.
import { check, equal, token, url } from "../browser.mjs";
import { servePage } from "../foreign_page.mjs";

const PAGE = `<!doctype html><title>Attack</title><iframe id="frame" src="${url}/"></iframe><iframe id="api" src="${url}/sessions"></iframe>`;

export default async function (browser) {
  const window = await browser.window();
  await window.signIn();
  const id = await window.newSession();
  await window.say("Mine.");
  await window.sees("You said: Mine.");
  await window.state("Ready");

  // On the same machine and another port: the same site, so no cookie rule would help.
  const attacker = await window.page.context().newPage();
  await attacker.goto(await servePage(PAGE));
  await attacker.waitForLoadState("load");
  for (const frame of attacker.frames().filter((one) => one !== attacker.mainFrame()))
    check(!/console\/app\.js|session_id/.test(await frame.content()), `${frame.url()} is in a frame of another page`);

  const results = await attacker.evaluate(
    async ({ url, id }) => {
      const attempt = (path, init) =>
        fetch(`${url}${path}`, init).then(
          async (response) => `${response.type} ${response.status} ${await response.text()}`,
          () => "refused",
        );
      const message = JSON.stringify({ type: "user_message", content: "Not mine." });
      const input = `/sessions/${id}/input`;
      const events = new EventSource(`${url}/sessions/${id}/stream`);
      const stream = await new Promise((resolve) => {
        events.onopen = () => resolve("open");
        events.onerror = () => resolve("refused");
      });
      events.close();
      const script = await new Promise((resolve) => {
        const element = Object.assign(document.createElement("script"), {
          src: `${url}/sessions`,
          type: "text/javascript",
        });
        element.onload = () => resolve("ran");
        element.onerror = () => resolve("refused");
        document.head.append(element);
      });
      return {
        page: await attempt("/", { headers: { accept: "text/html" } }),
        sessions: await attempt("/sessions", { credentials: "include" }),
        preflighted: await attempt("/sessions", { method: "POST", body: "{}", headers: { authorization: "Bearer x" } }),
        // What a form could send: the browser asks nobody before it.
        simple: await attempt(input, { method: "POST", body: message, mode: "no-cors", credentials: "include" }),
        stream,
        script,
      };
    },
    { url, id },
  );
  equal(
    results,
    {
      page: "refused",
      sessions: "refused",
      preflighted: "refused",
      simple: "opaque 0 ",
      stream: "refused",
      script: "refused",
    },
    "what the page could do",
  );

  // A window that the attacker opens shows the page, signed out, and is out of reach.
  const [opened] = await Promise.all([
    attacker.waitForEvent("popup"),
    attacker.evaluate((to) => void (globalThis.victim = globalThis.open(`${to}/#token=guessed&keep=1`)), url),
  ]);
  await opened.getByText("The server does not accept this token.").waitFor();
  const reached = await attacker.evaluate(() => {
    try {
      return String(globalThis.victim.document.title);
    } catch (error) {
      return error.name;
    }
  });
  equal(reached, "SecurityError", "the document of the window");
  await attacker.evaluate((secret) => globalThis.victim.postMessage({ token: secret }, "*"), token);
  await opened.reload();
  await opened.getByRole("heading", { name: "agent-webkit" }).waitFor();

  // The message that needed no question was sent without the token, which is in no cookie, so it was refused.
  await window.say("Still mine.");
  await window.sees("You said: Still mine.");
  equal(await window.said(), ["Mine.", "Still mine."], "the messages");
}
