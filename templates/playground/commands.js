// The list of the bot's commands: opened by the "/" button or by typing "/", worked with mouse, touch or arrow keys.

import { element } from "./dom.js";

export class Commands {
  constructor({ list, button, field, onChoose }) {
    Object.assign(this, { list, button, field, onChoose });
    this.all = [];
    this.chosen = 0;
    button.addEventListener("click", () => (list.hidden ? this.show(this.all) : this.hide()));
    list.addEventListener("click", (event) => {
      const option = event.target.closest("[data-command]");
      if (option) this.choose(option.dataset.command);
    });
    // The field keeps the focus while an option is pressed, so a phone's keyboard does not jump.
    list.addEventListener("pointerdown", (event) => event.preventDefault());
    document.addEventListener("pointerdown", (event) => {
      if (!list.contains(event.target) && !button.contains(event.target) && event.target !== field) this.hide();
    });
  }

  set(commands) {
    this.all = commands;
    this.button.hidden = commands.length === 0;
    this.hide();
  }

  get open() {
    return !this.list.hidden;
  }

  /** Follows what is typed: a lone "/word" filters the list, anything else closes it. */
  typed(text) {
    const match = /^\/([a-z0-9_]*)$/i.exec(text);
    const fitting = match ? this.all.filter((one) => one.command.startsWith(match[1].toLowerCase())) : [];
    if (fitting.length > 0) this.show(fitting);
    else this.hide();
  }

  show(commands) {
    this.list.replaceChildren(...commands.map((one, index) => element("div", {
      class: "command", role: "option", id: `command-${index}`, "data-command": one.command, "data-testid": `command-${one.command}`,
    }, element("span", { class: "command-name" }, `/${one.command}`), element("span", { class: "command-about", dir: "auto" }, one.description))));
    this.list.hidden = false;
    this.button.setAttribute("aria-expanded", "true");
    this.field.focus();
    this.mark(0);
  }

  hide() {
    this.list.hidden = true;
    this.button.setAttribute("aria-expanded", "false");
    this.field.removeAttribute("aria-activedescendant");
  }

  mark(index) {
    const options = [...this.list.children];
    this.chosen = (index + options.length) % options.length;
    options.forEach((option, at) => option.setAttribute("aria-selected", String(at === this.chosen)));
    options[this.chosen].scrollIntoView({ block: "nearest" });
    this.field.setAttribute("aria-activedescendant", options[this.chosen].id);
  }

  /** True when the key was for the list. */
  key(event) {
    if (!this.open) return false;
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) this.mark(this.chosen + step);
    else if (event.key === "Escape") this.hide();
    else if (event.key === "Tab" && !event.shiftKey) this.complete();
    else if (event.key === "Enter" && !event.shiftKey) this.choose(this.list.children[this.chosen].dataset.command);
    else return false;
    event.preventDefault();
    return true;
  }

  complete() {
    this.field.value = `/${this.list.children[this.chosen].dataset.command} `;
    this.field.dispatchEvent(new Event("input"));
  }

  choose(command) {
    this.hide();
    this.onChoose(`/${command}`);
  }
}
