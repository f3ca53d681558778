// Rich messages (Bot API 10.1): blocks and rich text, which is a string, a list, or an object with a type.

import { element } from "./dom.js";
import { codeBlock, command, link, quote, spoiler } from "./entities.js";
import { highlight } from "./highlight.js";
import { buttonNode } from "./keyboard.js";
import { formula } from "./math.js";
import { mediaOf } from "./media.js";

// Telegram's own limit of nesting; what is deeper is not drawn instead of overflowing the stack.
const DEPTH_MAX = 16;

const TAGS = { bold: "strong", italic: "em", underline: "u", strikethrough: "s", subscript: "sub", superscript: "sup", marked: "mark" };

export function richText(node, depth = 0) {
  const content = document.createDocumentFragment();
  if (node === null || node === undefined || depth > DEPTH_MAX) return content;
  if (typeof node === "string") content.append(node);
  else if (Array.isArray(node)) content.append(...node.map((part) => richText(part, depth + 1)));
  else content.append(styled(node, depth));
  return content;
}

function styled(node, depth) {
  const inner = richText(node.text, depth + 1);
  if (Object.hasOwn(TAGS, node.type)) return element(TAGS[node.type], {}, inner);
  switch (node.type) {
    case "code": return element("code", { class: "mono", "data-action": "copy-text", title: "Click to copy" }, inner);
    case "spoiler": return spoiler(inner);
    case "url": return link(node.url ?? "", inner);
    case "email_address": return link(`mailto:${node.email_address ?? ""}`, inner);
    case "phone_number": return link(`tel:${node.phone_number ?? ""}`, inner);
    case "bot_command": return command(node.bot_command ?? "", inner);
    case "mathematical_expression": return element("span", { class: "math", dir: "ltr", title: node.expression }, formula(node.expression ?? "", false));
    case "custom_emoji": return element("span", { class: "custom-emoji" }, node.alternative_text ?? "");
    case "button": return element("span", { class: "inline-key" }, buttonNode({ ...node.button, text: plain(node.button?.text) }));
    case "mention": case "text_mention": case "hashtag": case "cashtag": return element("span", { class: "link" }, inner);
    case "reference_link": return element("sup", {}, inner);
    default: return inner;
  }
}

/** The words of a rich text without their styles. */
export function plain(node) {
  return richText(node).textContent;
}

function caption(block, depth) {
  if (!block.caption) return null;
  const text = block.caption.text ?? block.caption;
  return element("figcaption", { class: "rich-caption", dir: "auto" }, richText(text, depth), credit(block.caption, depth));
}

function credit(block, depth) {
  return block.credit ? element("cite", { class: "credit", dir: "auto" }, richText(block.credit, depth)) : null;
}

function listItem(item, depth) {
  const mark = item.has_checkbox
    ? element("input", { type: "checkbox", class: "rich-check", checked: Boolean(item.is_checked), disabled: true, "aria-label": item.is_checked ? "Done" : "Not done" })
    : element("span", { class: "rich-mark", "aria-hidden": "true" }, item.label ?? "•");
  return element("li", {}, mark, element("div", { class: "rich-item" }, blocksOf(item.blocks, depth)));
}

function table(block, depth) {
  const cell = (data) => element(data.is_header ? "th" : "td", {
    class: `align-${data.align ?? "left"}`, dir: "auto", colspan: data.colspan > 1 ? data.colspan : null, rowspan: data.rowspan > 1 ? data.rowspan : null,
  }, richText(data.text, depth));
  const rows = (block.cells ?? []).map((row) => element("tr", {}, row.map(cell)));
  const look = ["bordered", "striped", "compact"].filter((name) => block[`is_${name}`]).join(" ");
  return element("div", { class: "rich-table-box", tabindex: "0", role: "region", "aria-label": "Table" },
    element("table", { class: `rich-table ${look}` },
      block.caption ? element("caption", { dir: "auto" }, richText(block.caption, depth)) : null, element("tbody", {}, rows)));
}

function media(block, depth) {
  const found = mediaOf({ ...block, voice: block.voice_note });
  return found && element("figure", { class: "rich-figure" }, found.node, caption(block, depth));
}

const heading = (block, depth) => {
  const level = Math.min(6, Math.max(1, Number(block.size) || 1));
  return element("p", { class: `rich-heading size-${level}`, role: "heading", "aria-level": level + 1, dir: "auto" }, richText(block.text, depth));
};

const BLOCKS = {
  paragraph: (block, depth) => element("p", { class: "rich-paragraph", dir: "auto" }, richText(block.text, depth)),
  heading,
  pre: (block, depth) => codeBlock(block.language, highlight(plain(block.text), block.language)),
  footer: (block, depth) => element("p", { class: "rich-footer", dir: "auto" }, richText(block.text, depth)),
  divider: () => element("hr", { class: "rich-divider" }),
  mathematical_expression: (block) => element("div", { class: "math-block", dir: "ltr", tabindex: "0", title: block.expression }, formula(block.expression ?? "", true)),
  list: (block, depth) => element("ul", { class: "rich-list" }, (block.items ?? []).map((item) => listItem(item, depth))),
  blockquote: (block, depth) => quote(false, blocksOf(block.blocks, depth), credit(block, depth) ?? ""),
  expandable_blockquote: (block, depth) => quote(true, richText(block.text, depth), credit(block, depth) ?? ""),
  pullquote: (block, depth) => element("blockquote", { class: "pullquote", dir: "auto" }, richText(block.text, depth), credit(block, depth)),
  table,
  details: (block, depth) => element("details", { class: "rich-details", open: Boolean(block.is_open) },
    element("summary", { dir: "auto" }, richText(block.summary, depth)), blocksOf(block.blocks, depth)),
  thinking: (block, depth) => element("p", { class: "rich-thinking", dir: "auto" }, richText(block.text, depth)),
  buttons: (block) => element("div", { class: "keys rich-keys" }, (block.buttons ?? []).map((button) => buttonNode({ ...button, text: plain(button.text) }))),
  collage: (block, depth) => element("div", { class: "rich-collage" }, blocksOf(block.blocks, depth), caption(block, depth)),
  slideshow: (block, depth) => element("div", { class: "rich-collage" }, blocksOf(block.blocks, depth), caption(block, depth)),
  photo: media, document: media, video: media, animation: media, audio: media, voice_note: media,
};

function blocksOf(blocks, depth) {
  if (!Array.isArray(blocks) || depth >= DEPTH_MAX) return [];
  return blocks.map((block) => (Object.hasOwn(BLOCKS, block.type) ? BLOCKS[block.type](block, depth + 1) : null)).filter(Boolean);
}

export function richMessage(rich) {
  return element("div", { class: "rich", dir: rich.is_rtl ? "rtl" : "auto" }, blocksOf(rich.blocks, 0));
}
