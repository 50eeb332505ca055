// Slash commands and files, offered while they are typed.

import { useEffect, useRef, useState } from "preact/hooks";
import type { Command } from "../protocol/types";
import { wordAt, type Word } from "../text/completion";
import { firstLine } from "../text/plain";
import { useApp, useSession } from "./context";

export interface Suggestion {
  value: string;
  about?: string;
}

/** As many as fit without scrolling: whoever does not find the right one goes on typing. */
const MOST = 8;

/** Before the server is asked for files, in milliseconds: letters come faster. */
const PAUSE = 120;

interface Offered {
  list: Suggestion[];
  /** How many more there are. */
  more: number;
  /** The word that they complete. */
  word: Word;
}

export interface Suggestions {
  offered: Offered | null;
  chosen: number;
  /** Called for each key. Returns whether the key was for the list. */
  key(event: KeyboardEvent): boolean;
  close(): void;
  take(at: number): void;
}

/** Suggestions for the word at the caret; `take` is called with the one that was chosen. */
export function useSuggestions(
  text: string,
  caret: number,
  take: (word: Word, suggestion: Suggestion) => void,
): Suggestions {
  const app = useApp();
  const session = useSession();
  const [offered, setOffered] = useState<Offered | null>(null);
  const [chosen, setChosen] = useState(0);
  /** The text at which the list was closed: it stays closed until something else is written. */
  const closedAt = useRef<string | null>(null);
  const word = closedAt.current === text ? null : wordAt(text, caret);
  useEffect(() => {
    if (!word) return setOffered(null);
    let current = true;
    const show = (list: Suggestion[]) => {
      if (!current || closedAt.current === text) return;
      const shown = list.slice(0, MOST);
      setOffered(shown.length > 0 ? { list: shown, more: list.length - shown.length, word } : null);
      setChosen(0);
      if (shown.length > 0)
        app.announce(`${list.length === 1 ? "One suggestion" : `${list.length} suggestions`}: ${shown[0]!.value}`);
    };
    const ask = () => {
      const asked =
        word.kind === "file"
          ? session.look("files", word.query).then((files) => files.map((value) => ({ value })))
          : session.commands().then((commands) => matching(commands, word.query));
      // Without an answer nothing is offered, and what is typed is sent as it is.
      asked.then(show, () => show([]));
    };
    const timer = setTimeout(ask, word.kind === "file" ? PAUSE : 0);
    return () => {
      current = false;
      clearTimeout(timer);
    };
  }, [session, word?.kind, word?.from, word?.query]);

  const close = () => {
    closedAt.current = text;
    setOffered(null);
  };
  const pick = (at: number) => {
    const suggestion = offered?.list[at];
    if (!offered || !suggestion) return;
    setOffered(null);
    take(offered.word, suggestion);
  };
  const key = (event: KeyboardEvent) => {
    if (!offered || event.ctrlKey || event.metaKey || event.altKey) return false;
    const { list } = offered;
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      const next = (chosen + (event.key === "ArrowDown" ? 1 : list.length - 1)) % list.length;
      setChosen(next);
    } else if (event.key === "Escape") close();
    else if (event.key === "Tab" && !event.shiftKey) pick(chosen);
    // Whoever has typed the whole name sends it.
    else if (event.key === "Enter" && !event.shiftKey && list[chosen]!.value !== offered.word.query) pick(chosen);
    else return false;
    event.preventDefault();
    return true;
  };
  return { offered, chosen, key, close, take: pick };
}

/** Commands with these letters, those that begin with them first. */
function matching(commands: Command[], query: string): Suggestion[] {
  const wanted = query.toLowerCase();
  const rank = ({ name }: Command) => (name.toLowerCase().startsWith(wanted) ? 0 : 1);
  return commands
    .filter(({ name }) => name.toLowerCase().includes(wanted))
    .sort((one, other) => rank(one) - rank(other))
    .map(({ name, description, argumentHint }) => ({
      value: name,
      about: [argumentHint, firstLine(description ?? "", 140)].filter(Boolean).join(" · "),
    }));
}

export const SUGGESTIONS = "suggestions";
export const suggestionId = (at: number) => `suggestion-${at}`;

export function SuggestionList({ suggestions }: { suggestions: Suggestions }) {
  const { offered, chosen, take } = suggestions;
  if (!offered) return null;
  const { word, list, more } = offered;
  return (
    <div class="suggestions">
      <ul id={SUGGESTIONS} role="listbox" aria-label={word.kind === "file" ? "Files" : "Commands"}>
        {list.map(({ value, about }, at) => (
          <li
            key={value}
            id={suggestionId(at)}
            role="option"
            aria-selected={at === chosen}
            // The text keeps the focus.
            onMouseDown={(event) => event.preventDefault()}
            onClick={() => take(at)}
          >
            <span class="suggestion-value">{word.kind === "command" ? `/${value}` : value}</span>
            {about && <span class="faint">{about}</span>}
          </li>
        ))}
      </ul>
      {more > 0 && <p class="faint">{more === 1 ? "One more" : `${more} more`}: type on to find it.</p>}
    </div>
  );
}
