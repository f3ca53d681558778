// The conversation: messages in order of their ids, under their days, grouped by who speaks.

import { element, morph, put } from "./dom.js";
import { dayKey, dayLabel } from "./format.js";
import { messageRow } from "./message.js";

// Messages of one sender closer than this share a group and one tail.
const GROUP_SECONDS = 600;
// Only older ones are left undrawn while out of sight: innerText and the like see nothing of an undrawn row.
const ALWAYS_DRAWN = 60;

export class Timeline {
  constructor({ log, flow }) {
    Object.assign(this, { log, flow });
    this.messages = new Map();
    this.rows = new Map();
  }

  open({ self, showSender }) {
    Object.assign(this, { self, showSender });
    this.messages.clear();
    this.rows.clear();
    this.log.replaceChildren();
  }

  has(id) {
    return this.rows.has(id);
  }

  get size() {
    return this.rows.size;
  }

  /** Shows a message; `reuse` is a row (a draft, a pending message) that becomes this message in place. */
  show(message, { reuse = null, animate = true } = {}) {
    const fresh = messageRow(message, this.self, { showSender: this.showSender });
    const known = this.rows.get(message.message_id);
    this.messages.set(message.message_id, message);
    if (known) {
      morph(known, fresh);
      if (reuse) reuse.remove();
      measureQuotes(known);
      return known;
    }
    const row = reuse ?? fresh;
    if (reuse) morph(reuse, fresh);
    else if (animate) row.classList.add("enter");
    this.rows.set(message.message_id, row);
    this.place(message, row);
    return row;
  }

  place(message, row) {
    const section = this.section(message.date);
    insert(message.media_group_id ? this.album(section, message) : section, row, message.message_id);
  }

  /** The box of an album's pictures; it stands where the first of them would. */
  album(section, message) {
    const known = section.querySelector(`.album[data-album="${CSS.escape(message.media_group_id)}"]`);
    if (known) return known;
    const box = albumBox(message.from?.id === this.self, message.media_group_id);
    insert(section, box, message.message_id);
    return box;
  }

  section(date) {
    const key = dayKey(date);
    let last = this.log.lastElementChild;
    while (last && Number(last.dataset.date) > date && last.dataset.day !== key) last = last.previousElementSibling;
    if (last?.dataset.day === key) return last;
    const label = dayLabel(date);
    const section = element("section", { class: "day", "data-day": key, "data-date": date, "aria-label": label },
      element("div", { class: "row date" }, element("span", { class: "pill" }, label)));
    if (last) last.after(section);
    else this.log.prepend(section);
    return section;
  }

  remove(id) {
    const row = this.rows.get(id);
    if (!row) return;
    this.rows.delete(id);
    this.messages.delete(id);
    const section = row.closest(".day");
    const album = row.closest(".album");
    row.remove();
    if (album?.childElementCount === 0) album.remove();
    if (section.childElementCount === 1) section.remove();
  }

  /** Marks the first and last row of every group, which carry the rounder corners and the tail, and the old rows. */
  layout() {
    const rows = [...this.flow.querySelectorAll(".row")];
    rows.forEach((row, index) => {
      row.toggleAttribute("data-first", !sameGroup(rows[index - 1], row));
      row.toggleAttribute("data-last", !sameGroup(row, rows[index + 1]));
      row.toggleAttribute("data-old", index < rows.length - ALWAYS_DRAWN && !row.classList.contains("date"));
    });
    measureQuotes(this.flow, ":not([data-measured])");
  }
}

/** What one sender sent at once: the rows in it are drawn as one bubble. */
export function albumBox(own, id = null) {
  return element("div", { class: `album ${own ? "own" : "other"}`, "data-album": id, role: "group", "aria-label": "Album" });
}

const numberOf = (node) => Number(node.dataset.messageId ?? node.firstElementChild?.dataset.messageId ?? 0);

/** Puts a row, or an album, where its number belongs among the others. */
function insert(parent, node, number) {
  let before = parent.lastElementChild;
  while (before && numberOf(before) > number) before = before.previousElementSibling;
  put(parent, node, before ? before.nextSibling : parent.firstChild);
}

function speaker(row) {
  if (row.classList.contains("own")) return "self";
  return row.dataset.from === "bot" ? "bot" : row.dataset.sender;
}

function sameGroup(above, below) {
  if (!above || !below || !above.dataset.from || !below.dataset.from) return false;
  if (above.dataset.from === "service" || below.dataset.from === "service") return false;
  const between = (Number(below.dataset.date) || Infinity) - (Number(above.dataset.date) || 0);
  const draft = !below.dataset.date;
  return speaker(above) === speaker(below) && (draft || between < GROUP_SECONDS);
}

/** A short expandable quotation needs no button. Measuring makes the browser lay the row out, so most are measured once. */
export function measureQuotes(root, which = "") {
  for (const body of root.querySelectorAll(`.quote.expandable${which} > .quote-body`)) {
    const quote = body.parentElement;
    quote.setAttribute("data-measured", "");
    if (!quote.hasAttribute("data-unfolded")) quote.toggleAttribute("data-short", body.scrollHeight <= body.clientHeight + 2);
  }
}
