// What can be done with a message, as Telegram's own menu has it: by the right button, a long press, or the menu key.

import { byId, element, icon } from "./dom.js";
import { copy } from "./overlays.js";

const EDGE = 8; // pixels the menu keeps from the window's edges

function itemsOf(row, chat) {
  const id = Number(row.dataset.messageId);
  const message = chat.timeline.messages.get(id);
  const words = message.text ?? message.caption ?? "";
  const quote = chosenIn(row, words);
  return [
    { label: quote ? "Quote" : "Reply", icon: "reply", run: () => chat.reply(id, quote) },
    words && { label: quote ? "Copy" : "Copy text", icon: "copy", run: () => copy(quote || words) },
    chat.canEdit(message) && { label: "Edit", icon: "edit", run: () => chat.hooks.onEdit(message) },
    { label: "Forward to the bot", icon: "forward", run: () => chat.forward(id) },
  ].filter(Boolean);
}

/** The words of this message that are selected, if they stand in it as they are. */
function chosenIn(row, words) {
  const selection = getSelection();
  const chosen = selection.toString().trim();
  return chosen && row.contains(selection.anchorNode) && words.includes(chosen) ? chosen : "";
}

export function bindRowMenu(root, chat) {
  const box = byId("row-menu");

  function close() {
    box.hidden = true;
  }

  function open(row, x, y) {
    const back = document.activeElement;
    box.replaceChildren(...itemsOf(row, chat).map(({ label, icon: name, run }) => {
      const item = element("button", { type: "button", role: "menuitem", class: "menu-item" }, icon(name), label);
      item.addEventListener("click", () => {
        close();
        back?.focus?.();
        run();
      });
      return item;
    }));
    box.hidden = false;
    box.style.left = `${Math.max(EDGE, Math.min(x, innerWidth - box.offsetWidth - EDGE))}px`;
    box.style.top = `${Math.max(EDGE, Math.min(y, innerHeight - box.offsetHeight - EDGE))}px`;
    box.firstElementChild.focus({ preventScroll: true });
  }

  root.addEventListener("contextmenu", (event) => {
    const row = event.target.closest(".row[data-message-id]");
    // Pictures and links keep the browser's own menu: it saves and opens them.
    if (!row?.querySelector(".answer") || event.target.closest("a, audio, video")) return;
    event.preventDefault();
    const place = event.target.getBoundingClientRect();
    open(row, event.clientX || place.left, event.clientY || place.bottom);
  });
  box.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (event.key === "Escape") {
      close();
    } else if (step) {
      event.preventDefault();
      const all = [...box.children];
      all.at((all.indexOf(document.activeElement) + step) % all.length).focus();
    }
  });
  document.addEventListener("pointerdown", (event) => {
    if (!box.contains(event.target)) close();
  });
  byId("viewport").addEventListener("scroll", close, { passive: true });
}
