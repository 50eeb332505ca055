// Pages of another origin, as people build them: the examples, served from their folders.
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { extname } from "node:path";
import { fileURLToPath } from "node:url";
import { host, token, url } from "./browser.mjs";

const TYPES = { ".html": "text/html", ".js": "text/javascript", ".css": "text/css" };

/** Serves a folder below `examples/`, whose pages the server then allows. Returns where. */
export async function serveExamples(folder) {
  const root = fileURLToPath(new URL(`../../examples/${folder}`, import.meta.url));
  const server = createServer(async (request, response) => {
    const { pathname } = new URL(request.url, url);
    try {
      const file = await readFile(root + pathname);
      response.writeHead(200, { "content-type": TYPES[extname(pathname)] ?? "text/plain" }).end(file);
    } catch {
      response.writeHead(404).end();
    }
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const origin = `http://127.0.0.1:${server.address().port}`;
  await host("kill");
  await host(`cors ${origin}`);
  await host("start");
  return origin;
}

/** Serves one page on an origin of its own. Returns where. */
export async function servePage(html) {
  const server = createServer((_, response) => response.setHeader("content-type", "text/html").end(html));
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${server.address().port}/`;
}

/** Opens a page with this session, or with a new one, and signs in. */
export async function openExample(browser, address, id = "") {
  const window = await browser.window({ base: address, server: url });
  await window.page.goto(`${address}#${id}`);
  await signIn(window.page);
  return window;
}

export async function signIn(page) {
  await page.getByLabel("Server").fill(url);
  await page.getByLabel("Token").fill(token);
  await page.getByRole("button", { name: "Open" }).click();
  await page.waitForFunction(() => location.hash.length > 1);
}

/** Writes in a page with a field of this name. */
export async function write(page, text) {
  await page.getByLabel("Message", { exact: true }).fill(text);
  await page.getByRole("button", { name: "Send" }).click();
}
