import assert from "node:assert/strict";
import { test } from "node:test";
import { complete, wordAt } from "./completion";

/** The word at the end of the text. */
const at = (text: string) => wordAt(text, text.length);

test("a slash at the beginning is a command, an at sign anywhere is a file", () => {
  assert.deepEqual(at("/com"), { kind: "command", from: 0, query: "com" });
  assert.deepEqual(at("read @src/ma"), { kind: "file", from: 5, query: "src/ma" });
  assert.deepEqual(at('read @"a b'), { kind: "file", from: 5, query: "a b" });
  assert.deepEqual(at("@"), { kind: "file", from: 0, query: "" });
  for (const text of ["", "a /com", "/com x", "/srv/x", "mail@home", 'done @"a b"', "a @b c"])
    assert.equal(at(text), null, text);
  assert.deepEqual(wordAt("/com x", 3), { kind: "command", from: 0, query: "co" });
});

/** Completes the word at the end; `|` is the caret. */
function chosen(text: string, value: string, rest = ""): string {
  const done = complete(text + rest, text.length, at(text)!, value);
  return `${done.text.slice(0, done.caret)}|${done.text.slice(done.caret)}`;
}

test("what is chosen replaces the word", () => {
  assert.equal(chosen("/com", "compact"), "/compact |");
  assert.equal(chosen("see @ma", "src/main.rs"), "see @src/main.rs |");
  assert.equal(chosen("see @ma", "src/main.rs", " now"), "see @src/main.rs| now");
  assert.equal(chosen("see @s", "src/"), "see @src/|");
  assert.equal(chosen('see @"a', "a b.txt"), 'see @"a b.txt" |');
  assert.equal(chosen("see @a", "a b/"), 'see @"a b/|');
});
