// Pictures, files and the smaller kinds of content inside a bubble.

import { element, icon } from "./dom.js";
import { durationLabel, fullName, sizeLabel } from "./format.js";

export const fileUrl = (id) => (id.startsWith("blob:") ? id : `/file/${encodeURIComponent(id)}`);

// A bubble never gets wider than this for a picture, whatever the picture's own size.
const PHOTO_WIDTH = 420;
const PHOTO_HEIGHT = 460;
const PHOTO_SMALLEST = 160;
// A strip, such as a formula, is lower than this: the time stands below it and not on it.
const STRIP_HEIGHT = 150;
const SUMMARY_LENGTH = 160;

function photo(sizes, caption) {
  const largest = sizes.reduce((best, size) => (size.width * size.height > best.width * best.height ? size : best));
  const scale = Math.min(1, PHOTO_WIDTH / largest.width, PHOTO_HEIGHT / largest.height);
  const width = Math.max(PHOTO_SMALLEST, Math.round(largest.width * scale)) || PHOTO_WIDTH;
  const height = Math.round((width * largest.height) / largest.width) || PHOTO_WIDTH;
  // Width and height are known before the picture is: its place is kept, nothing jumps when it arrives.
  const image = element("img", { src: fileUrl(largest.file_id), alt: caption || "Photo", width, height, decoding: "async", draggable: "false" });
  return element("button", { type: "button", class: `photo${height < STRIP_HEIGHT ? " strip" : ""}`, "data-action": "enlarge", "aria-label": caption ? `Enlarge the photo: ${caption}` : "Enlarge the photo" }, image);
}

function document(file) {
  const name = file.file_name || "File";
  const extension = name.includes(".") ? name.split(".").at(-1).slice(0, 4) : "";
  return element("a", {
    class: "file", href: fileUrl(file.file_id), download: name, "aria-label": `Download ${name}, ${sizeLabel(file.file_size)}`,
  },
  element("span", { class: "file-icon", "aria-hidden": "true" }, icon("file"), element("span", { class: "file-extension" }, extension), icon("download")),
  element("span", { class: "file-about" },
    element("span", { class: "file-name", dir: "auto" }, name),
    element("span", { class: "file-size" }, sizeLabel(file.file_size))));
}

function sound(file, title) {
  return element("div", { class: "sound" },
    element("span", { class: "sound-title" }, `${title} · ${durationLabel(file.duration)}`),
    element("audio", { controls: true, preload: "none", src: fileUrl(file.file_id) }));
}

function video(file) {
  return element("video", { class: "video", controls: true, preload: "metadata", src: fileUrl(file.file_id), width: file.width || PHOTO_WIDTH });
}

function sticker(of) {
  if (of.is_animated || of.is_video) return element("span", { class: "lone-emoji" }, of.emoji || "🖼");
  return element("img", { class: "sticker", src: fileUrl(of.file_id), alt: of.emoji || "Sticker", width: 160, height: 160, draggable: "false" });
}

function poll(of) {
  return element("div", { class: "poll small-kind" },
    element("strong", { dir: "auto" }, of.question),
    element("ul", {}, of.options.map((option) => element("li", { dir: "auto" }, option.text))));
}

function invoice(bill) {
  return element("div", { class: "invoice" },
    element("strong", { class: "invoice-title", dir: "auto" }, bill.title),
    element("span", { class: "invoice-text", dir: "auto" }, bill.description));
}

