// The list of sessions: search, choose, begin.

import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import type { SessionDescription } from "../protocol/types";
import { Store, useStore } from "../state/store";
import { ago } from "../text/plain";
import { useApp } from "./context";
import { Dialog } from "./dialog";
import { Icon } from "./icons";
import { NewSession } from "./new_session";
import { Notifications } from "./notifications";

const NOTHING = new Store<SessionDescription | null>(null);

export function Sidebar() {
  const app = useApp();
  const { sessions: listed, loaded, problem } = useStore(app.list);
  const open = useStore(app.open);
  const current = useStore(open?.description ?? NOTHING);
  const [query, setQuery] = useState("");
  const creating = useStore(app.creating);
  const setCreating = (creating: boolean) => app.creating.set(creating);
  const [help, setHelp] = useState(false);
  const [notifying, setNotifying] = useState(false);
  const search = useRef<HTMLInputElement>(null);
  const list = useRef<HTMLUListElement>(null);
  const now = Date.now();

  useEffect(() => {
    const keys = (event: KeyboardEvent) => {
      if ((event.ctrlKey || event.metaKey) && event.key === "k") search.current?.focus();
      else if (event.altKey && event.key === "n") setCreating(true);
      else return;
      event.preventDefault();
    };
    window.addEventListener("keydown", keys);
    return () => window.removeEventListener("keydown", keys);
  }, []);

  // The list is asked for now and then; of the open session more is known.
  const sessions = useMemo(() => {
    if (!current) return listed;
    const others = listed.filter((session) => session.session_id !== current.session_id);
    return [...others, current];
  }, [listed, current]);
  const found = useMemo(() => {
    const words = query.toLowerCase().split(/\s+/).filter(Boolean);
    const text = (session: SessionDescription) => `${session.title ?? "new session"} ${session.cwd}`.toLowerCase();
    return sessions
      .filter((session) => words.every((word) => text(session).includes(word)))
      .sort((a, b) => b.active_at - a.active_at);
  }, [sessions, query]);

  const move = (event: KeyboardEvent, by: number) => {
    const links = [...(list.current?.querySelectorAll("a") ?? [])];
    const at = links.indexOf(document.activeElement as HTMLAnchorElement);
    const next = at < 0 ? (by > 0 ? links[0] : undefined) : links[at + by];
    if (next) next.focus();
    else if (by < 0) search.current?.focus();
    event.preventDefault();
  };
  const keys = (event: KeyboardEvent) => {
    if (event.key === "ArrowDown") move(event, 1);
    else if (event.key === "ArrowUp") move(event, -1);
  };

  return (
    <nav class="sidebar" aria-label="Sessions" onKeyDown={keys}>
      <header class="sidebar-head">
        <span class="brand">
          <img src="console/icon.svg" alt="" width="22" height="22" />
          agent-webkit
        </span>
        <button type="button" class="primary" onClick={() => setCreating(true)}>
          <Icon name="plus" />
          New
        </button>
      </header>
      <label class="search">
        <Icon name="search" />
        <span class="hidden">Search sessions by title or directory</span>
        <input
          ref={search}
          type="search"
          placeholder="Search"
          value={query}
          onInput={(event) => setQuery(event.currentTarget.value)}
        />
        <kbd>Ctrl K</kbd>
      </label>
      {problem && (
        <p class="problem padded" role="status">
          The list may be old. {problem}
        </p>
      )}
      {loaded && found.length === 0 && (
        <p class="faint padded">{query ? "No session has these words." : "No sessions yet."}</p>
      )}
      <ul ref={list} class="sessions">
        {found.map((session) => (
          <li key={session.session_id}>
            <a href={`#/${session.session_id}`} aria-current={open?.id === session.session_id ? "page" : undefined}>
              <span class="session-title">{session.title ?? "New session"}</span>
              <span class="session-about">
                <span class={`dot ${session.status}`} aria-hidden="true" />
                <span class="hidden">{STATUS[session.status]}</span>
                <span class="session-cwd">{session.cwd.split("/").pop() || "/"}</span>
                <time dateTime={new Date(session.active_at).toISOString()}>{ago(session.active_at, now)}</time>
              </span>
            </a>
          </li>
        ))}
      </ul>
      <footer class="sidebar-foot">
        <Theme />
        <button type="button" class="quiet small" onClick={() => setHelp(true)}>
          Keyboard
        </button>
        <button type="button" class="quiet small" onClick={() => setNotifying(true)}>
          Notify
        </button>
        <SignOut />
      </footer>
      {creating && <NewSession sessions={sessions} close={() => setCreating(false)} />}
      {help && <Keyboard close={() => setHelp(false)} />}
      {notifying && <Notifications close={() => setNotifying(false)} />}
    </nav>
  );
}

const STATUS = { idle: "ready,", running: "works,", requires_action: "asks you," };

const KEYS: [string, string][] = [
  ["Ctrl K", "search the sessions; arrow keys choose"],
  ["Alt N", "new session"],
  ["Ctrl J", "to what the agent asks, or to the text"],
  ["y", "allow (in a prompt)"],
  ["n", "deny (in a prompt)"],
  ["Enter", "send"],
  ["Shift Enter", "new line"],
  ["/ or @", "a command, or a file; arrow keys choose, Tab takes"],
  ["Esc", "stop the turn (in the text)"],
];

function Keyboard({ close }: { close: () => void }) {
  return (
    <Dialog title="Keyboard" close={close}>
      <dl class="keys">
        {KEYS.map(([key, text]) => (
          <div key={key}>
            <dt>
              <kbd>{key}</kbd>
            </dt>
            <dd>{text}</dd>
          </div>
        ))}
      </dl>
    </Dialog>
  );
}

function SignOut() {
  const app = useApp();
  const auth = useStore(app.auth);
  if (auth.kind !== "in" || auth.api.token === null) return null;
  return (
    <button type="button" class="quiet small sign-out" onClick={() => app.signOut()}>
      Sign out
    </button>
  );
}

const THEMES = ["system", "light", "dark"] as const;

function Theme() {
  const [theme, setTheme] = useState(document.documentElement.dataset.theme ?? "system");
  const next = THEMES[(THEMES.indexOf(theme as (typeof THEMES)[number]) + 1) % THEMES.length]!;
  return (
    <button
      type="button"
      class="quiet small"
      onClick={() => {
        chooseTheme(next);
        setTheme(next);
      }}
    >
      <span class="hidden">Colours: </span>
      {theme === "system" ? "Auto" : theme === "dark" ? "Dark" : "Light"}
    </button>
  );
}

export function chooseTheme(theme: string | null): void {
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
  else delete document.documentElement.dataset.theme;
  try {
    if (theme) localStorage.setItem("theme", theme);
  } catch {
    // Without storage the choice lives as long as the page.
  }
}
