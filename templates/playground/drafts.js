// Answers being written: bubbles that grow evenly although the bot sends about one piece a second,
// and that turn into the final message in place.

import { morph, reducedMotion } from "./dom.js";
import { draftRow } from "./message.js";

// Pieces come about once a second, so what is not drawn yet is drawn over a little less than that.
const CATCH_UP_MS = 800;
const SLOWEST_PER_SECOND = 40;
const TICK_MS = 33;
// The server ends a draft and sends the message one after the other, in either order; between them the bubble waits.
const HANDOVER_MS = 700;
// After Stop the draft ends at once, and what was said so far comes when the bot has put it together.
const HANDOVER_STOPPED_MS = 5000;
// If even the server's own expiry is lost on the way, a draft does not stay for ever.
const EXPIRY_GRACE_MS = 5000;
// This much of the beginning must agree for a message to be the end of a draft that is still alive.
const SAME_BEGINNING = 24;

// Characters that belong to the one before them: a cut there would flash half an emoji or a bare letter.
const JOINED = /[\uDC00-\uDFFF\u200D\uFE0F\p{M}]/u;

function cutAt(text, index) {
  let end = Math.min(text.length, index);
  while (end < text.length && (isLow(text, end) || JOINED.test(text[end]) || text[end - 1] === "\u200D")) end += 1;
  return end;
}

const isLow = (text, index) => text.charCodeAt(index) >= 0xdc00 && text.charCodeAt(index) <= 0xdfff;

function commonLength(a, b) {
  const most = Math.min(a.length, b.length);
  let index = 0;
  while (index < most && a[index] === b[index]) index += 1;
  return index;
}

function sameBeginning(draftText, messageText) {
  const a = draftText.trim();
  const b = messageText.trim();
  const length = Math.min(a.length, b.length, SAME_BEGINNING);
  return length > 0 && a.slice(0, length) === b.slice(0, length);
}

class Draft {
  constructor(data, onDraw) {
    this.data = data;
    this.onDraw = onDraw;
    this.shown = 0;
    this.stopping = false;
    this.ended = false;
    this.row = draftRow(data, 0, false);
    this.advanceSoon();
  }

  update(data) {
    // Text may also change in its middle, when a half-written mark becomes a style: go on from what still agrees.
    this.shown = cutAt(data.text ?? "", commonLength(this.data.text ?? "", (data.text ?? "").slice(0, this.shown)));
    this.data = data;
    this.draw();
    this.advanceSoon();
  }

  advanceSoon() {
    if (this.timer !== undefined) return;
    this.last = performance.now();
    this.advance();
  }

  advance() {
    const text = this.data.text ?? "";
    const now = performance.now();
    const left = text.length - this.shown;
    if (left > 0) {
      const pace = Math.max(SLOWEST_PER_SECOND, (left * 1000) / CATCH_UP_MS);
      const step = Math.max(1, Math.ceil((pace * (now - this.last)) / 1000));
      const atOnce = document.hidden || reducedMotion();
      this.shown = atOnce ? text.length : cutAt(text, this.shown + step);
      this.draw();
    }
    this.last = now;
    this.timer = this.shown < text.length ? setTimeout(() => this.advance(), TICK_MS) : undefined;
  }

  draw() {
    morph(this.row, draftRow(this.data, this.shown, this.stopping));
    this.onDraw(this.row);
  }

  close() {
    clearTimeout(this.timer);
    clearTimeout(this.expiry);
    clearTimeout(this.handover);
    this.timer = -1; // not undefined: nothing is drawn into this row any more
  }
}

export class Drafts {
  /** `onChange` runs after a row came or went, `onDraw(row)` after its content changed. */
  constructor({ box, onChange, onDraw }) {
    Object.assign(this, { box, onChange, onDraw });
    this.open = new Map();
  }

  update(data) {
    const known = this.open.get(data.draft_id);
    const draft = known ?? new Draft(data, this.onDraw);
    if (known) {
      this.revive(known);
      known.update(data);
    } else {
      this.open.set(data.draft_id, draft);
      this.box.append(draft.row);
      this.onChange();
    }
    clearTimeout(draft.expiry);
    draft.expiry = setTimeout(() => this.end(data.draft_id), (data.expires_in ?? 30) * 1000 + EXPIRY_GRACE_MS);
  }

  revive(draft) {
    draft.ended = false;
    clearTimeout(draft.handover);
  }

  end(id) {
    const draft = this.open.get(id);
    if (!draft || draft.ended) return;
    draft.ended = true;
    draft.handover = setTimeout(() => this.vanish(id), draft.stopping ? HANDOVER_STOPPED_MS : HANDOVER_MS);
  }

  vanish(id) {
    const draft = this.open.get(id);
    if (!draft) return;
    this.open.delete(id);
    draft.close();
    const remove = () => {
      draft.row.remove();
      this.onChange();
    };
    if (reducedMotion()) remove();
    else draft.row.animate({ opacity: [1, 0], transform: ["none", "scale(.97)"] }, { duration: 160, easing: "ease-in" }).finished.then(remove, remove);
  }

  /** The row that this message of the bot takes over, or null when the message is not the end of a draft. */
  claim(message) {
    const text = message.text ?? "";
    const drafts = [...this.open.entries()];
    const found = drafts.find(([, draft]) => sameBeginning(draft.data.text ?? "", text))
      ?? drafts.find(([, draft]) => draft.ended);
    if (!found) return null;
    const [id, draft] = found;
    this.open.delete(id);
    draft.close();
    return draft.row;
  }

  setStopping(id, stopping) {
    const draft = this.open.get(id);
    if (!draft) return;
    draft.stopping = stopping;
    draft.draw();
  }

  /** After a reconnection: drafts the server no longer has are ended, the others go on. */
  sync(list) {
    const alive = new Set(list.map((data) => data.draft_id));
    for (const id of this.open.keys()) if (!alive.has(id)) this.end(id);
    for (const data of list) this.update(data);
  }

  clear() {
    for (const draft of this.open.values()) draft.close();
    this.open.clear();
    this.box.replaceChildren();
  }
}
