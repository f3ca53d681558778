// The page's frame: who speaks, the header, the menus; the conversation itself is chat.js.

import { bindActions } from "./actions.js";
import * as api from "./api.js";
import { Chat } from "./chat.js";
import { Composer } from "./composer.js";
import { byId, drawIcons, element, icon } from "./dom.js";
import { showMembers } from "./members.js";
import { menu, toast } from "./overlays.js";
import { starsLabel } from "./pay.js";
import { People, chatAvatar, topicAvatar } from "./people.js";
import { bindRowMenu } from "./rowmenu.js";

// A chat action lasts five seconds in Telegram unless it is sent again.
const TYPING_MS = 5500;
const RETRY_MS = 1500;
const FLOOD_SECONDS = 30;
// How soon the list of chats follows what happens in the open one, and how often it looks at the others.
const LIST_MS = 150;
const LOOK_MS = 4000;

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

const page = { people: [], person: null, chats: [], chat: null, topic: null, connected: false, typing: null, blocked: false, bot: null };

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
  onWallet: showWallet,
  onNews: (event) => ["message", "edit", "delete"].includes(event.type) && listSoon(),
  onReply: (message) => composer.reply(message),
  onEdit: (message) => composer.edit(message),
  onCompose: (text) => composer.insert(`@${page.bot?.username ?? ""} ${text}`),
});

const people = new People({ onChoose: (person, chatId, topic) => choose(person, chatId, topic) });

function showBot(bot) {
  page.bot = bot;
  page.chat.title = page.chat.type === "private" ? bot.first_name : page.chat.title;
  showTitle();
  document.title = `${bot.first_name} · ${page.person.first_name}`;
  composer.commands.set(bot.commands ?? []);
}

function openTopic() {
  return page.chat?.topics?.find((topic) => topic.id === page.topic) ?? null;
}

function showTitle() {
  const topic = openTopic();
  byId("title").textContent = topic?.name ?? page.chat.title;
  const avatar = topic ? topicAvatar(topic) : chatAvatar(page.chat);
  avatar.id = "chat-avatar";
  byId("chat-avatar").replaceWith(avatar);
  byId("about").disabled = page.chat.type === "private";
}

/** The chat's quiet line: what kind it is, or how many are in it. */
function idleWords() {
  if (!page.chat || page.chat.type === "private") return "bot";
  if (openTopic()) return page.chat.title;
  const { members, bot } = page.chat;
  const count = members.length + (["member", "administrator"].includes(bot) ? 1 : 0);
  return `${count} members${bot === "never" ? ", the bot is a guest" : ""}`;
}

/** Fetches the list of chats again: something was said in one of them. */
function listSoon() {
  clearTimeout(page.listTimer);
  page.listTimer = setTimeout(refreshList, LIST_MS);
}

async function refreshList() {
  const { person } = page;
  const chats = await api.chats(person.id).catch(() => null);
  if (chats === null || page.person !== person) return;
  page.chats = chats;
  page.chat = chats.find((one) => one.id === page.chat.id) ?? page.chat;
  people.show(page.people, person.id, chats, page.chat.id, page.topic);
  showTitle();
  showStatus();
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
      : ["idle", idleWords()];
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

function largeAvatar() {
  const avatar = chatAvatar(page.chat);
  avatar.classList.add("large");
  return avatar;
}

/** A chat without messages greets as Telegram does: what this is, and a Start button. */
function showEmpty(empty) {
  const known = document.querySelector(".welcome");
  if (!empty) known?.remove();
  if (!empty || known) return;
  const isPrivate = page.chat.type === "private";
  const start = isPrivate && element("button", { type: "button", class: "wide start", "data-action": "start", "data-testid": "start" }, "Start");
  byId("flow").prepend(element("div", { class: "welcome" },
    largeAvatar(),
    element("p", { class: "welcome-title" }, "No messages here yet…"),
    element("p", { class: "welcome-text" }, `Write something as ${page.person.first_name}${isPrivate ? ", or press Start" : `: @${page.bot?.username ?? "starling_bot"} answers when it is mentioned`}.`), start || null));
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
  } catch (error) {
    toast(error.message || "The playground refused");
  }
}

async function newTopic() {
  try {
    const { id } = await api.newTopic(page.person.id, page.chat.id);
    await choose(page.person.id, page.chat.id, id);
  } catch {
    toast("There are no topics here");
  }
}

async function switchTopics(on) {
  await control(api.abilities({ has_topics_enabled: on, allows_users_to_create_topics: on }),
    on ? "The bot's private chats have topics now" : "The bot's private chats have no topics any more");
  await choose(page.person.id, page.chat.id);
}

