// What every story has: a browser, pages that report each mistake, and the host that runs the server.
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import { chromium } from "playwright-core";

export const url = process.env.CONSOLE_URL;
export const token = process.env.CONSOLE_TOKEN;
const pictures = process.env.CONSOLE_PICTURES;

/** Far above what any step takes: only a test that fails waits for it. */
const PATIENCE = Number(process.env.CONSOLE_PATIENCE ?? 60_000);

const axe = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

const answers = createInterface({ input: process.stdin })[Symbol.asyncIterator]();

/** Asks the host of the story for something, such as `kill` or `start`, and waits until it is done. */
export async function host(command) {
  process.stdout.write(`@host ${command}\n`);
  const { value } = await answers.next();
  if (!value?.startsWith("ok")) throw new Error(`the host answered ${value} to ${command}`);
  return value.slice(3);
}

/** A script for the practice model. */
export function script(steps, pace = 0) {
  return `<<${JSON.stringify({ steps, token_ms: pace })}>>`;
}

export function bash(id, command, description) {
  return { tool: "Bash", id, input: { command, description } };
}

export function check(holds, what) {
  if (!holds) throw new Error(what);
}

export function equal(found, expected, what) {
  const [a, b] = [JSON.stringify(found), JSON.stringify(expected)];
  check(a === b, `${what}: found ${a}, expected ${b}`);
}

export class Browser {
  #browser;
  #mistakes = [];

  static async start() {
    const browser = new Browser();
    browser.#browser = await chromium.launch({
      executablePath: process.env.CONSOLE_CHROMIUM,
      // Root has no sandbox.
      args: ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--hide-scrollbars"],
    });
    return browser;
  }

  /** A window of its own, which shares nothing with the others. A page of another origin names the server that it uses. */
  async window({ phone = false, dark = false, base = url, server = base, permissions = [] } = {}) {
    const context = await this.#browser.newContext({
      permissions,
      viewport: phone ? { width: 390, height: 780 } : { width: 1280, height: 800 },
      hasTouch: phone,
      colorScheme: dark ? "dark" : "light",
      reducedMotion: "reduce",
    });
    context.setDefaultTimeout(PATIENCE);
    const page = await context.newPage();
    this.#watch(
      page,
      [base, server].map((one) => new URL(one).origin),
    );
    return new Window(page, base);
  }

  #watch(page, origins) {
    page.on("pageerror", (error) => this.#mistakes.push(`an exception: ${error.stack ?? error}`));
    page.on("dialog", (dialog) => {
      this.#mistakes.push(`a script ran: ${dialog.message()}`);
      void dialog.dismiss();
    });
    page.on("console", (message) => {
      const text = message.text();
      // A refused or broken request is shown in the page; Chromium reports each in its console as well.
      // So it does where it has no push service.
      if (message.type() === "error" && !/Failed to load resource|Push API in incognito mode/.test(text))
        this.#mistakes.push(`an error in the console: ${text}`);
    });
    page.on("request", (request) => {
      const to = new URL(request.url());
      if (!origins.includes(to.origin) && !["data:", "blob:"].includes(to.protocol))
        this.#mistakes.push(`a request to ${request.url()}`);
      if (token && request.url().includes(token)) this.#mistakes.push(`the token in the address ${request.url()}`);
      if (request.headers().referer) this.#mistakes.push(`a referer: ${request.headers().referer}`);
    });
  }

  /** Pictures of what a failed story was looking at. */
  async failed(story) {
    if (!pictures) return;
    const pages = this.#browser.contexts().flatMap((context) => context.pages());
    for (const [at, page] of pages.entries()) await page.screenshot({ path: `${pictures}/failed-${story}-${at}.png` });
  }

  async close() {
    await this.#browser.close();
    check(this.#mistakes.length === 0, this.#mistakes.join("\n"));
  }
}

export class Window {
  constructor(page, base) {
    this.page = page;
    this.base = base;
  }

  /** Opens the page by its link. `keep` survives a reload. */
  async signIn({ keep = true } = {}) {
    await this.page.goto(`${this.base}/#token=${token}${keep ? "&keep=1" : ""}`);
    await this.page.getByRole("navigation", { name: "Sessions" }).waitFor({ state: "attached" });
    return this;
  }

  /** Begins a session with the default settings. Returns its id. */
  async newSession() {
    await this.page.getByRole("button", { name: "New", exact: true }).click();
    await this.page.getByRole("button", { name: "Start" }).click();
    await this.ready();
    return this.session();
  }

  session() {
    return new URL(this.page.url()).hash.slice(2);
  }

  async open(id) {
    await this.page.evaluate((hash) => (location.hash = hash), `#/${id}`);
    await this.ready();
  }

  /** Waits until the stream has told everything so far. */
  async ready() {
    await this.state(/Ready|Works|Asks you|Asleep/);
  }

  async state(text) {
    await this.page.locator(".head .state").filter({ hasText: text }).waitFor();
  }

  get composer() {
    return this.page.getByRole("textbox", { name: "Message to the agent" });
  }

  async say(text) {
    await this.composer.fill(text);
    await this.composer.press("Enter");
  }

  /** Waits until the agent has said this. */
  async sees(text) {
    await this.page.locator(".entry.agent").getByText(text).last().waitFor();
  }

  prompt(name) {
    return this.page.getByRole("region", { name });
  }

  /** Everything in the conversation, as text. */
  async text() {
    return this.page.getByRole("log").evaluate((log) => log.textContent);
  }

  /** The user's messages, in order. */
  async said() {
    return this.page.locator(".entry.user .said").allTextContents();
  }

  /** Checks the accessibility rules, and takes a picture where somebody asked for pictures. */
  async inspect(name) {
    if (pictures) await this.page.screenshot({ path: `${pictures}/${name}.png` });
    await this.page.evaluate(axe);
    const { violations } = await this.page.evaluate(() => globalThis.axe.run());
    const list = violations.map(
      ({ id, help, nodes }) =>
        `${id}: ${help}\n  ${nodes.map((node) => `${node.html.slice(0, 200)} ${node.failureSummary}`).join("\n  ")}`,
    );
    check(list.length === 0, `accessibility of ${name}:\n${list.join("\n")}`);
  }
}
