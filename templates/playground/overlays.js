// What appears over the chat: a toast, an alert, an enlarged photo, a small menu.

import { byId, element, icon } from "./dom.js";

const TOAST_MS = 3500;

export function toast(text) {
  const box = byId("toasts");
  const node = element("div", { class: "toast", dir: "auto" }, text);
  // The newest only: a stack of toasts hides the chat it talks about.
  box.replaceChildren(node);
  setTimeout(() => node.classList.add("leaving"), TOAST_MS);
  setTimeout(() => node.remove(), TOAST_MS + 250);
}

export function alertBox(text) {
  const dialog = byId("alert");
  const ok = element("button", { type: "button", class: "text-button", "data-testid": "alert-ok" }, "OK");
  ok.addEventListener("click", () => dialog.close());
  dialog.replaceChildren(element("p", { id: "alert-text", dir: "auto" }, text), ok);
  if (!dialog.open) dialog.showModal();
  ok.focus();
}

export function enlarge(image) {
  const dialog = byId("lightbox");
  const close = element("button", { type: "button", class: "round on-dark", "aria-label": "Close the photo" }, icon("close"));
  const save = element("a", { class: "round on-dark", href: image.src, download: "photo", "aria-label": "Download the photo" }, icon("download"));
  const large = element("img", { src: image.src, alt: image.alt });
  close.addEventListener("click", () => dialog.close());
  dialog.onclick = (event) => {
    if (event.target !== large && !event.target.closest("a")) dialog.close();
  };
  dialog.replaceChildren(element("div", { class: "lightbox-bar" }, save, close), large);
  dialog.showModal();
}

export async function copy(text, words = "Copied to the clipboard") {
  try {
    await navigator.clipboard.writeText(text);
    toast(words);
  } catch {
    toast("The browser did not allow copying");
  }
}

/** A menu that opens from a button; `items` is asked each time, so labels follow the state. */
export function menu(button, box, items) {
  function close() {
    box.hidden = true;
    button.setAttribute("aria-expanded", "false");
  }

  function open() {
    box.replaceChildren(...items().map(({ label, icon: name, run }) => {
      const item = element("button", { type: "button", role: "menuitem", class: "menu-item" }, icon(name), label);
      item.addEventListener("click", () => {
        close();
        button.focus();
        run();
      });
      return item;
    }));
    box.hidden = false;
    button.setAttribute("aria-expanded", "true");
    box.firstElementChild.focus();
  }

  button.addEventListener("click", () => (box.hidden ? open() : close()));
  box.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (event.key === "Escape") {
      close();
      button.focus();
    } else if (step) {
      event.preventDefault();
      const all = [...box.children];
      all.at((all.indexOf(document.activeElement) + step) % all.length).focus();
    }
  });
  // Tab leaves a menu behind; a press on an item, which some browsers do not focus, does not.
  box.addEventListener("focusout", (event) => {
    if (event.relatedTarget && event.relatedTarget !== button && !box.contains(event.relatedTarget)) close();
  });
  document.addEventListener("pointerdown", (event) => {
    if (!box.hidden && !box.contains(event.target) && !button.contains(event.target)) close();
  });
}
