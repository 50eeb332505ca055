// Notifications on a device: turned on, shown by the service worker, chosen, settled, turned off; and each reason why they
// can't be turned on. The push service is in this file, and a device's part that no browser plays here.
import { createECDH } from "node:crypto";
import { createServer } from "node:http";
import ece from "http_ece";
import { bash, check, equal, host, script, url } from "../browser.mjs";

/** The device of RFC 8291, appendix A. */
const device = createECDH("prime256v1");
device.setPrivateKey("q1dXpw3UpT5VOmu_cf_v6ih07Aems3njxI-JWgLcM94", "base64url");
const authSecret = "BTBZMqHH6r4Tts7J_aSIgg";

/** A push service that keeps what it gets. */
async function pushService() {
  const pushes = [];
  const server = createServer(async (request, response) => {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    pushes.push(
      ece.decrypt(Buffer.concat(chunks), { version: "aes128gcm", privateKey: device, authSecret }).toString(),
    );
    response.writeHead(201).end();
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { origin: `http://127.0.0.1:${server.address().port}`, pushes };
}

export default async function (browser) {
  const setting = async (page) => {
    await page.getByRole("button", { name: "Notify" }).click();
    return page.getByRole("dialog", { name: "Notifications" });
  };

  // A server that sends none says so.
  const permissions = ["notifications"];
  const none = await (await browser.window({ permissions })).signIn();
  let dialog = await setting(none.page);
  await none.inspect("notifications-off");
  await dialog.getByRole("checkbox").click();
  await dialog.getByText("This server sends no notifications").waitFor();
  await none.inspect("notifications-none");
  check(!(await dialog.getByRole("checkbox").isChecked()), "it is not on");
  await none.page.context().close();

  const service = await pushService();
  await host("kill");
  await host(`push ${service.origin}`);
  await host("start");

  // A person who has said no.
  const refused = await (await browser.window()).signIn();
  dialog = await setting(refused.page);
  await dialog.getByRole("checkbox").click();
  await dialog.getByText("This browser does not allow notifications").waitFor();
  await refused.inspect("notifications-refused");
  await refused.page.context().close();

  // This browser reaches no push service.
  const alone = await (await browser.window({ permissions })).signIn();
  dialog = await setting(alone.page);
  await dialog.getByRole("checkbox").click();
  await dialog.getByText("This browser has no push service here, or cannot reach it").waitFor();
  check(!(await dialog.getByRole("checkbox").isChecked()), "it is not on");
  await alone.inspect("notifications-no-push-service");
  await alone.page.context().close();

  // With one it would be told this.
  const window = await browser.window({ permissions });
  const { page } = window;
  await page.addInitScript(
    ({ endpoint, p256dh, auth }) => {
      const kept = "subscription";
      const subscription = (key) => ({
        endpoint,
        options: { applicationServerKey: Uint8Array.from(JSON.parse(key)).buffer },
        toJSON: () => ({ endpoint, expirationTime: null, keys: { p256dh, auth } }),
        unsubscribe: async () => localStorage.removeItem(kept),
      });
      PushManager.prototype.getSubscription = async () => {
        const key = localStorage.getItem(kept);
        return key && subscription(key);
      };
      PushManager.prototype.subscribe = async ({ userVisibleOnly, applicationServerKey }) => {
        if (!userVisibleOnly || applicationServerKey.length !== 65) throw new Error("no browser takes that");
        localStorage.setItem(kept, JSON.stringify([...applicationServerKey]));
        return subscription(localStorage.getItem(kept));
      };
    },
    { endpoint: `${service.origin}/phone`, p256dh: device.getPublicKey("base64url"), auth: authSecret },
  );
  const cdp = await page.context().newCDPSession(page);
  const registered = new Promise((resolve) =>
    cdp.on("ServiceWorker.workerRegistrationUpdated", ({ registrations }) => {
      const ours = registrations.find(({ scopeURL }) => scopeURL === `${url}/`);
      if (ours) resolve(ours.registrationId);
    }),
  );
  await cdp.send("ServiceWorker.enable");
  await window.signIn();
  dialog = await setting(page);
  await dialog.getByRole("checkbox").click();
  await dialog.getByText("Notifications are on.").waitFor();
  check(await dialog.getByRole("checkbox").isChecked(), "it is on");
  await window.inspect("notifications-on");
  await dialog.getByRole("button", { name: "Close" }).click();
  const registrationId = await registered;
  const worker = page.context().serviceWorkers()[0] ?? (await page.context().waitForEvent("serviceworker"));
  const shown = () =>
    worker.evaluate(async () => {
      const all = await self.registration.getNotifications();
      return all.map(({ title, body, tag, silent }) => ({ title, body, tag, silent }));
    });
  // What the worker does for an event, to wait for.
  await worker.evaluate(() => {
    const { waitUntil } = ExtendableEvent.prototype;
    self.work = [];
    ExtendableEvent.prototype.waitUntil = function (done) {
      self.work.push(done);
      waitUntil.call(this, done);
    };
  });
  const deliver = async (data) => {
    const before = await worker.evaluate(() => self.work.length);
    await cdp.send("ServiceWorker.deliverPushMessage", { origin: url, registrationId, data });
    await until("the worker is done", () =>
      worker.evaluate(
        async (before) => self.work.length > before && (await Promise.all(self.work).then(() => true)),
        before,
      ),
    );
  };
  /** Waits for a push of the server, and delivers it. */
  const arrives = async (fits) => {
    await until("a push", () => service.pushes.some((push) => fits(JSON.parse(push))));
    const data = service.pushes.find((push) => fits(JSON.parse(push)));
    await deliver(data);
    return JSON.parse(data);
  };
  const until = async (what, holds) => {
    const deadline = Date.now() + 30_000;
    while (!(await holds())) {
      if (Date.now() > deadline) throw new Error(`${what}: ${JSON.stringify(await shown())}`);
      await new Promise((done) => setTimeout(done, 20));
    }
  };

  // Somebody looks elsewhere while an agent asks.
  const id = await window.newSession();
  await window.say(`Make it. ${script([bash("toolu_a", "touch a.txt"), "It is made."])}`);
  await window.prompt("May the agent use Bash?").waitFor();
  const isPrompt = ({ title }) => title === "Allow Bash?";
  await window.newSession();
  await page.waitForFunction((id) => location.hash !== `#/${id}`, id);
  const other = window.session();
  const prompt = await arrives(isPrompt);
  await until("a notification", async () => (await shown()).length === 1);
  const [notification] = await shown();
  equal([notification.title, notification.tag], ["Allow Bash?", prompt.tag], "the notification");
  check(/^touch a\.txt\nMake it\./.test(notification.body), notification.body);

  // It comes twice, and is shown once.
  await arrives(isPrompt);
  equal((await shown()).length, 1, "notifications");

  // A click opens the session. No script can click, so the event is made here; it then has no right to focus a window.
  const click = () =>
    worker.evaluate(async () => {
      const [notification] = await self.registration.getNotifications();
      self.addEventListener("error", (event) => event.preventDefault());
      self.dispatchEvent(new NotificationEvent("notificationclick", { notification }));
    });
  await click();
  await page.waitForFunction((id) => location.hash === `#/${id}`, id);
  await window.prompt("May the agent use Bash?").waitFor();
  await until("the notification is closed", async () => (await shown()).length === 0);

  // Whoever looks at the session needs no notification of it.
  await page.bringToFront();
  await arrives(isPrompt);
  equal(await shown(), [], "notifications of what is on the screen");

  // Answered elsewhere, it does not stay.
  await window.open(other);
  await arrives(isPrompt);
  await until("it is shown again", async () => (await shown()).length === 1);
  await window.open(id);
  await until("it is seen", async () => (await shown()).length === 0);
  await window.open(other);
  await arrives(isPrompt);
  await until("it is shown a third time", async () => (await shown()).length === 1);
  const phone = await (await browser.window({ phone: true })).signIn();
  await phone.open(id);
  await phone
    .prompt("May the agent use Bash?")
    .getByRole("button", { name: /^Allow/ })
    .first()
    .click();
  await phone.sees("It is made.");
  await arrives(({ title, settled }) => settled && title === "Allowed");
  await until("it is gone", async () => (await shown()).length === 0);
  const done = await arrives(({ title }) => title === "Done");
  await until("the result", async () => (await shown())[0]?.title === "Done");
  equal(done.body, "It is made.", "what was done");

  // Without a page to see it, the end of a prompt is shown, without a sound.
  await page.goto("about:blank");
  await arrives(({ title, settled }) => settled && title === "Allowed");
  await until("the end is shown", async () =>
    (await shown()).some(({ title, silent }) => title === "Allowed" && silent),
  );

  // What is no notification of ours is shown as one that says nothing.
  await deliver("<b>");
  await until("a plain one", async () => (await shown()).some(({ title }) => title === "agent-webkit"));

  // Only prompts, after a reload; then off.
  await page.goto(url);
  await page.getByRole("navigation", { name: "Sessions" }).waitFor();
  dialog = await setting(page);
  await dialog.getByText("Notifications are on.").waitFor();
  const renewed = page.waitForResponse((response) => response.url().endsWith("/push/subscriptions"));
  await dialog.getByLabel("Of").selectOption("prompts");
  equal(JSON.parse((await renewed).request().postData()).events, ["prompts"], "the chosen events");
  await dialog.getByText("Notifications are on.").waitFor();
  const removed = page.waitForResponse((response) => response.request().method() === "DELETE");
  await dialog.getByRole("checkbox").click();
  equal((await removed).status(), 204, "the answer");
  await dialog.getByText("Notifications are on.").waitFor({ state: "detached" });
  equal(await shown(), [], "what is left on the screen");
  const before = service.pushes.length;
  await dialog.getByRole("button", { name: "Close" }).click();
  await window.open(other);
  await window.say("Hello.");
  await window.sees("You said: Hello.");
  await window.state("Ready");
  equal(service.pushes.length, before, "pushes after it was turned off");
}
