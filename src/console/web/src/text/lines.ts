// The lines of the difference between two texts.

import { diffLines } from "diff";

export interface Line {
  kind: "same" | "added" | "removed" | "skipped";
  text: string;
}

/** Unchanged lines around a change. */
const AROUND = 3;

export function linesOf(before: string, after: string): Line[] {
  const lines: Line[] = [];
  const changes = diffLines(before, after);
  changes.forEach((change, at) => {
    const texts = change.value.replace(/\n$/, "").split("\n");
    if (change.added || change.removed) {
      lines.push(...texts.map((text): Line => ({ kind: change.added ? "added" : "removed", text })));
      return;
    }
    const head = at === 0 ? 0 : AROUND;
    const tail = at === changes.length - 1 ? 0 : AROUND;
    const skipped = texts.length - head - tail;
    if (skipped < 2) lines.push(...texts.map((text): Line => ({ kind: "same", text })));
    else {
      lines.push(...texts.slice(0, head).map((text): Line => ({ kind: "same", text })));
      lines.push({ kind: "skipped", text: `${skipped} unchanged lines` });
      lines.push(...texts.slice(texts.length - tail).map((text): Line => ({ kind: "same", text })));
    }
  });
  return before === "" && after === "" ? [] : lines;
}
