// Notifications on this device: whether they are on, and how they are turned on and off.

import { Refused, wordsOf, type Api } from "../protocol/api";
import { Store } from "./store";

export type Notifying =
  /** Not here, and why. */
  | { kind: "never"; why: string }
  | { kind: "off"; busy: boolean; problem: string | null }
  | { kind: "on"; busy: boolean; problem: string | null };

/** Which events: what an agent asks, or also results and errors. */
export type Wanted = "prompts" | "all";

/** What the service worker asks a page: to open a session, or whether somebody looks at one. */
interface Asked {
  open?: unknown;
  looking?: unknown;
}

const WANTED = "notify";

export class Notifier {
  readonly state = new Store<Notifying>({ kind: "off", busy: false, problem: null });
  readonly wanted = new Store<Wanted>(keptWanted());

  constructor(
    readonly base: string,
    /** Called when a notification is chosen. */
    open: (session: string) => void,
    /** Whether this session is on the screen. */
    shows: (session: string) => boolean,
  ) {
    const why = unable();
    if (why !== null) {
      this.state.set({ kind: "never", why });
      return;
    }
    navigator.serviceWorker.addEventListener("message", ({ data, ports }: MessageEvent<Asked | null>) => {
      if (typeof data?.open === "string") open(data.open);
      if (typeof data?.looking === "string") ports[0]?.postMessage(document.hasFocus() && shows(data.looking));
    });
  }

  /** After a sign-in: a device that was on stays on, for whoever has signed in. */
  async renew(api: Api): Promise<void> {
    if (this.state.get().kind === "never" || !(await this.#subscription())) return;
    await this.#try(() => this.#subscribe(api));
  }

  async turnOn(api: Api): Promise<void> {
    await this.#try(async () => {
      // First, because a browser asks only while it knows of the click.
      if ((await Notification.requestPermission()) !== "granted")
        throw new Error(
          "This browser does not allow notifications of this page. You can change it in its settings of the site.",
        );
      await this.#subscribe(api);
    });
  }

  async turnOff(api: Api): Promise<void> {
    const state = this.state.get();
    if (state.kind !== "on") return;
    this.state.set({ ...state, busy: true });
    let problem: string | null = null;
    try {
      const subscription = await this.#subscription();
      if (subscription) {
        // Without a subscription nothing is shown, whatever the server sends.
        await subscription.unsubscribe();
        await api.removeDevice(await nameOf(subscription.endpoint));
      }
      for (const shown of await this.#shown()) shown.close();
    } catch (error) {
      problem = wordsOf(error);
    }
    const left = await this.#subscription().catch(() => null);
    this.state.set({ kind: left ? "on" : "off", busy: false, problem });
  }

  async choose(api: Api, wanted: Wanted): Promise<void> {
    this.wanted.set(wanted);
    try {
      localStorage.setItem(WANTED, wanted);
    } catch {
      // Without storage the choice lives as long as the page.
    }
    if (this.state.get().kind === "on") await this.renew(api);
  }

  /** Somebody looks at this session: its notifications have nothing to tell any more. */
  async seen(session: string): Promise<void> {
    if (this.state.get().kind === "never") return;
    for (const shown of await this.#shown().catch(() => []))
      if ((shown.data as { session_id?: string } | null)?.session_id === session) shown.close();
  }

  async #try(attempt: () => Promise<void>): Promise<void> {
    const { kind } = this.state.get();
    if (kind === "never") return;
    this.state.set({ kind, busy: true, problem: null });
    try {
      await attempt();
      this.state.set({ kind: "on", busy: false, problem: null });
    } catch (error) {
      const left = await this.#subscription().catch(() => null);
      this.state.set({ kind: left ? "on" : "off", busy: false, problem: wordsOf(error) });
    }
  }

  async #subscribe(api: Api): Promise<void> {
    const key = await pushKey(api);
    await navigator.serviceWorker.register(`${this.base}console/worker.js`, { scope: this.base });
    const { pushManager } = await navigator.serviceWorker.ready;
    let subscription = await pushManager.getSubscription();
    if (subscription && !isSame(subscription.options.applicationServerKey, key)) {
      await subscription.unsubscribe();
      subscription = null;
    }
    try {
      subscription ??= await pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: key });
    } catch (error) {
      throw new Error(`This browser has no push service here, or cannot reach it: ${wordsOf(error)}`);
    }
    try {
      await api.addDevice(subscription.toJSON(), this.wanted.get() === "all" ? undefined : ["prompts"]);
    } catch (error) {
      // What the server does not take is no subscription.
      if (error instanceof Refused && error.status === 400) await subscription.unsubscribe();
      throw error;
    }
  }

  async #subscription(): Promise<PushSubscription | null> {
    const registration = await navigator.serviceWorker.getRegistration(this.base);
    return (await registration?.pushManager.getSubscription()) ?? null;
  }

  async #shown(): Promise<Notification[]> {
    const registration = await navigator.serviceWorker.getRegistration(this.base);
    return (await registration?.getNotifications()) ?? [];
  }
}

function unable(): string | null {
  if (!window.isSecureContext) return "Notifications need a page that comes over HTTPS.";
  if ("serviceWorker" in navigator && "PushManager" in window && "Notification" in window) return null;
  return "This browser has no notifications for pages. On an iPhone or iPad, add this page to the home screen and open it there.";
}

async function pushKey(api: Api): Promise<Uint8Array<ArrayBuffer>> {
  try {
    return bytesOf(await api.pushKey());
  } catch (error) {
    if (error instanceof Refused && error.status === 404)
      throw new Error("This server sends no notifications: its operator has not turned them on.");
    throw error;
  }
}

function keptWanted(): Wanted {
  try {
    return localStorage.getItem(WANTED) === "prompts" ? "prompts" : "all";
  } catch {
    return "all";
  }
}

function bytesOf(base64url: string): Uint8Array<ArrayBuffer> {
  const text = atob(base64url.replaceAll("-", "+").replaceAll("_", "/"));
  return Uint8Array.from(text, (char) => char.charCodeAt(0));
}

function isSame(one: ArrayBuffer | null, other: Uint8Array): boolean {
  const bytes = new Uint8Array(one ?? []);
  return bytes.length === other.length && bytes.every((byte, at) => byte === other[at]);
}

/** The id by which the server knows the device. */
async function nameOf(endpoint: string): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(endpoint)));
  return [...digest.slice(0, 16)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
