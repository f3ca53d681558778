// Who speaks, and in which of their chats: the list at the side, a drawer on a narrow screen.

import { byId, element, icon } from "./dom.js";
import { fullName, initials, peerColor, timeLabel } from "./format.js";
import { summary } from "./media.js";

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

/** The round picture of a chat: the bird for the bot's own, else the first letters of its title. */
export function chatAvatar(chat) {
  if (chat.type === "private") return element("span", { class: "avatar bot-avatar", "aria-hidden": "true" }, icon("bird"));
  const words = chat.title.split(/\s+/);
  const last = words.length > 1 ? words.at(-1) : "";
  return element("span", { class: `avatar ${peerColor(chat.id)}`, "aria-hidden": "true" }, initials({ first_name: words[0], last_name: last }));
}

export const topicAvatar = (topic) =>
  element("span", { class: `topic-mark ${peerColor(topic.id)}`, "aria-hidden": "true" }, Array.from(topic.name)[0] ?? "#");

/** The line below a chat's name: who said what last. */
function lastLine(chat, self) {
  const { last } = chat;
  if (!last) return "No messages yet";
  const who = last.from?.id === self ? "You" : last.from?.first_name;
  return chat.type === "private" || !who ? summary(last) : `${who}: ${summary(last)}`;
}

export class People {
  constructor({ onChoose }) {
    this.onChoose = onChoose;
    this.box = byId("people");
    this.list = byId("chats");
    this.sidebar = byId("sidebar");
    byId("open-people").addEventListener("click", () => this.drawer(true));
    byId("close-people").addEventListener("click", () => this.drawer(false));
    byId("scrim").addEventListener("click", () => this.drawer(false));
    this.sidebar.addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.drawer(false);
    });
    this.sidebar.addEventListener("click", (event) => {
      const chosen = event.target.closest("[data-person]");
      if (!chosen) return;
      const { person, chat, topic } = chosen.dataset;
      // Who speaks is switched without leaving the list; a chat that is opened takes the drawer away.
      if (chat) this.drawer(false);
      this.onChoose(Number(person), chat ? Number(chat) : null, topic ? Number(topic) : null);
    });
  }

  drawer(open) {
    const was = document.body.classList.contains("people-open");
    document.body.classList.toggle("people-open", open);
    if (open) (this.sidebar.querySelector("[aria-current]") ?? this.box.firstElementChild)?.focus();
    else if (was) byId("open-people").focus();
  }

  /** `chats` are those of the person who speaks. */
  show(people, chosen, chats, chat, topic) {
    const focused = document.activeElement?.dataset?.testid;
    this.box.replaceChildren(...people.map((user) => element("button", {
      type: "button", class: "person", "data-person": user.id, "data-testid": `person-${user.id}`,
      "aria-current": user.id === chosen ? "true" : null,
      title: [fullName(user), user.username && `@${user.username}`, languageName(user.language_code)].filter(Boolean).join(" · "),
      "aria-label": `Speak as ${fullName(user)}, ${languageName(user.language_code)}`,
    }, avatar(user), element("span", { class: "person-name", dir: "auto" }, user.first_name))));
    this.list.replaceChildren(...chats.flatMap((one) => this.chat(one, chosen, one.id === chat, topic)));
    if (focused) this.sidebar.querySelector(`[data-testid="${CSS.escape(focused)}"]`)?.focus();
  }

  chat(one, self, isOpen, topic) {
    const current = isOpen && !topic;
    const row = element("button", {
      type: "button", class: "chat-choice", "data-person": self, "data-chat": one.id, "data-testid": `chat-${one.id}`,
      "aria-current": current ? "true" : null,
    },
    chatAvatar(one),
    element("span", { class: "chat-about" },
      element("span", { class: "chat-line" },
        element("span", { class: "chat-name", dir: "auto" }, one.title),
        one.last ? element("time", { class: "chat-time" }, timeLabel(one.last.date)) : null),
      element("span", { class: "chat-last", dir: "auto" }, lastLine(one, self))));
    if (!isOpen || !one.topics?.length) return [row];
    return [row, ...one.topics.map((each) => element("button", {
      type: "button", class: "topic-choice", "data-person": self, "data-chat": one.id, "data-topic": each.id,
      "data-testid": `topic-${each.id}`, "aria-current": each.id === topic ? "true" : null, dir: "auto",
    }, topicAvatar(each), element("span", { class: "topic-name" }, each.name)))];
  }
}
