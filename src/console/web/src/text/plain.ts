// Small texts about values.

import type { UserContent } from "../protocol/types";

/** The words of a user's message, without its images. */
export function textOf(content: UserContent): string {
  if (typeof content === "string") return content;
  const blocks = Array.isArray(content) ? content : [];
  return blocks.map((block) => (block.type === "text" ? block.text : "")).join("\n");
}

/** The text of a tool's output, and its images. */
export function outputOf(output: unknown): { text: string; images: { media: string; data: string }[] } {
  if (typeof output === "string") return { text: withoutAnsi(output), images: [] };
  if (!Array.isArray(output))
    return { text: output === undefined || output === null ? "" : JSON.stringify(output, null, 2), images: [] };
  const texts: string[] = [];
  const images: { media: string; data: string }[] = [];
  for (const block of output) {
    if (typeof block === "string") texts.push(block);
    else if (block?.type === "text") texts.push(String(block.text ?? ""));
    else if (block?.type === "image" && block.source?.type === "base64")
      images.push({ media: String(block.source.media_type), data: String(block.source.data) });
    else texts.push(JSON.stringify(block, null, 2));
  }
  return { text: withoutAnsi(texts.join("\n")), images };
}

/** Colours of terminals are noise here. */
export function withoutAnsi(text: string): string {
  return text.replace(/\u001b\[[0-9;?]*[ -/]*[@-~]|\u001b\][^\u0007\u001b]*(?:\u0007|\u001b\\)/g, "");
}

export function dollars(amount: number): string {
  if (amount === 0) return "$0";
  if (amount < 0.0001) return "<$0.0001";
  return amount < 0.01 ? `$${amount.toFixed(4)}` : `$${amount.toFixed(2)}`;
}

export function duration(milliseconds: number): string {
  const seconds = milliseconds / 1000;
  if (seconds < 60) return `${seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)} s`;
  return `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`;
}

export function ago(then: number, now: number): string {
  const minutes = Math.floor((now - then) / 60_000);
  if (minutes < 1) return "now";
  if (minutes < 60) return `${minutes} min`;
  if (minutes < 60 * 24) return `${Math.floor(minutes / 60)} h`;
  return new Date(then).toLocaleDateString(undefined, { day: "numeric", month: "short" });
}

export function thousands(count: number): string {
  if (count >= 1_000_000) return `${(count / 1_000_000).toFixed(count % 1_000_000 === 0 ? 0 : 1)}M`;
  return count < 1000 ? String(count) : `${(count / 1000).toFixed(count < 10_000 ? 1 : 0)}k`;
}

/** The path as people read it: relative to the session's directory where it is inside. */
export function shortPath(path: string, cwd: string | undefined): string {
  return cwd && path.startsWith(`${cwd}/`) ? path.slice(cwd.length + 1) : path;
}

export function firstLine(text: string, most = 120): string {
  const line = text.trim().split("\n", 1)[0] ?? "";
  return line.length > most ? `${line.slice(0, most)}…` : line;
}
