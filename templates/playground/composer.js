// Where a person writes: a field that grows, files, and the command list.

import { byId, element, icon } from "./dom.js";
import { Commands } from "./commands.js";
import { fullName, peerColor, sizeLabel } from "./format.js";
import { summary } from "./media.js";
import { Recorder } from "./recorder.js";

export class Composer {
  /** `onText(text, replied)`, `onFiles(files, caption, replied, more)` and `onEdit(id, text)` send; `lastOwn()` may be edited. */
  constructor({ onText, onFiles, onEdit, lastOwn }) {
    Object.assign(this, { onText, onFiles, onEdit, lastOwn });
    this.field = byId("composer");
    this.form = byId("composer-form");
    this.tray = byId("attachment");
    this.files = [];
    this.replied = null;
    this.edited = null;
    this.unsent = new Map();
    this.commands = new Commands({
      list: byId("commands"), button: byId("command-button"), field: this.field, onChoose: (text) => this.command(text),
    });
    this.recorder = new Recorder({
      button: byId("record"), field: this.field, onVoice: (file, duration) => this.onFiles([file], "", null, { kind: "voice", duration }),
    });
    this.bind();
  }

  bind() {
    const picker = byId("file");
    this.field.addEventListener("input", () => this.changed());
    this.field.addEventListener("keydown", (event) => this.key(event));
    this.field.addEventListener("paste", (event) => this.paste(event));
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.submit();
    });
    byId("attach").addEventListener("click", () => picker.click());
    picker.addEventListener("change", () => {
      this.attach([...picker.files]);
      picker.value = ""; // the same file may be chosen twice in a row
    });
    this.bindDrop();
    // Typing anywhere writes here, as in Telegram.
    document.addEventListener("keydown", (event) => {
      const plain = event.key.length === 1 && !event.ctrlKey && !event.metaKey && !event.altKey && event.key !== " ";
      if (plain && document.activeElement === document.body) this.field.focus();
    });
  }

  bindDrop() {
    const chat = this.form.closest(".chat");
    chat.addEventListener("dragover", (event) => {
      if (!event.dataTransfer.types.includes("Files")) return;
      event.preventDefault();
      chat.classList.add("dropping");
    });
    chat.addEventListener("dragleave", (event) => {
      if (!chat.contains(event.relatedTarget)) chat.classList.remove("dropping");
    });
    chat.addEventListener("drop", (event) => {
      event.preventDefault();
      chat.classList.remove("dropping");
      this.attach([...event.dataTransfer.files]);
    });
  }

  /** Each person's unsent words wait for them, as in separate accounts. */
  switchTo(person) {
    if (this.person !== undefined) this.unsent.set(this.person, this.field.value);
    this.person = person;
    this.files = [];
    this.replied = null;
    this.edited = null;
    this.recorder.cancel();
    this.drawTray();
    this.set(this.unsent.get(person) ?? "");
  }

  set(text) {
    this.field.value = text;
    this.changed();
  }

  insert(text) {
    this.set(text);
    this.field.focus();
  }

  changed() {
    this.grow();
    this.commands.typed(this.field.value);
    this.form.classList.toggle("ready", this.field.value.trim() !== "" || this.files.length > 0);
  }

  grow() {
    this.field.style.height = "auto";
    // The most it may grow to is the style sheet's business.
    this.field.style.height = `${this.field.scrollHeight}px`;
  }

  key(event) {
    // While an input method composes a word, Enter belongs to it.
    if (event.isComposing) return;
    if (this.commands.key(event)) return;
    if (event.key === "Enter" && !event.shiftKey) {
      event.preventDefault();
      this.submit();
    } else if (event.key === "Escape") {
      this.leave();
    } else if (event.key === "ArrowUp" && this.field.value === "" && !this.edited) {
      const last = this.lastOwn();
      if (!last) return;
      event.preventDefault();
      this.edit(last);
    }
  }

  paste(event) {
    const files = [...event.clipboardData.files];
    if (files.length === 0) return;
    event.preventDefault();
    this.attach(files);
  }

  reply(message) {
    this.replied = message;
    this.drawTray();
    if (message) this.field.focus();
  }

  /** Change a message: its words come back into the field. */
  edit(message) {
    this.edited = message;
    this.replied = null;
    this.drawTray();
    this.insert(message.text ?? message.caption ?? "");
  }

  /** Give up what was begun: the change first, then the answer. */
  leave() {
    this.recorder.cancel();
    if (this.edited) this.set("");
    this.edited = null;
    this.reply(null);
  }

  attach(files) {
    this.files.push(...files);
    this.drawTray();
    this.changed();
    this.field.focus();
  }

  drawTray() {
    const rows = this.files.map((file) => this.trayFile(file));
    if (this.replied) rows.unshift(this.trayReply(this.replied));
    if (this.edited) rows.unshift(this.trayEdit(this.edited));
    this.tray.hidden = rows.length === 0;
    this.tray.replaceChildren(...rows);
  }

  trayReply(message) {
    return element("div", { class: `attached replied ${peerColor(message.from?.id)}`, "data-testid": "replied" }, icon("reply"),
      element("span", { class: "attached-name" },
        element("span", { class: "reply-name", dir: "auto" }, fullName(message.from)),
        element("span", { class: "reply-text", dir: "auto", "data-testid": "replied-words" }, message.quote || summary(message))),
      closeButton("Do not reply", () => this.reply(null)));
  }

  trayEdit(message) {
    return element("div", { class: "attached replied", "data-testid": "edited" }, icon("edit"),
      element("span", { class: "attached-name" },
        element("span", { class: "reply-name" }, "Edit message"), element("span", { class: "reply-text", dir: "auto" }, summary(message))),
      closeButton("Do not edit", () => this.leave()));
  }

  trayFile(file) {
    const remove = () => {
      this.files = this.files.filter((other) => other !== file);
      this.drawTray();
      this.changed();
    };
    return element("div", { class: "attached" }, icon("file"),
      element("span", { class: "attached-name", dir: "auto" }, file.name), element("span", { class: "attached-size" }, sizeLabel(file.size)),
      closeButton(`Remove ${file.name}`, remove));
  }

  command(text) {
    this.set("");
    this.onText(text);
  }

  submit() {
    const text = this.field.value.trim();
    const { files, replied, edited } = this;
    if (text === "" && files.length === 0) {
      this.recorder.send();
      return;
    }
    this.files = [];
    this.replied = null;
    this.edited = null;
    this.drawTray();
    this.set("");
    if (edited) this.onEdit(edited.message_id, text);
    else if (files.length === 0) this.onText(text, replied);
    else this.onFiles(files, text, replied);
    this.field.focus();
  }
}

function closeButton(label, run) {
  const button = element("button", { type: "button", class: "round small", "aria-label": label }, icon("close"));
  button.addEventListener("click", run);
  return button;
}
