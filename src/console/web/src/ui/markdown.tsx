import { useMemo, useState } from "preact/hooks";
import { highlighted } from "../text/highlight";
import { html, parts, type Part } from "../text/markdown";
import { Icon } from "./icons";
import { memo } from "./memo";

/** A message's text. While it is written, only its last block is drawn again. */
export const Markdown = memo(({ source }: { source: string }) => {
  const blocks = useMemo(() => parts(source), [source]);
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
