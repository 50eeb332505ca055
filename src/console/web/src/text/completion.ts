// What is being typed at the caret: a slash command at the beginning of a message, or a file after an `@`.

export interface Word {
  kind: "command" | "file";
  /** Where it begins in the text, with its `/` or `@`. It ends at the caret. */
  from: number;
  /** Without the `/` or `@`, and without a quotation mark. */
  query: string;
}

export function wordAt(text: string, caret: number): Word | null {
  const before = text.slice(0, caret);
  const command = /^\/(\S*)$/.exec(before);
  // A second slash makes it a path.
  if (command && !command[1]!.includes("/")) return { kind: "command", from: 0, query: command[1]! };
  const file = /(?:^|\s)@(?:"([^"\n]*)|([^\s"]*))$/.exec(before);
  if (!file) return null;
  const query = file[1] ?? file[2]!;
  return { kind: "file", from: before.lastIndexOf("@"), query };
}

/** Puts a command or a path in the word's place. */
export function complete(text: string, caret: number, word: Word, chosen: string): { text: string; caret: number } {
  const spaces = /\s/.test(chosen);
  const open = chosen.endsWith("/");
  const name = word.kind === "command" ? `/${chosen}` : spaces ? `@"${chosen}${open ? "" : '"'}` : `@${chosen}`;
  const rest = text.slice(caret);
  // In a directory one goes on typing.
  const piece = word.kind === "file" && open ? name : /^\s/.test(rest) ? name : `${name} `;
  const put = text.slice(0, word.from) + piece;
  return { text: put + rest, caret: put.length };
}
