// Markdown as HTML that can't run anything and loads nothing.

import DOMPurify from "dompurify";
import { Marked, type Token, type Tokens } from "marked";

export interface Part {
  /** The same for the same source: what has not changed is not drawn again. */
  key: string;
  code?: { language: string; text: string };
  token: Token;
}

const marked = new Marked({
  gfm: true,
  breaks: false,
  renderer: {
    // Tags in a message are text: the model shows them, it does not build the page.
    html: ({ text }: Tokens.HTML | Tokens.Tag) => escape(text),
    // A picture from elsewhere would tell that somebody reads this.
    image: ({ href, text }: Tokens.Image) =>
      isLocalImage(href) ? `<img src="${escape(href)}" alt="${escape(text)}">` : link(href, escape(text || href)),
    link({ href, tokens }: Tokens.Link) {
      return link(href, this.parser.parseInline(tokens));
    },
    checkbox: ({ checked }: Tokens.Checkbox) => (checked ? "☑ " : "☐ "),
  },
});

/** The message's blocks, each to be drawn by itself. */
export function parts(source: string): Part[] {
  return marked
    .lexer(source)
    .filter((token) => token.type !== "space")
    .map((token) => {
      const code =
        token.type === "code"
          ? { language: String(token.lang ?? "").split(/\s/)[0] ?? "", text: String(token.text) }
          : undefined;
      return { key: `${token.type}:${token.raw}`, token, code };
    });
}

export function html({ token }: Part): string {
  return clean(marked.parser([token]));
}

const TAGS = [
  "p",
  "br",
  "strong",
  "em",
  "del",
  "code",
  "pre",
  "blockquote",
  "ul",
  "ol",
  "li",
  "hr",
  "a",
  "img",
  "span",
  "h1",
  "h2",
  "h3",
  "h4",
  "h5",
  "h6",
  "table",
  "thead",
  "tbody",
  "tr",
  "th",
  "td",
];

/** Removes everything but plain text markup. */
export function clean(source: string): string {
  return DOMPurify.sanitize(source, {
    ALLOWED_TAGS: TAGS,
    ALLOWED_ATTR: ["href", "src", "alt", "class", "start", "align"],
    ALLOWED_URI_REGEXP: /^(?:https?:|mailto:|data:image\/|blob:)/i,
    ALLOW_DATA_ATTR: false,
    ALLOW_ARIA_ATTR: false,
  });
}

DOMPurify.addHook("uponSanitizeAttribute", (_, data) => {
  // Only what the highlighter writes: a class of the page's own could imitate its controls.
  if (data.attrName === "class") data.keepAttr = /^hljs-[\w-]+(?: \w+_)*$/.test(data.attrValue);
});

DOMPurify.addHook("afterSanitizeAttributes", (node) => {
  if (node.tagName === "A") {
    if (!isSafeLink(node.getAttribute("href") ?? "")) node.removeAttribute("href");
    node.setAttribute("rel", "noopener noreferrer nofollow");
    node.setAttribute("target", "_blank");
  }
  if (node.tagName === "IMG" && !isLocalImage(node.getAttribute("src") ?? "")) node.remove();
});

function isSafeLink(href: string): boolean {
  return /^(?:https?:\/\/|mailto:)/i.test(href);
}

function isLocalImage(href: string): boolean {
  return /^(?:data:image\/(?:png|jpeg|gif|webp);base64,|blob:)/i.test(href);
}

function link(href: string, inner: string): string {
  return isSafeLink(href) ? `<a href="${escape(href)}">${inner}</a>` : inner;
}

export function escape(text: string): string {
  const entities: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };
  return text.replace(/[&<>"']/g, (character) => entities[character]!);
}
