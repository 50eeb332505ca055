import assert from "node:assert/strict";
import { test } from "node:test";
import { linesOf } from "./lines";

const shown = (before: string, after: string) =>
  linesOf(before, after).map(
    ({ kind, text }) => `${{ same: " ", added: "+", removed: "-", skipped: "…" }[kind]}${text}`,
  );

test("changed lines stand between three unchanged ones", () => {
  const lines = Array.from({ length: 12 }, (_, at) => `l${at}`);
  const changed = lines.map((line) => (line === "l6" ? "new" : line));
  assert.deepEqual(shown(lines.join("\n"), changed.join("\n")), [
    "…3 unchanged lines",
    " l3",
    " l4",
    " l5",
    "-l6",
    "+new",
    " l7",
    " l8",
    " l9",
    "…2 unchanged lines",
  ]);
});

test("a new text is all added, an unchanged one all the same", () => {
  assert.deepEqual(shown("", "a\nb\n"), ["+a", "+b"]);
  assert.deepEqual(shown("a\n", "a\n"), [" a"]);
  assert.deepEqual(shown("", ""), []);
});
