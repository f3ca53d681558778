// One message -> one row: the bubble with its content, its time, and the keyboard under it.
// Rows carry no listeners: clicks are understood once, in actions.js, by data-action. So a row can be redrawn freely.

import { element, icon } from "./dom.js";
import { renderText } from "./entities.js";
import { endsRightToLeft, fullName, fullTime, initials, isLoneEmoji, peerColor, timeLabel } from "./format.js";
import { inlineKeyboard, payButton } from "./keyboard.js";
import { mediaOf, serviceText, summary } from "./media.js";
import { richMessage } from "./rich.js";

const STATES = { pending: ["clock", "Sending"], sent: ["checks", "Sent"], failed: ["alert", "Not sent"] };

function meta(message, own, state) {
  const mark = own && STATES[state];
  return element("span", { class: "meta" },
    message.edit_date && !message.from?.is_bot ? element("span", { class: "edited" }, "edited") : null,
    element("time", { datetime: new Date(message.date * 1000).toISOString(), title: fullTime(message.date) }, timeLabel(message.date)),
    mark ? element("span", { class: `tick ${state}`, role: "img", "aria-label": mark[1] }, icon(mark[0])) : null);
}

function reply(message) {
  // In a topic every message answers, for Telegram, the notice that opened it; nobody sees it so.
  const target = message.reply_to_message?.forum_topic_created ? null : message.reply_to_message;
  if (!target && !message.quote) return null;
  const words = message.quote?.text ?? (target ? summary(target) : "");
  return element("button", {
    type: "button", class: `reply ${peerColor(target?.from?.id)}`, "data-action": "go", "data-target": target?.message_id,
    "aria-label": `In reply to ${fullName(target?.from)}: ${words}`,
  },
  element("span", { class: "reply-name", dir: "auto" }, fullName(target?.from)),
  element("span", { class: "reply-text", dir: "auto" }, words));
}

function forwarded(message) {
  const origin = message.forward_origin;
  if (!origin) return null;
  const name = origin.sender_user_name ?? fullName(origin.sender_user ?? origin.chat ?? origin.sender_chat);
  return element("div", { class: "forwarded", dir: "auto" }, `Forwarded from ${name}`);
}

/** The text element: only the message's own characters are inside it, so its textContent is the text. */
function textNode(text, entities) {
  return element("div", { class: "text", dir: "auto", "data-testid": "text" }, renderText(text, entities));
}

function bubble(message, own, { showSender, state }) {
  const text = message.text ?? message.caption ?? "";
  const media = mediaOf(message);
  const below = text !== "" || message.rich_message;
  const lone = !media && !message.entities?.length && isLoneEmoji(text);
  const classes = ["bubble", media?.wide && "wide-media", media?.wide && !below && "only-media", lone && "lone", endsRightToLeft(text) && "rtl-end",
    message.edit_date && !message.from?.is_bot && "has-edited"];
  return element("div", { class: classes.filter(Boolean).join(" ") },
    showSender ? element("div", { class: `sender ${peerColor(message.from?.id)}`, dir: "auto" }, fullName(message.sender_chat ?? message.from)) : null,
    message.ephemeral_message_id ? element("div", { class: "whisper" }, "Only you can see this") : null,
    message.guest_bot_caller_user ? element("div", { class: "whisper" }, `Guest, asked by ${fullName(message.guest_bot_caller_user)}`) : null,
    forwarded(message),
    reply(message),
    media?.node,
    message.rich_message ? richMessage(message.rich_message) : null,
    text !== "" ? textNode(text, message.entities ?? message.caption_entities) : null,
    !below && !media ? element("div", { class: "text unsupported" }, "This kind of message is not shown here.") : null,
    meta(message, own, state));
}

/** Beside the last message of somebody's group, as in Telegram; the others keep its place free. */
function peerPicture(user) {
  const picture = user?.is_bot ? icon("bird") : initials(user?.first_name ? user : { first_name: user?.title });
  return element("span", { class: `avatar peer ${user?.is_bot ? "bot-avatar" : peerColor(user?.id)}`, "aria-hidden": "true" }, picture);
}

function serviceRow(message, words) {
  return element("div", { class: "row service", "data-message-id": message.message_id, "data-from": "service" },
    element("span", { class: "pill", dir: "auto" }, words));
}

/** `self` is the id of the person who speaks. `showSender` is for groups. */
export function messageRow(message, self, { showSender = false, state = "sent" } = {}) {
  const words = serviceText(message);
  if (words !== null) return serviceRow(message, words);
  const own = message.from?.id === self;
  const row = element("article", {
    class: `row ${own ? "own" : "other"} ${state}`,
    "data-testid": "message",
    "data-message-id": message.message_id,
    "data-from": message.from?.is_bot ? "bot" : "person",
    "data-sender": message.from?.id,
    "data-date": message.date,
    "aria-label": `${own ? "You" : fullName(message.from)}, ${timeLabel(message.date)}`,
  }, showSender && !own ? peerPicture(message.sender_chat ?? message.from) : null,
  element("div", { class: "stack" }, bubble(message, own, { showSender: showSender && !own, state }), payButton(message), inlineKeyboard(message.reply_markup)),
  element("button", { type: "button", class: "round answer", "data-action": "reply", "data-testid": "reply", "aria-label": "Reply" }, icon("reply")));
  return row;
}

/** A message that is still on its way, or did not get through. */
export function pendingRow(message, self, state) {
  const row = messageRow(message, self, { state });
  row.removeAttribute("data-message-id");
  row.querySelector(".answer").remove();
  row.dataset.testid = "pending";
  row.dataset.pending = message.key;
  if (state === "failed") {
    const retry = element("button", { type: "button", class: "retry", "data-action": "retry", "data-testid": "retry" }, icon("alert"), "Not sent, tap to retry");
    row.querySelector(".stack").append(retry);
  }
  return row;
}

/** The answer while it is being written. `shown` is how much of it is drawn so far. */
export function draftRow(draft, shown, stopping) {
  const thinking = element("div", { class: "text thinking" }, element("span", { class: "shimmer" }, "Thinking…"));
  let content = thinking;
  if (draft.rich_message?.blocks?.length) content = richMessage(draft.rich_message);
  else if (draft.text) content = textNode(draft.text.slice(0, shown), clip(draft.entities, shown));
  const stop = draft.can_stop && element("div", { class: "keyboard" }, element("div", { class: "keys" },
    element("button", { type: "button", class: "key stop", "data-action": "stop", "data-testid": "stop", disabled: stopping }, icon("stop"), stopping ? "Stopping…" : "Stop")));
  return element("article", {
    class: "row other draft", "data-testid": "draft", "data-draft-id": draft.draft_id, "data-from": "bot", "aria-busy": "true", "aria-label": "Answer being written",
  }, element("div", { class: "stack" }, element("div", { class: "bubble" }, content), stop || null));
}

function clip(entities = [], end) {
  return entities.map((entity) => ({ ...entity, length: Math.min(entity.length, end - entity.offset) })).filter((entity) => entity.length > 0);
}
