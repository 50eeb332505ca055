// The page as a whole: who is signed in, the list of sessions, and which one is open.

import { Api, Refused, wordsOf, type NewSession } from "../protocol/api";
import type { GenuiTool, SessionDescription } from "../protocol/types";
import { Notifier } from "./notifier";
import { OpenSession } from "./session";
import * as signIn from "./sign_in";
import { Store } from "./store";

export type Auth = { kind: "checking" } | { kind: "out"; why: string | null; busy: boolean } | { kind: "in"; api: Api };

export interface Listed {
  sessions: SessionDescription[];
  loaded: boolean;
  /** Why the list may be old. */
  problem: string | null;
}

const LIST_INTERVAL = 5000;

/** Returns the id in an address such as `#/82015afa-…`; empty without one. */
function sessionInAddress(): string {
  try {
    return location.hash.startsWith("#/") ? decodeURIComponent(location.hash.slice(2)) : "";
  } catch {
    // Half an escape, typed by hand.
    return "";
  }
}

export class App {
  readonly auth = new Store<Auth>({ kind: "checking" });
  readonly list = new Store<Listed>({ sessions: [], loaded: false, problem: null });
  readonly open = new Store<OpenSession | null>(null);
  /** The components of the host's user interface, by the name of their tool. */
  readonly components = new Store<Map<string, GenuiTool>>(new Map());
  /** Whether the form for a new session is open. */
  readonly creating = new Store(false);
  /** What screen readers are told. */
  readonly announcement = new Store("");
  /** Below the prefix at which the page is mounted. */
  readonly base = new URL(".", location.href.split("#")[0]).href;
  readonly notifier = new Notifier(
    this.base,
    (session) => this.show(session),
    (session) => this.open.get()?.id === session,
  );
  #timer = 0;

  start(): void {
    const given = signIn.takeFromAddress();
    if (given) void this.signIn(given.token, given.keep);
    else void this.#tryWithout();
    window.addEventListener("hashchange", () => this.#address());
    document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && void this.refresh());
  }

  /** A kept token, or none: a server may need none. */
  async #tryWithout(): Promise<void> {
    const token = signIn.kept();
    await this.#enter(new Api(this.base, token), token === null ? null : "The token is no longer accepted.");
  }

  async signIn(token: string, keep: boolean): Promise<void> {
    this.auth.set({ kind: "out", why: null, busy: true });
    // A header can't carry anything else.
    if (!/^[\x21-\x7e]+$/.test(token)) {
      this.auth.set({ kind: "out", why: "A token consists of visible ASCII characters without spaces.", busy: false });
      return;
    }
    signIn.keep(keep ? token : null);
    await this.#enter(new Api(this.base, token), "The server does not accept this token.");
  }

  async #enter(api: Api, refused: string | null): Promise<void> {
    try {
      const sessions = await api.list();
      this.list.set({ sessions, loaded: true, problem: null });
    } catch (error) {
      if (error instanceof Refused && error.status === 401) {
        signIn.keep(null);
        this.auth.set({ kind: "out", why: refused, busy: false });
        return;
      }
      if (!(error instanceof Refused && error.status === 403)) {
        this.list.update((list) => ({ ...list, problem: wordsOf(error) }));
        // Without an answer nobody knows whether the token is good. What is known stays on the screen.
        if (api.token === null) {
          this.auth.set({ kind: "out", why: wordsOf(error), busy: false });
          return;
        }
      }
    }
    this.auth.set({ kind: "in", api });
    void this.#components(api);
    void this.notifier.renew(api);
    this.open.get()?.use(api);
    this.#address();
    this.#schedule();
  }

  async #components(api: Api): Promise<void> {
    try {
      const tools = await api.components();
      this.components.set(new Map(tools.map((tool) => [tool.name, tool])));
    } catch {
      // There are none. Calls of such tools look like those of others then.
    }
  }

  signOut(): void {
    const auth = this.auth.get();
    // Whoever signs out has nothing more to hear here.
    if (auth.kind === "in") void this.notifier.turnOff(auth.api);
    signIn.keep(null);
    this.#expired(null);
    this.open.get()?.close();
    this.open.set(null);
    this.list.set({ sessions: [], loaded: false, problem: null });
  }

  /** The token was refused. What is on the screen stays, so that nothing typed is lost. */
  #expired = (why: string | null): void => {
    clearTimeout(this.#timer);
    if (this.auth.get().kind === "in") {
      signIn.keep(null);
      this.auth.set({ kind: "out", why, busy: false });
    }
  };

  #schedule(): void {
    clearTimeout(this.#timer);
    this.#timer = window.setTimeout(() => {
      if (document.visibilityState === "visible") void this.refresh();
      this.#schedule();
    }, LIST_INTERVAL);
  }

  async refresh(): Promise<void> {
    const auth = this.auth.get();
    if (auth.kind !== "in") return;
    try {
      const sessions = await auth.api.list();
      this.list.set({ sessions, loaded: true, problem: null });
    } catch (error) {
      if (error instanceof Refused && error.status === 401) this.#expired("The token is no longer accepted.");
      else this.list.update((list) => ({ ...list, loaded: true, problem: wordsOf(error) }));
    }
  }

  /** Returns what went wrong, in words. */
  async create(wanted: NewSession): Promise<string | null> {
    const auth = this.auth.get();
    if (auth.kind !== "in") return "You are not signed in.";
    try {
      const id = await auth.api.create(wanted);
      this.show(id);
      void this.refresh();
      return null;
    } catch (error) {
      return wordsOf(error);
    }
  }

  async remove(id: string): Promise<string | null> {
    const auth = this.auth.get();
    if (auth.kind !== "in") return "You are not signed in.";
    try {
      await auth.api.remove(id);
      if (this.open.get()?.id === id) this.show(null);
      void this.refresh();
      return null;
    } catch (error) {
      return wordsOf(error);
    }
  }

  show(id: string | null): void {
    const wanted = id === null ? "#/" : `#/${encodeURIComponent(id)}`;
    if (location.hash !== wanted) location.hash = wanted;
    // The browser tells of the change later, and whoever calls this may want to focus what is shown.
    this.#address();
  }

  #address(): void {
    const given = signIn.takeFromAddress();
    if (given) return void this.signIn(given.token, given.keep);
    const auth = this.auth.get();
    if (auth.kind !== "in") return;
    const id = sessionInAddress();
    if (id) void this.notifier.seen(id);
    if (this.open.get()?.id === (id || undefined)) return;
    this.open.get()?.close();
    this.open.set(id ? new OpenSession(id, auth.api, () => this.#expired("The token is no longer accepted.")) : null);
  }

  announce(text: string): void {
    this.announcement.set(text);
  }
}
