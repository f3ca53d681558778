// One open chat: what the server tells, shown; what the person does, sent.

import * as api from "./api.js";
import { showAnswer } from "./actions.js";
import { bindDates } from "./dates.js";
import { byId } from "./dom.js";
import { Drafts } from "./drafts.js";
import { Outbox } from "./outbox.js";
import { toast } from "./overlays.js";
import { paySheet } from "./pay.js";
import { Scroller } from "./scroller.js";
import { measureQuotes, Timeline } from "./timeline.js";

// Telegram stops the little wheel on a pressed button by itself after a while.
const ANSWER_WAIT_MS = 15000;

export class Chat {
  /** `onBot`, `onTyping`, `onConnected` and `onEmpty` tell the page's frame; `onCompose` and `onReply` fill the composer. */
  constructor(hooks) {
    this.hooks = hooks;
    this.scroller = new Scroller({ viewport: byId("viewport"), flow: byId("flow"), jump: byId("jump") });
    this.timeline = new Timeline({ log: byId("log"), flow: byId("flow") });
    const layout = () => this.layout();
    this.outbox = new Outbox({ box: byId("outbox"), onChange: layout });
    this.drafts = new Drafts({ box: byId("drafts"), onChange: layout, onDraw: measureQuotes });
    this.pressed = [];
    this.loaded = false;
    this.queue = Promise.resolve();
    bindDates(byId("viewport"), byId("log"), () => !this.scroller.pinned);
  }

  /** `topic` is one of the chat's topics, or null: the General one, or a chat that has none. */
  open(person, chat, topic = null) {
    this.leave?.();
    this.person = person;
    this.id = chat.id;
    this.topic = topic;
    this.pressed = [];
    this.queue = Promise.resolve();
    this.timeline.open({ self: person.id, showSender: chat.type !== "private" });
    this.outbox.open(person.id);
    this.drafts.clear();
    this.loaded = false;
    this.scroller.still();
    this.layout();
    this.hooks.onConnected(false);
    this.leave = api.listen(person.id, chat.id, {
      onEvent: (event) => this.take(event),
      onLost: () => this.hooks.onConnected(false),
    });
  }

  layout() {
    this.timeline.layout();
    const empty = this.timeline.size + this.outbox.items.size + this.drafts.open.size === 0;
    this.hooks.onEmpty(this.loaded && empty);
  }

  /** Does this stand in the topic that is open? */
  isHere(item) {
    return (item.is_topic_message || item.draft_id ? item.message_thread_id ?? null : null) === this.topic;
  }

  take(event) {
    const item = event.message ?? event.draft;
    // An ephemeral message has no number but its own.
    if (event.message?.ephemeral_message_id) event.message.message_id = event.message.ephemeral_message_id;
    if (event.type !== "snapshot") this.hooks.onNews?.(event);
    if (item && !this.isHere(item)) return undefined;
    switch (event.type) {
      case "snapshot": return this.snapshot(event);
      case "message": return this.message(event.message);
      case "edit": return this.edit(event.message);
      case "delete": return this.remove(event.message_id);
      case "draft": return this.drafts.update(event.draft);
      case "draft_end": return this.drafts.end(event.draft_id);
      case "typing": return (event.message_thread_id ?? null) === this.topic && this.hooks.onTyping(event.action ?? "typing");
      case "answer": return this.answer(event);
      case "wallet": return this.hooks.onWallet(event.stars);
      case "paid": return this.paid(event.message_id);
      case "force_reply": return this.reply(event.message_id);
      default: return undefined; // an event newer than this page
    }
  }

  snapshot({ bot, messages: all, drafts, blocked, stars, paid = [] }) {
    for (const message of all) message.message_id ||= message.ephemeral_message_id;
    const messages = all.filter((message) => this.isHere(message));
    const log = byId("log");
    // While it is busy a screen reader does not read the whole history out.
    log.setAttribute("aria-busy", "true");
    if (!this.loaded) this.scroller.still();
    this.loaded = true;
    const current = new Set(messages.map((message) => message.message_id));
    for (const id of [...this.timeline.rows.keys()]) if (!current.has(id)) this.timeline.remove(id);
    this.drafts.sync((drafts ?? []).filter((draft) => this.isHere(draft)));
    for (const message of messages) this.place(paid.includes(message.message_id) ? { ...message, paid: true } : message, { animate: false });
    this.layout();
    this.hooks.onBot(bot);
    this.hooks.onWallet(stars);
    if (blocked !== undefined) this.hooks.onBlocked(blocked);
    this.hooks.onConnected(true);
    setTimeout(() => log.removeAttribute("aria-busy"), 500);
  }

  place(message, options) {
    const own = message.from?.id === this.person.id;
    let reuse = null;
    if (!this.timeline.has(message.message_id)) reuse = own ? this.outbox.settle(message) : this.drafts.claim(message);
    return this.timeline.show(message, { ...options, reuse });
  }

