// Who is in a group: a list over the page, as Telegram shows it behind a chat's title.

import { byId, element, icon } from "./dom.js";
import { fullName, initials, peerColor } from "./format.js";
import { chatAvatar } from "./people.js";

const STATUS = { creator: "owner", administrator: "admin", member: "", restricted: "restricted" };
const BOT = {
  member: "has access to what is meant for it", administrator: "has access to messages",
  never: "not in this group: answers as a guest", left: "has left", kicked: "was removed",
};

function row(picture, name, line, mark) {
  return element("li", { class: "member" }, picture,
    element("span", { class: "member-about" },
      element("span", { class: "member-name", dir: "auto" }, name), element("span", { class: "member-line", dir: "auto" }, line)),
    mark ? element("span", { class: "member-mark" }, mark) : null);
}

export function showMembers(chat, bot) {
  if (chat.type === "private") return;
  const dialog = byId("members");
  const close = element("button", { type: "button", class: "round", "aria-label": "Close" }, icon("close"));
  close.addEventListener("click", () => dialog.close());
  const people = chat.members.map((user) => row(
    element("span", { class: `avatar ${peerColor(user.id)}`, "aria-hidden": "true" }, initials(user)),
    fullName(user), user.username ? `@${user.username}` : "", STATUS[user.status] ?? user.status));
  const starling = row(element("span", { class: "avatar bot-avatar", "aria-hidden": "true" }, icon("bird")),
    bot?.first_name ?? "Starling", `@${bot?.username ?? ""} · ${BOT[chat.bot] ?? chat.bot}`, chat.bot === "administrator" ? "admin" : "bot");
  dialog.replaceChildren(
    element("header", { class: "members-header" }, element("h2", {}, "Group info"), close),
    element("div", { class: "members-about" }, chatAvatar(chat), element("strong", { dir: "auto" }, chat.title)),
    element("ul", { class: "members-list" }, ...people, starling));
  dialog.showModal();
}

byId("members").addEventListener("click", (event) => {
  if (event.target === event.currentTarget) event.currentTarget.close(); // a press beside it
});
