import assert from "node:assert/strict";
import { test } from "node:test";
import { partialObject } from "./partial";

test("every beginning of an object gives what is certain so far", () => {
  const value = { city: 'Os"lo\\ {', days: [{ at: 1, dry: true }, "x"], none: null, deep: { a: [-1.5e3] } };
  const text = JSON.stringify(value, null, 1);
  for (let end = 0; end <= text.length; end += 1) {
    const part = partialObject(text.slice(0, end));
    if (part) for (const name of Object.keys(part)) assert.ok(name in value, `${name} after ${end}`);
    if (end > 30) assert.equal(part?.city, value.city, `after ${end}`);
  }
  assert.deepEqual(partialObject(text), value);
});

test("the last text grows", () => {
  assert.deepEqual(partialObject('{"city":"Os'), { city: "Os" });
  assert.deepEqual(partialObject('{"city":"Os\\'), { city: "Os" });
  assert.deepEqual(partialObject('{"a":1,"ci'), { a: 1 });
  assert.deepEqual(partialObject('{"a":[1,2'), { a: [1, 2] });
  assert.equal(partialObject(""), undefined);
  assert.equal(partialObject("[1"), undefined);
});
