// JSON that is still being written.

/** Returns the object that this beginning of a JSON text holds so far, its last text or number as far as it is written. */
export function partialObject(text: string): Record<string, unknown> | undefined {
  const open: string[] = [];
  let quoted = false;
  /** The longest beginning that only has to be closed to be JSON, closed. */
  let whole = "";
  for (let at = 0; at < text.length; at += 1) {
    const character = text[at]!;
    if (quoted) {
      if (character === "\\") at += 1;
      else if (character === '"') quoted = false;
      continue;
    }
    if (character === '"') quoted = true;
    else if (character === "{") open.push("}");
    else if (character === "[") open.push("]");
    else if (character === "}" || character === "]") open.pop();
    // What is before a comma is whole, and so is what a bracket has just begun or ended.
    if (character === ",") whole = text.slice(0, at) + close(open);
    else if ("{}[]".includes(character)) whole = text.slice(0, at + 1) + close(open);
  }
  // The last text of a member is shown as it grows.
  const attempts = quoted ? [text.replace(/\\[^"]{0,5}$/, "") + '"' + close(open), whole] : [text + close(open), whole];
  for (const attempt of attempts) {
    try {
      const value: unknown = JSON.parse(attempt);
      if (typeof value === "object" && value && !Array.isArray(value)) return value as Record<string, unknown>;
    } catch {
      // The next one has less.
    }
  }
  return undefined;
}

function close(open: string[]): string {
  return [...open].reverse().join("");
}
