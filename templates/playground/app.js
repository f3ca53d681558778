// The page's frame: who speaks, the header, the menus; the conversation itself is chat.js.

import { bindActions } from "./actions.js";
import * as api from "./api.js";
import { Chat } from "./chat.js";
import { Composer } from "./composer.js";
import { byId, drawIcons, element, icon } from "./dom.js";
import { menu, toast } from "./overlays.js";
import { People } from "./people.js";
import { bindRowMenu } from "./rowmenu.js";

// A chat action lasts five seconds in Telegram unless it is sent again.
const TYPING_MS = 5500;
const RETRY_MS = 1500;
const FLOOD_SECONDS = 30;

// What can be sent besides words and files, as an example of each.
const SHARED = [
  { label: "Send a place", icon: "pin", content: { kind: "venue", title: "Opera House", address: "Kirsten Flagstads plass 1, Oslo", latitude: 59.9075, longitude: 10.7531 } },
  { label: "Send a contact", icon: "people", content: { kind: "contact", phone: "+47 22 00 00 00", first_name: "Odd", last_name: "Nansen" } },
  { label: "Send a poll", icon: "poll", content: { kind: "poll", question: "Where shall we meet?", options: ["In the park", "At the opera", "At home"] } },
  { label: "Throw a dice", icon: "dice", content: { kind: "dice" } },
];

const ACTIONS = {
  typing: "typing", upload_photo: "sending a photo", record_video: "recording a video", upload_video: "sending a video",
  record_voice: "recording a voice message", upload_voice: "sending a voice message", upload_document: "sending a file",
  choose_sticker: "choosing a sticker", find_location: "looking for a place",
};

const page = { people: [], person: null, chats: [], chat: null, connected: false, typing: null, blocked: false, bot: null };

const composer = new Composer({
  onText: (text, replied) => chat.send(text, replied),
  onFiles: (...sent) => chat.sendFiles(...sent),
  onEdit: (messageId, text) => chat.change(messageId, text),
  lastOwn: () => chat.lastOwn(),
});

const chat = new Chat({
  onBot: showBot,
  onTyping: showTyping,
  onConnected: showConnected,
  onBlocked: showBlocked,
  onEmpty: showEmpty,
  onReply: (message) => composer.reply(message),
  onEdit: (message) => composer.edit(message),
  onCompose: (text) => composer.insert(`@${page.bot?.username ?? ""} ${text}`),
});

const people = new People({ onChoose: (person, chatId) => choose(person, chatId) });

function showBot(bot) {
  page.bot = bot;
  byId("title").textContent = page.chat.type === "private" ? bot.first_name : page.chat.title;
  document.title = `${bot.first_name} · ${page.person.first_name}`;
  composer.commands.set(bot.commands ?? []);
}

function showConnected(connected) {
  page.connected = connected;
  if (!connected) page.typing = null;
  showStatus();
}

function showTyping(action) {
  clearTimeout(page.typingTimer);
  page.typing = action;
  if (action) page.typingTimer = setTimeout(() => showTyping(null), TYPING_MS);
  showStatus();
}

function showStatus() {
  const status = byId("status");
  const [state, words] = !page.connected ? ["connecting", "connecting"]
    : page.typing ? ["typing", ACTIONS[page.typing] ?? "typing"]
      : ["idle", page.chat?.type === "private" ? "bot" : "group"];
  if (status.dataset.state === state && status.dataset.words === words) return;
  status.dataset.state = state;
  status.dataset.words = words;
  const dots = element("span", { class: "dots", "aria-hidden": "true" }, ..."...".split("").map((dot) => element("i", {}, dot)));
  status.replaceChildren(words, ...(state === "idle" ? [] : [dots]));
}

function showBlocked(blocked) {
  page.blocked = blocked;
  byId("composer-form").hidden = blocked;
  byId("unblock").hidden = !blocked;
}

/** A chat without messages greets as Telegram does: what this is, and a Start button. */
function showEmpty(empty) {
  const known = document.querySelector(".welcome");
  if (!empty) known?.remove();
  if (!empty || known) return;
  const start = element("button", { type: "button", class: "wide start", "data-action": "start", "data-testid": "start" }, "Start");
  byId("flow").prepend(element("div", { class: "welcome" },
    element("span", { class: "avatar bot-avatar large", "aria-hidden": "true" }, icon("bird")),
    element("p", { class: "welcome-title" }, "No messages here yet…"),
    element("p", { class: "welcome-text" }, `Write something as ${page.person.first_name}, or press Start.`), start));
}

async function setBlocked(blocked) {
  try {
    await api.block(page.person.id, page.chat.id, blocked);
    showBlocked(blocked);
  } catch {
    toast("That could not be sent");
  }
}

async function control(call, words) {
  try {
    await call;
    toast(words);
  } catch {
    toast("The playground refused");
  }
}

function chatMenu() {
  return [
    page.blocked ? { label: "Unblock the bot", icon: "block", run: () => setBlocked(false) } : { label: "Block the bot", icon: "block", run: () => setBlocked(true) },
    ...SHARED.map(({ label, icon: name, content }) => ({ label, icon: name, run: () => chat.share(content) })),
    { label: `Flood control for ${FLOOD_SECONDS} s`, icon: "bolt", run: () => control(api.flood(page.chat.id, FLOOD_SECONDS), `Every call to this chat answers 429 for ${FLOOD_SECONDS} seconds`) },
    { label: "Fail the next message", icon: "bug", run: () => control(api.failNext("sendMessage"), "The next sendMessage answers 500") },
  ];
}

function address(personId, chatId) {
  const query = new URLSearchParams({ person: personId });
  if (chatId && chatId !== page.chats[0]?.id) query.set("chat", chatId);
  return `/?${query}`;
}

async function choose(personId, chatId, { push = true } = {}) {
  const person = page.people.find((user) => user.id === personId) ?? page.people[0];
  const wish = Symbol("the newest choice");
  page.wish = wish;
  const chats = await api.chats(person.id).catch(() => null);
  if (page.wish !== wish) return; // another person was chosen while this one was being fetched
  if (chats === null) {
    toast("The playground does not answer");
    return;
  }
  page.person = person;
  page.chats = chats;
  page.chat = chats.find((one) => one.id === chatId) ?? chats[0];
  if (push) history.pushState(null, "", address(person.id, page.chat.id));
  people.show(page.people, person.id, chats, page.chat.id);
  byId("title").textContent = page.chat.title;
  composer.switchTo(`${person.id}:${page.chat.id}`);
  showBlocked(false);
  showTyping(null);
  chat.open(person, page.chat);
  // On a phone the keyboard would cover half of what was just opened.
  if (matchMedia("(hover: hover)").matches) composer.field.focus();
}

function fromAddress() {
  const query = new URLSearchParams(location.search);
  const person = Number(query.get("person"));
  const chatId = query.has("chat") ? Number(query.get("chat")) : null;
  return choose(person, chatId, { push: false });
}

async function start() {
  try {
    page.people = await api.people();
  } catch {
    setTimeout(start, RETRY_MS); // the server is still starting; the header says "connecting"
    return;
  }
  await fromAddress();
}

drawIcons();
showConnected(false);
bindActions(byId("flow"), chat);
bindRowMenu(byId("flow"), chat);
menu(byId("more"), byId("more-menu"), chatMenu);
byId("theme").addEventListener("click", () => window.toggleTheme());
byId("unblock").addEventListener("click", () => setBlocked(false));
window.addEventListener("popstate", fromAddress);
start();
