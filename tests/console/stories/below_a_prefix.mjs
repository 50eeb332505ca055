// Everything that the page asks for is below its own prefix.
import { check, equal, url } from "../browser.mjs";

export default async function (browser) {
  const window = await browser.window();
  window.page.on("request", (request) =>
    check(request.url().startsWith(`${url}/`) || request.url().startsWith("data:"), request.url()),
  );
  await window.signIn();
  await window.newSession();
  await window.say("Hello.");
  await window.sees("You said: Hello.");
  const scope = await window.page.evaluate(async () => {
    await navigator.serviceWorker.register("console/worker.js", { scope: "./" });
    return (await navigator.serviceWorker.ready).scope;
  });
  equal(scope, `${url}/`, "what the service worker is for");
  await window.page.reload();
  await window.sees("You said: Hello.");
}