  message(message) {
    const known = this.timeline.has(message.message_id);
    this.place(message);
    if (message.from?.id !== this.person.id) {
      this.hooks.onTyping(null);
      if (!known) this.scroller.arrived();
    }
    this.layout();
  }

  edit(message) {
    if (!this.timeline.has(message.message_id)) return;
    this.timeline.show(message);
    this.layout();
  }

  remove(id) {
    this.timeline.remove(id);
    this.layout();
  }

  /** `replied` is the message this one answers; its `quote`, if any, are the words of it. */
  send(text, replied = null) {
    this.deliver([this.outbox.add({ text, replied })]);
  }

  reply(messageId, quote = "") {
    const message = this.timeline.messages.get(messageId);
    if (message) this.hooks.onReply(quote ? { ...message, quote } : message);
  }

  /** The newest message of one's own that can be changed. */
  lastOwn() {
    const own = [...this.timeline.messages.values()].filter((message) => this.canEdit(message));
    return own.sort((one, other) => one.message_id - other.message_id).at(-1);
  }

  canEdit(message) {
    return message.from?.id === this.person.id && !message.forward_origin && (message.text !== undefined || message.caption !== undefined);
  }

  async change(messageId, text) {
    await this.attempt(api.edit(this.person.id, this.id, messageId, text));
  }

  async forward(messageId) {
    this.scroller.toBottom();
    await this.attempt(api.forward(this.person.id, this.id, this.topic, messageId));
  }

  async share(content) {
    this.scroller.toBottom();
    await this.attempt(api.share(this.person.id, this.id, this.topic, content));
  }

  async attempt(call) {
    try {
      await call;
    } catch (error) {
      toast(error.message.slice(0, 120) || "That could not be sent");
    }
  }

  /** `more` says further things of one file: `kind` and `duration` of a recording. */
  sendFiles(files, caption, replied = null, more = {}) {
    const album = files.length > 1 && files.every((file) => file.type.startsWith("image/")) ? this.outbox.album() : undefined;
    const items = files.map((file, index) => this.outbox.add({ text: index === 0 ? caption : "", file, replied: index === 0 ? replied : null, more, into: album }));
    for (const item of items) this.measure(item);
    this.deliver(items);
  }

  measure(item) {
    if (!item.file.type.startsWith("image/")) return;
    createImageBitmap(item.file).then(
      (image) => this.outbox.measured(item, { width: image.width, height: image.height }),
      () => undefined, // not a picture this browser can draw: it stays a file
    );
  }

  deliver(items) {
    this.scroller.toBottom();
    const { person, id, topic } = this;
    // One after the other: two quick messages must arrive in the order they were written.
    this.queue = this.queue.then(() => this.post(items, person, id, topic));
  }

  async post(items, person, chat, topic) {
    const [{ file, text, replied, more }] = items;
    try {
      const sent = file
        ? await api.sendFiles(person.id, chat, topic, items.map((item) => item.file), text, { ...more, reply_to: replied?.message_id })
        : await api.sendText(person.id, chat, topic, text, replied?.message_id, replied?.quote);
      const ids = sent?.message_ids ?? [];
      items.forEach((item, index) => this.outbox.confirm(item, ids[index], this.timeline.has(ids[index])));
    } catch (error) {
      // They may have got through all the same; then their messages have already taken the items away.
      for (const item of items) this.outbox.setState(item, "failed");
      console.warn("not sent:", error.message);
    }
  }

  retry(key) {
    const item = this.outbox.items.get(key);
    if (!item || item.state !== "failed") return;
    this.outbox.setState(item, "pending");
    this.deliver([item]);
  }

  compose(text) {
    this.hooks.onCompose(text);
  }

  async press(button, messageId, data) {
    if (button.getAttribute("aria-busy") === "true") return;
    const press = { button, timer: setTimeout(() => this.settlePress(press), ANSWER_WAIT_MS) };
    this.pressed.push(press);
    button.setAttribute("aria-busy", "true");
    try {
      await api.press(this.person.id, this.id, messageId, data);
    } catch {
      this.settlePress(press);
      toast("The button could not be sent");
    }
  }

  settlePress(press) {
    if (!press) return;
    clearTimeout(press.timer);
    press.button.removeAttribute("aria-busy");
    this.pressed = this.pressed.filter((other) => other !== press);
  }

  answer(event) {
    // The answer does not say which button it is for; presses are answered in order.
    this.settlePress(this.pressed[0]);
    showAnswer(event);
  }

  pay(of) {
    paySheet(this.person, of);
  }

  paid(messageId) {
    const message = this.timeline.messages.get(messageId);
    if (message) this.edit({ ...message, paid: true });
  }

  async stop(draftId) {
    this.drafts.setStopping(draftId, true);
    try {
      await api.stop(this.person.id, this.id, draftId);
    } catch {
      this.drafts.setStopping(draftId, false);
      toast("Stop could not be sent");
    }
  }
}
