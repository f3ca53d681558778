// Text and its MessageEntity list -> DOM nodes. Offsets are UTF-16 code units, which is what JavaScript strings
// count in, so slicing needs no conversion. Entities may nest and, in text cut by hand, even overlap.

import { element, icon } from "./dom.js";
import { detect } from "./detect.js";
import { highlight } from "./highlight.js";

const BLOCKS = new Set(["pre", "blockquote", "expandable_blockquote"]);

const SIMPLE = { bold: "strong", italic: "em", underline: "u", strikethrough: "s" };

// Everything else (javascript:, data:, file:) stays plain text.
const SAFE_SCHEMES = new Set(["http:", "https:", "mailto:", "tel:", "tg:"]);

export function safeUrl(address) {
  const withScheme = /^[a-z][a-z0-9+.-]*:/i.test(address) ? address : `https://${address}`;
  try {
    const url = new URL(withScheme);
    return SAFE_SCHEMES.has(url.protocol) ? url.href : null;
  } catch {
    return null;
  }
}

export function link(address, ...content) {
  const href = safeUrl(address);
  if (href === null) return element("span", {}, ...content);
  return element("a", { class: "link", href, target: "_blank", rel: "noopener noreferrer nofollow", title: href }, ...content);
}

/** A code box with its language and a copy button; the label is drawn by CSS so that the text is only the code. */
export function codeBlock(language, ...content) {
  const copy = element("button", { type: "button", class: "copy", "data-action": "copy-code", "aria-label": "Copy the code" }, icon("copy"));
  const label = element("span", { class: "language", "data-label": language || "code", "aria-hidden": "true" });
  const code = element("code", { dir: "ltr", tabindex: "0" }, ...content);
  return element("div", { class: "pre" }, element("div", { class: "pre-head" }, label, copy), element("pre", {}, code));
}

export function quote(expandable, ...content) {
  if (!expandable) return element("blockquote", { class: "quote" }, ...content);
  const unfold = element("button", {
    type: "button", class: "unfold", "data-action": "unfold", "aria-label": "Show the whole quotation", "aria-expanded": "false",
  }, icon("chevron"));
  return element("blockquote", { class: "quote expandable" }, element("div", { class: "quote-body" }, ...content), unfold);
}

export function spoiler(...content) {
  return element("span", {
    class: "spoiler", role: "button", tabindex: "0", "data-action": "reveal", "aria-label": "Hidden text, press to reveal",
  }, element("span", { class: "spoiler-text" }, ...content));
}

export function command(name, ...content) {
  return element("a", { class: "link", href: "#", role: "button", "data-action": "command", "data-command": name }, ...content);
}

function wrap(entity, raw, content) {
  switch (entity.type) {
    case "bold": case "italic": case "underline": case "strikethrough":
      return element(SIMPLE[entity.type], {}, content);
    case "spoiler": return spoiler(content);
    case "code": return element("code", { class: "mono", "data-action": "copy-text", title: "Click to copy" }, content);
    case "pre": return codeBlock(entity.language, highlight(raw, entity.language));
    case "blockquote": return quote(false, content);
    case "expandable_blockquote": return quote(true, content);
    case "text_link": return link(entity.url ?? "", content);
    case "url": return link(raw, content);
    case "email": return link(`mailto:${raw}`, content);
    case "phone_number": return link(`tel:${raw.replace(/[^+\d]/g, "")}`, content);
    case "bot_command": return command(raw, content);
    case "mention": case "text_mention": case "hashtag": case "cashtag":
      return element("span", { class: "link" }, content);
    case "custom_emoji": return element("span", { class: "custom-emoji" }, content);
    case "date_time": return element("time", { class: "date-time" }, content);
    default: return content; // a kind newer than this page is shown as plain text
  }
}

/** Outermost first: blocks, then the longer range, so that ranges that only overlap are split as rarely as possible. */
function byNesting(a, b) {
  return BLOCKS.has(b.type) - BLOCKS.has(a.type) || b.length - a.length || a.offset - b.offset;
}

function fill(parent, text, start, end, entities) {
  const index = entities.findIndex((entity) => entity.offset < end && entity.offset + entity.length > start);
  if (index === -1) {
    if (end > start) parent.append(text.slice(start, end));
    return;
  }
  const outer = entities[index];
  const rest = entities.slice(index + 1);
  const from = Math.max(start, outer.offset);
  const to = Math.min(end, outer.offset + outer.length);
  fill(parent, text, start, from, rest);
  const content = document.createDocumentFragment();
  // A link inside a link is not HTML; the outer one wins.
  const inside = outer.type === "text_link" ? rest.filter((entity) => !["url", "text_link"].includes(entity.type)) : rest;
  fill(content, text, from, to, inside);
  parent.append(wrap(outer, text.slice(from, to), content));
  fill(parent, text, swallowBreak(parent, text, to, end, outer), end, rest);
}

/** A block ends its own line, so the line break written after it would show as an empty line: kept in the DOM, not drawn. */
function swallowBreak(parent, text, at, end, outer) {
  if (!BLOCKS.has(outer.type) || at >= end || text[at] !== "\n") return at;
  parent.append(element("span", { class: "swallowed" }, "\n"));
  return at + 1;
}

export function renderText(text, entities = []) {
  const usable = entities.filter((entity) => entity.length > 0 && entity.offset >= 0 && entity.offset < text.length);
  const all = [...usable, ...detect(text, usable)].sort(byNesting);
  const content = document.createDocumentFragment();
  fill(content, text, 0, text.length, all);
  return content;
}