function chatMenu() {
  const isPrivate = page.chat.type === "private";
  const topics = isPrivate ? [page.chat.topics ? { label: "Switch topics off", icon: "hash", run: () => switchTopics(false) } : { label: "Switch topics on", icon: "hash", run: () => switchTopics(true) }] : [];
  const opening = page.chat.topics ? [{ label: "New topic", icon: "plus", run: newTopic }] : [];
  const blocking = isPrivate ? [blockEntry()] : [{ label: "Members", icon: "people", run: () => showMembers(page.chat, page.bot) }];
  return [...opening, ...blocking, ...topics, ...testEntries()];
}

function blockEntry() {
  return page.blocked ? { label: "Unblock the bot", icon: "block", run: () => setBlocked(false) } : { label: "Block the bot", icon: "block", run: () => setBlocked(true) };
}

function testEntries() {
  return [
    ...SHARED.map(({ label, icon: name, content }) => ({ label, icon: name, run: () => chat.share(content) })),
    { label: `Flood control for ${FLOOD_SECONDS} s`, icon: "bolt", run: () => control(api.flood(page.chat.id, FLOOD_SECONDS), `Every call to this chat answers 429 for ${FLOOD_SECONDS} seconds`) },
    { label: "Fail the next message", icon: "bug", run: () => control(api.failNext("sendMessage"), "The next sendMessage answers 500") },
  ];
}

function showWallet(stars) {
  byId("wallet").hidden = stars === undefined;
  byId("wallet-stars").textContent = starsLabel(stars ?? 0);
}

const inWallet = (what, words, more) => control(api.wallet(page.person.id, what, more), words);

function walletMenu() {
  return [
    { label: "Get 1,000 toy Stars", icon: "star", run: () => inWallet("fill", "1,000 toy Stars are in your wallet", { stars: 1000 }) },
    { label: "Renew the subscription now", icon: "clock", run: () => inWallet("renew", "The subscription was renewed") },
    { label: "Cancel the subscription", icon: "close", run: () => inWallet("canceled", "The subscription is canceled") },
    { label: "Let the renewal fail", icon: "bug", run: () => inWallet("failed", "The renewal has failed") },
    { label: "Charge back the last payment", icon: "alert", run: () => inWallet("charge_back", "Charged back: the bot sees it when it next reconciles") },
  ];
}

function address(personId, chatId, topic) {
  const query = new URLSearchParams({ person: personId });
  if (chatId && chatId !== page.chats[0]?.id) query.set("chat", chatId);
  if (topic) query.set("topic", topic);
  return `/?${query}`;
}

async function choose(personId, chatId, topic = null, { push = true } = {}) {
  const person = page.people.find((user) => user.id === personId) ?? page.people[0];
  const wish = Symbol("the newest choice");
  page.wish = wish;
  const chats = await api.chats(person.id).catch(() => null);
  if (page.wish !== wish) return; // another person was chosen while this one was being fetched
  if (chats === null) {
    toast("The playground does not answer");
    return;
  }
  // Another speaker stays in the group that is open, if they are in it; private chats are everybody's own.
  const wanted = chatId ?? (page.chat?.type === "private" ? null : page.chat?.id);
  page.person = person;
  page.chats = chats;
  page.chat = chats.find((one) => one.id === wanted) ?? chats[0];
  const stays = chatId === null && page.chat.type !== "private" ? page.topic : topic;
  page.topic = page.chat.topics?.some((one) => one.id === stays) ? stays : null;
  if (push) history.pushState(null, "", address(person.id, page.chat.id, page.topic));
  people.show(page.people, person.id, chats, page.chat.id, page.topic);
  showTitle();
  composer.switchTo(`${person.id}:${page.chat.id}:${page.topic ?? ""}`);
  showBlocked(false);
  showTyping(null);
  chat.open(person, page.chat, page.topic);
  // On a phone the keyboard would cover half of what was just opened.
  if (matchMedia("(hover: hover)").matches) composer.field.focus();
}

function fromAddress() {
  const query = new URLSearchParams(location.search);
  const person = Number(query.get("person"));
  const number = (name) => (query.has(name) ? Number(query.get(name)) : null);
  return choose(person, number("chat") ?? person, number("topic"), { push: false });
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
menu(byId("wallet"), byId("wallet-menu"), walletMenu);
byId("theme").addEventListener("click", () => window.toggleTheme());
byId("about").addEventListener("click", () => showMembers(page.chat, page.bot));
setInterval(() => page.person && !document.hidden && refreshList(), LOOK_MS);
byId("unblock").addEventListener("click", () => setBlocked(false));
window.addEventListener("popstate", fromAddress);
start();
