import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { highlighted } from "../text/highlight";
import { html, parts, type Part } from "../text/markdown";
import { Icon } from "./icons";
import { memo } from "./memo";

/** A message's text. While it is written, only its last block is drawn again. */
export const Markdown = memo(({ source, growing = false }: { source: string; growing?: boolean }) => {
  const shown = useCalm(source, growing && source.length > LONG);
  const blocks = useMemo(() => parts(shown), [shown]);
  return (
    <div class="prose">
      {blocks.map((part, at) =>
        part.code ? (
          <Code key={at} text={part.code.text} language={part.code.language} />
        ) : (
          <Html key={at} part={part} id={part.key} />
        ),
      )}
    </div>
  );
});

/** In characters. */
const LONG = 16_000;
/** In milliseconds. */
const PAUSE = 200;

/** Follows a text, if `calm` only now and then: a long text is parsed as a whole each time it is drawn. */
function useCalm(text: string, calm: boolean): string {
  const [, redraw] = useState(0);
  const shown = useRef(text);
  const due = useRef(0);
  if (!calm || performance.now() >= due.current) {
    shown.current = text;
    due.current = performance.now() + PAUSE;
  }
  useEffect(() => {
    if (shown.current === text) return;
    const timer = setTimeout(() => redraw((count) => count + 1), due.current - performance.now());
    return () => clearTimeout(timer);
  }, [text]);
  return shown.current;
}

// Drawn again when its source changes, which `id` has; the part itself is a new object each time.
function Html({ part, id }: { part: Part; id: string }) {
  const inner = useMemo(() => ({ __html: html(part) }), [id]);
  return <div class="prose-block" dangerouslySetInnerHTML={inner} />;
}

export const Code = memo(({ text, language }: { text: string; language: string }) => {
  const inner = useMemo(() => ({ __html: highlighted(text, language) }), [text, language]);
  const [copied, setCopied] = useState(false);
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text);
      setCopied(true);
      setTimeout(() => setCopied(false), 1500);
    } catch {
      // Without permission for the clipboard the text can still be selected.
    }
  };
  return (
    <figure class="code">
      <figcaption>
        <span>{language || "text"}</span>
        <button type="button" class="quiet small" onClick={copy}>
          <Icon name="copy" />
          {copied ? "Copied" : "Copy"}
        </button>
      </figcaption>
      <pre tabIndex={0} role="group" aria-label={`Code, ${language || "text"}`}>
        <code dangerouslySetInnerHTML={inner} />
      </pre>
    </figure>
  );
});
