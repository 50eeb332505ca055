// The difference between two texts, by lines.

import { useMemo, useState } from "preact/hooks";
import { linesOf, type Line } from "../text/lines";
import { memo } from "./memo";

/** Lines that are shown without asking. */
const MOST = 200;

export const Diff = memo(({ before, after }: { before: string; after: string }) => {
  const lines = useMemo(() => linesOf(before, after), [before, after]);
  const [all, setAll] = useState(false);
  const shown = all ? lines : lines.slice(0, MOST);
  return (
    <div class="diff" tabIndex={0} role="group" aria-label={summary(lines)}>
      {shown.map((line, at) => (
        <div key={at} class={`line ${line.kind}`}>
          {line.kind === "skipped" ? (
            <span>{line.text}</span>
          ) : (
            <>
              <span class="sign" aria-hidden="true">
                {line.kind === "added" ? "+" : line.kind === "removed" ? "−" : " "}
              </span>
              {line.kind !== "same" && <span class="hidden">{line.kind}: </span>}
              <span class="content">{line.text || " "}</span>
            </>
          )}
        </div>
      ))}
      {shown.length < lines.length && (
        <button type="button" class="quiet small" onClick={() => setAll(true)}>
          Show {lines.length - shown.length} more lines
        </button>
      )}
    </div>
  );
});

function summary(lines: Line[]): string {
  const count = (kind: Line["kind"]) => lines.filter((line) => line.kind === kind).length;
  return `Changes: ${count("added")} lines added, ${count("removed")} removed`;
}
