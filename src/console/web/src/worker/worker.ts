// The service worker: it shows what the server pushes, also while no page is open, and opens the session of what is
// chosen. It answers no request of the page.

// A module, so that this `self` is not that of a page.
export {};
declare const self: ServiceWorkerGlobalScope;

/** As the server writes it (src/push/notification.rs). */
interface Pushed {
  kind: "prompts" | "results" | "errors";
  tag: string;
  session_id: string;
  session: string | null;
  title: string;
  body: string;
  /** The prompt of this tag is no longer open. */
  settled: boolean;
}

/** How long a page may take to answer, in milliseconds. */
const PATIENCE = 500;

self.addEventListener("install", () => void self.skipWaiting());

self.addEventListener("push", (event) => event.waitUntil(show(read(event.data))));

self.addEventListener("notificationclick", (event) => {
  event.notification.close();
  event.waitUntil(open((event.notification.data as { session_id?: string } | null)?.session_id));
});

function read(data: PushMessageData | null): Pushed | null {
  try {
    return data!.json() as Pushed;
  } catch {
    return null;
  }
}

async function show(pushed: Pushed | null): Promise<void> {
  // A browser takes the permission away from a page whose pushes show nothing.
  if (!pushed) return self.registration.showNotification("agent-webkit", { body: "Something has happened." });
  const windows = (await pages()).filter((page) => page.visibilityState === "visible");
  // While a page is visible, nothing has to be shown.
  if (pushed.settled && windows.length > 0) {
    for (const shown of await self.registration.getNotifications({ tag: pushed.tag })) shown.close();
    return;
  }
  if ((await Promise.all(windows.map((page) => isLooking(page, pushed.session_id)))).includes(true)) return;
  await self.registration.showNotification(pushed.title, {
    body: [pushed.body, pushed.session].filter(Boolean).join("\n"),
    tag: pushed.tag,
    icon: "icon.svg",
    data: { session_id: pushed.session_id },
    silent: pushed.settled,
    requireInteraction: pushed.kind === "prompts" && !pushed.settled,
  });
}

async function open(session: string | undefined): Promise<void> {
  const found = await pages();
  const page = found.find((page) => page.visibilityState === "visible") ?? found[0];
  if (!page) return void (await self.clients.openWindow(address(session)));
  page.postMessage({ open: session });
  // Not every browser lets a worker do it. The page shows the session all the same.
  await page.focus().catch(() => {});
}

/** Whether somebody looks at the session in this page. Its address doesn't say: it is the one that it began with. */
function isLooking(page: WindowClient, session: string): Promise<boolean> {
  const { port1, port2 } = new MessageChannel();
  return new Promise((resolve) => {
    port1.onmessage = ({ data }) => resolve(data === true);
    setTimeout(resolve, PATIENCE, false);
    page.postMessage({ looking: session }, [port2]);
  });
}

/** The open pages of the console, and none of its neighbours. */
async function pages(): Promise<readonly WindowClient[]> {
  const all = await self.clients.matchAll({ type: "window", includeUncontrolled: true });
  return all.filter((page) => page.url.split("#")[0] === self.registration.scope);
}

function address(session: string | undefined): string {
  return self.registration.scope + (session ? `#/${encodeURIComponent(session)}` : "");
}
