// Messages on their way: shown at once, replaced by the real ones when the server reports them, never shown twice.

import { morph } from "./dom.js";
import { pendingRow } from "./message.js";
import { albumBox } from "./timeline.js";

// What a file may have become on its way.
const FILES = ["photo", "document", "audio", "video", "voice", "animation", "sticker"];

let lastKey = 0;

export class Outbox {
  constructor({ box, onChange }) {
    Object.assign(this, { box, onChange });
    this.items = new Map();
  }

  open(self) {
    this.self = self;
    for (const item of this.items.values()) this.forget(item);
    this.items.clear();
    this.box.replaceChildren();
  }

  /** A place for what is sent at once. */
  album() {
    const box = albumBox(true);
    this.box.append(box);
    return box;
  }

  /** `replied` is the message this one answers, `into` the album it is part of. */
  add({ text = "", file = null, replied = null, more = {}, into = this.box }) {
    lastKey += 1;
    const key = String(lastKey);
    const preview = file ? URL.createObjectURL(file) : null;
    const item = { key, text, file, replied, more, preview, rest: text, state: "pending", date: Math.floor(Date.now() / 1000) };
    item.row = pendingRow(this.message(item), this.self, item.state);
    item.row.classList.add("enter");
    this.items.set(key, item);
    into.append(item.row);
    this.onChange();
    return item;
  }

  message(item) {
    const base = { key: item.key, date: item.date, from: { id: this.self, first_name: "You" }, reply_to_message: item.replied ?? undefined,
      quote: item.replied?.quote ? { text: item.replied.quote } : undefined };
    if (!item.file) return { ...base, text: item.rest };
    const file = { file_id: item.preview, file_name: item.file.name, file_size: item.file.size };
    if (item.more.kind === "voice") return { ...base, voice: { ...file, duration: item.more.duration } };
    if (item.size) return { ...base, caption: item.text, photo: [{ ...file, ...item.size }] };
    return { ...base, caption: item.text, document: file };
  }

  /** A picture's own size is known a moment after it was chosen; until then it stands there as a file. */
  measured(item, size) {
    item.size = size;
    if (this.items.has(item.key)) this.draw(item);
  }

  setState(item, state) {
    item.state = state;
    if (this.items.has(item.key)) this.draw(item);
  }

  draw(item) {
    morph(item.row, pendingRow(this.message(item), this.self, item.state));
    this.onChange();
  }

  /** The server's answer to a send. The message itself comes through the event stream, before or after this. */
  confirm(item, messageId, arrived) {
    item.messageId = messageId;
    if (!this.items.has(item.key)) return;
    if (arrived) this.drop(item);
    else this.setState(item, "sent");
  }

  /**
   * A message of this person arrived: is it one of these? Long texts come back in several pieces, and each takes its
   * part off the front. Returns the row to reuse when the last piece is in, otherwise null.
   */
  settle(message) {
    const item = [...this.items.values()].find((candidate) => matches(candidate, message));
    if (!item) return null;
    if (!item.file && item.messageId !== message.message_id) {
      item.rest = item.rest.trimStart().slice(message.text.length);
      if (item.rest.trim() !== "") {
        this.draw(item);
        return null;
      }
    }
    this.items.delete(item.key);
    this.forget(item);
    return item.row;
  }

  drop(item) {
    this.items.delete(item.key);
    this.forget(item);
    item.row.remove();
    this.onChange();
  }

  forget(item) {
    // Later than the swap to the server's copy, so the preview does not go blank first.
    if (item.preview) setTimeout(() => URL.revokeObjectURL(item.preview), 5000);
  }
}

function matches(item, message) {
  if (item.messageId === message.message_id) return true;
  if (item.file) return FILES.some((kind) => message[kind]) && (message.caption ?? "") === item.text.trim();
  return Boolean(message.text) && item.rest.trimStart().startsWith(message.text);
}
