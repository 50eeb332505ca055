// Where the user writes. What is typed is kept with the tab until it is sent.

import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { wordsOf } from "../protocol/api";
import type { UserBlock, UserContent } from "../protocol/types";
import { useStore } from "../state/store";
import { complete } from "../text/completion";
import { useSession } from "./context";
import { Icon } from "./icons";
import { SuggestionList, suggestionId, SUGGESTIONS, useSuggestions } from "./suggestions";

interface Picture {
  media: string;
  data: string;
  name: string;
}

/** Above this the model refuses a picture. */
const LARGEST_PICTURE = 5 * 1024 * 1024;
const PICTURES = ["image/png", "image/jpeg", "image/gif", "image/webp"];

export function Composer({ running, disabled, asking }: { running: boolean; disabled: boolean; asking: boolean }) {
  const session = useSession();
  const area = useRef<HTMLTextAreaElement>(null);
  const files = useRef<HTMLInputElement>(null);
  const [text, setText] = useState(() => draftOf(session.id));
  const [pictures, setPictures] = useState<Picture[]>([]);
  const [problem, setProblem] = useState<string | null>(null);
  const [over, setOver] = useState(false);
  const [caret, setCaret] = useState(0);
  /** Where the caret goes once the text is drawn. */
  const moved = useRef<number | null>(null);
  const suggestions = useSuggestions(text, caret, (word, { value }) => {
    const done = complete(text, caret, word, value);
    moved.current = done.caret;
    setText(done.text);
    setCaret(done.caret);
  });

  useEffect(() => keepDraft(session.id, text), [text]);
  const again = useStore(session.writeAgain);
  useEffect(() => {
    if (again === null) return;
    session.writeAgain.set(null);
    setText((now) => (now ? `${again}\n\n${now}` : again));
    area.current?.focus();
  }, [again]);
  useLayoutEffect(() => {
    const element = area.current!;
    element.style.height = "auto";
    element.style.height = `${Math.min(element.scrollHeight, window.innerHeight * 0.4)}px`;
    if (moved.current !== null) element.setSelectionRange(moved.current, moved.current);
    moved.current = null;
  }, [text]);

  const send = () => {
    const written = text.trim();
    if (disabled || (!written && pictures.length === 0)) return;
    const blocks: UserBlock[] = pictures.map(({ media, data }) => ({
      type: "image",
      source: { type: "base64", media_type: media, data },
    }));
    if (written) blocks.push({ type: "text", text: written });
    const content: UserContent = pictures.length > 0 ? blocks : written;
    session.outbox.add(content, session.conversation.get().seq);
    setText("");
    setPictures([]);
    setProblem(null);
    area.current?.focus();
  };
  const interrupt = async () => setProblem(await session.send({ type: "interrupt" }));
  const take = async (list: Iterable<File>) => {
    for (const file of list) {
      if (!PICTURES.includes(file.type)) setProblem(`${file.name || "This"} is not a picture that the agent can see.`);
      else if (file.size > LARGEST_PICTURE) setProblem(`${file.name || "This picture"} is larger than 5 MB.`);
      else {
        try {
          const data = await base64(file);
          setPictures((now) => [...now, { media: file.type, data, name: file.name || "Picture" }]);
        } catch (error) {
          setProblem(wordsOf(error));
        }
      }
    }
  };
  const keys = (event: KeyboardEvent) => {
    if (event.isComposing || suggestions.key(event)) return;
    const touch = matchMedia("(pointer: coarse)").matches;
    if (event.key === "Enter" && !event.shiftKey && (!touch || event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      send();
    } else if (event.key === "Escape" && running) {
      event.preventDefault();
      void interrupt();
    }
  };

  return (
    <form
      class={over ? "composer over" : "composer"}
      onSubmit={(event) => (event.preventDefault(), send())}
      onDragOver={(event) => (event.preventDefault(), setOver(true))}
      onDragLeave={() => setOver(false)}
      onDrop={(event) => {
        event.preventDefault();
        setOver(false);
        void take(event.dataTransfer?.files ?? []);
      }}
    >
      {pictures.length > 0 && (
        <ul class="pictures" aria-label="Pictures to send">
          {pictures.map((picture, at) => (
            <li key={at}>
              <img src={`data:${picture.media};base64,${picture.data}`} alt={picture.name} />
              <button
                type="button"
                class="square"
                aria-label={`Remove ${picture.name}`}
                onClick={() => setPictures(pictures.filter((_, index) => index !== at))}
              >
                <Icon name="close" />
              </button>
            </li>
          ))}
        </ul>
      )}
      <SuggestionList suggestions={suggestions} />
      <textarea
        id="composer"
        ref={area}
        rows={1}
        aria-label="Message to the agent"
        placeholder={disabled ? "" : running ? "Write the next message; it is queued" : "Write to the agent"}
        value={text}
        disabled={disabled}
        aria-autocomplete="list"
        aria-haspopup="listbox"
        aria-controls={suggestions.offered ? SUGGESTIONS : undefined}
        aria-activedescendant={suggestions.offered ? suggestionId(suggestions.chosen) : undefined}
        onInput={(event) => {
          setText(event.currentTarget.value);
          setCaret(event.currentTarget.selectionStart);
        }}
        onSelect={(event) => setCaret(event.currentTarget.selectionStart)}
        onBlur={suggestions.close}
        onKeyDown={keys}
        onPaste={(event) => {
          const pasted = [...(event.clipboardData?.files ?? [])];
          if (pasted.length === 0) return;
          event.preventDefault();
          void take(pasted);
        }}
      />
      <div class="composer-row">
        <input
          ref={files}
          type="file"
          accept={PICTURES.join(",")}
          multiple
          hidden
          onChange={(event) => (void take([...(event.currentTarget.files ?? [])]), (event.currentTarget.value = ""))}
        />
        <button
          type="button"
          class="quiet square"
          disabled={disabled}
          aria-label="Add a picture"
          onClick={() => files.current?.click()}
        >
          <Icon name="image" />
        </button>
        <span class="hint faint">{asking ? "Ctrl J to answer" : "Enter sends, Shift Enter is a new line"}</span>
        {running && (
          <button type="button" onClick={interrupt}>
            <Icon name="stop" />
            Stop <kbd>Esc</kbd>
          </button>
        )}
        <button type="submit" class="primary" disabled={disabled || (!text.trim() && pictures.length === 0)}>
          <Icon name="send" />
          {running ? "Queue" : "Send"}
        </button>
      </div>
      {problem && (
        <p class="problem" role="alert">
          {problem}
        </p>
      )}
    </form>
  );
}

export function draftOf(id: string): string {
  try {
    return sessionStorage.getItem(`draft:${id}`) ?? "";
  } catch {
    return "";
  }
}

function keepDraft(id: string, text: string): void {
  try {
    if (text) sessionStorage.setItem(`draft:${id}`, text);
    else sessionStorage.removeItem(`draft:${id}`);
  } catch {
    // Without storage the text lives as long as the page.
  }
}

function base64(file: File): Promise<string> {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(String(reader.result).split(",", 2)[1] ?? "");
    reader.onerror = () => reject(reader.error ?? new Error("The file cannot be read."));
    reader.readAsDataURL(file);
  });
}
