// Who speaks: the list at the side, and a drawer on a narrow screen.

import { byId, element } from "./dom.js";
import { fullName, initials, peerColor } from "./format.js";

const LANGUAGES = new Intl.DisplayNames(["en"], { type: "language" });

function languageName(code) {
  try {
    return LANGUAGES.of(code);
  } catch {
    return code; // not a language code the browser knows
  }
}

function avatar(user) {
  return element("span", { class: `avatar ${peerColor(user.id)}`, "aria-hidden": "true" }, initials(user));
}

export class People {
  constructor({ onChoose }) {
    this.onChoose = onChoose;
    this.box = byId("people");
    this.sidebar = byId("sidebar");
    byId("open-people").addEventListener("click", () => this.drawer(true));
    byId("close-people").addEventListener("click", () => this.drawer(false));
    byId("scrim").addEventListener("click", () => this.drawer(false));
    this.sidebar.addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.drawer(false);
    });
    this.box.addEventListener("click", (event) => {
      const chosen = event.target.closest("[data-person]");
      if (!chosen) return;
      this.drawer(false);
      this.onChoose(Number(chosen.dataset.person), chosen.dataset.chat ? Number(chosen.dataset.chat) : null);
    });
  }

  drawer(open) {
    const was = document.body.classList.contains("people-open");
    document.body.classList.toggle("people-open", open);
    if (open) (this.box.querySelector("[aria-current]") ?? this.box.firstElementChild)?.focus();
    else if (was) byId("open-people").focus();
  }

  /** `chats` are those of the chosen person; a list of one needs no second level. */
  show(people, chosen, chats, chat) {
    this.box.replaceChildren(...people.flatMap((user) => {
      const about = [user.username && `@${user.username}`, languageName(user.language_code)].filter(Boolean).join(" · ");
      const item = element("button", {
        type: "button", class: "person", "data-person": user.id, "data-testid": `person-${user.id}`,
        "aria-current": user.id === chosen ? "true" : null,
      }, avatar(user), element("span", { class: "person-about" },
        element("span", { class: "person-name", dir: "auto" }, fullName(user)), element("span", { class: "person-line" }, about)));
      if (user.id !== chosen || chats.length < 2) return [item];
      return [item, ...chats.map((one) => element("button", {
        type: "button", class: "chat-choice", "data-person": user.id, "data-chat": one.id, "data-testid": `chat-${one.id}`,
        "aria-current": one.id === chat ? "true" : null, dir: "auto",
      }, one.title))];
    }));
  }
}
