// Every press inside the conversation ends here, by the data-action of what was pressed.

import { alertBox, copy, enlarge, toast } from "./overlays.js";

function unfold(button) {
  const quote = button.closest(".quote");
  const open = quote.toggleAttribute("data-unfolded");
  button.setAttribute("aria-expanded", String(open));
  button.setAttribute("aria-label", open ? "Fold the quotation" : "Show the whole quotation");
}

function reveal(node) {
  // As in Telegram, one press shows all hidden text of the message.
  for (const spoiler of node.closest(".row").querySelectorAll(".spoiler")) {
    spoiler.setAttribute("data-revealed", "");
    spoiler.removeAttribute("role");
    spoiler.removeAttribute("tabindex");
    spoiler.removeAttribute("aria-label");
  }
}

function goTo(id) {
  const row = document.querySelector(`[data-message-id="${CSS.escape(id ?? "")}"]`);
  if (!row) return;
  const place = row.closest(".album") ?? row;
  place.scrollIntoView({ block: "center", behavior: "smooth" });
  place.classList.add("found");
  setTimeout(() => place.classList.remove("found"), 1500);
}

const LOCAL = {
  unfold,
  reveal,
  "copy-code": (node) => copy(node.closest(".pre").querySelector("pre").textContent, "Code copied"),
  "copy-text": (node) => copy(node.textContent),
  "copy-value": (node) => copy(node.dataset.value),
  enlarge: (node) => enlarge(node.querySelector("img")),
  go: (node) => goTo(node.dataset.target),
  unsupported: () => toast("This button does nothing in the playground"),
};

/** `chat` answers the actions that reach the bot: press, stop, retry, command, compose. */
export function bindActions(root, chat) {
  const remote = {
    press: (node) => chat.press(node, Number(node.closest(".row").dataset.messageId), node.dataset.data),
    stop: (node) => chat.stop(Number(node.closest(".row").dataset.draftId)),
    retry: (node) => chat.retry(node.closest(".row").dataset.pending),
    command: (node) => chat.send(node.dataset.command),
    reply: (node) => chat.reply(Number(node.closest(".row").dataset.messageId)),
    compose: (node) => chat.compose(node.dataset.value),
    pay: (node) => chat.pay(node.dataset.url ? { url: node.dataset.url } : { message_id: Number(node.closest(".row").dataset.messageId) }),
    start: () => chat.send("/start"),
  };

  function act(event) {
    const node = event.target.closest("[data-action]");
    if (!node || !root.contains(node) || node.disabled) return;
    // Selecting text across an inline code must not also copy it.
    if (node.dataset.action === "copy-text" && !getSelection().isCollapsed) return;
    if (node.matches("a")) event.preventDefault();
    const run = LOCAL[node.dataset.action] ?? remote[node.dataset.action];
    // Hidden text may be a link: the press that reveals it does not also follow it.
    if (node.dataset.action === "reveal" && node.hasAttribute("data-revealed")) return;
    run?.(node);
  }

  root.addEventListener("click", (event) => {
    const hidden = event.target.closest(".spoiler:not([data-revealed])");
    if (hidden) {
      event.preventDefault();
      reveal(hidden);
    } else {
      act(event);
    }
  });
  root.addEventListener("dblclick", (event) => {
    const row = event.target.closest(".row[data-message-id]");
    // With a mouse a double click inside a text selects a word; beside it, and anywhere by touch, it answers.
    const onText = event.target.closest(".text, .rich, button, a");
    if (row?.querySelector(".answer") && (!onText || matchMedia("(hover: none)").matches)) chat.reply(Number(row.dataset.messageId));
  });
  root.addEventListener("keydown", (event) => {
    const isButton = event.target.matches("[role=button][data-action]");
    if (isButton && (event.key === "Enter" || event.key === " ")) {
      event.preventDefault();
      event.target.click();
    }
  });
}

export function showAnswer({ text, show_alert: asAlert }) {
  if (!text) return;
  if (asAlert) alertBox(text);
  else toast(text);
}