/** The content above the text, or null; `wide` content is drawn up to the edges of the bubble. */
export function mediaOf(message) {
  const caption = message.caption ?? "";
  if (message.photo?.length) return { node: photo(message.photo, caption), wide: true };
  if (message.animation) return { node: video(message.animation), wide: true };
  if (message.video) return { node: video(message.video), wide: true };
  if (message.document) return { node: document(message.document), wide: false };
  if (message.voice) return { node: sound(message.voice, "Voice message"), wide: false };
  if (message.audio) return { node: sound(message.audio, message.audio.title || message.audio.file_name || "Audio"), wide: false };
  if (message.invoice) return { node: invoice(message.invoice), wide: false };
  if (message.video_note) return { node: video({ ...message.video_note, width: 240 }), wide: true };
  if (message.poll) return { node: poll(message.poll), wide: false };
  if (message.venue) return { node: element("div", { class: "small-kind" }, `📍 ${message.venue.title}, ${message.venue.address}`), wide: false };
  if (message.location) return { node: element("div", { class: "small-kind" }, `📍 ${message.location.latitude}, ${message.location.longitude}`), wide: false };
  if (message.contact) return { node: element("div", { class: "small-kind" }, `👤 ${fullName(message.contact)} ${message.contact.phone_number}`), wide: false };
  if (message.sticker) return { node: sticker(message.sticker), wide: true };
  if (message.dice) return { node: element("div", { class: "small-kind lone-emoji", title: String(message.dice.value) }, `${message.dice.emoji} ${message.dice.value}`), wide: false };
  return null;
}

/** The sentence of a service message (a grey pill in the middle), or null for an ordinary one. */
export function serviceText(message) {
  if (message.successful_payment) {
    const { total_amount: amount, currency, is_recurring: monthly, is_first_recurring: first } = message.successful_payment;
    const price = currency === "XTR" ? `⭐ ${amount}` : `${amount / 100} ${currency}`;
    if (monthly) return first ? `You subscribed for ${price} a month` : `Your subscription was renewed for ${price}`;
    return `You paid ${price}`;
  }
  if (message.refunded_payment) return `Refunded: ⭐ ${message.refunded_payment.total_amount}`;
  if (message.pinned_message) return "A message was pinned";
  if (message.forum_topic_created) return `Topic created: ${message.forum_topic_created.name}`;
  if (message.forum_topic_edited) return `Topic renamed: ${message.forum_topic_edited.name ?? ""}`;
  if (message.new_chat_members) return `${message.new_chat_members.map((user) => user.first_name).join(", ")} joined`;
  if (message.left_chat_member) return `${message.left_chat_member.first_name} left`;
  if (message.forum_topic_closed) return "Topic closed";
  if (message.forum_topic_reopened) return "Topic opened again";
  if (message.migrate_to_chat_id) return "This group became a supergroup";
  if (message.migrate_from_chat_id) return "This supergroup was a group before";
  if (message.new_chat_title) return `The chat is now called ${message.new_chat_title}`;
  return null;
}

const inline = (node) => {
  if (typeof node === "string") return node;
  return Array.isArray(node) ? node.map(inline).join("") : inline(node?.text ?? node?.expression ?? node?.alternative_text ?? "");
};

/** What is written in a rich message, block after block, without its looks; a formula is its LaTeX. */
const richWords = (blocks = []) => blocks.flatMap((block) => [
  inline(block.summary),
  inline(block.text ?? block.expression),
  richWords(block.blocks),
  ...(block.items ?? []).map((item) => richWords(item.blocks)),
  ...(block.cells ?? []).flat().map((cell) => inline(cell.text)),
]).filter(Boolean).join(" ");

/** One line that stands for a message: in a reply, in an announcement. */
export function summary(message) {
  const text = message.text ?? message.caption;
  if (text) return text.replace(/\s+/g, " ").slice(0, SUMMARY_LENGTH);
  if (message.photo) return "Photo";
  if (message.document) return message.document.file_name || "File";
  if (message.voice) return "Voice message";
  if (message.video || message.animation) return "Video";
  if (message.audio) return "Audio";
  if (message.sticker) return `Sticker ${message.sticker.emoji ?? ""}`;
  if (message.poll) return message.poll.question;
  if (message.contact) return "Contact";
  if (message.venue || message.location) return "Place";
  if (message.dice) return message.dice.emoji;
  if (message.invoice) return `Invoice: ${message.invoice.title}`;
  if (message.rich_message) return richWords(message.rich_message.blocks).replace(/\s+/g, " ").slice(0, SUMMARY_LENGTH) || "Picture";
  return serviceText(message) ?? "Message";
}
