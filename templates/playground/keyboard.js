// Inline keyboards: rows of buttons under a bubble. What a press does is decided in actions.js.

import { element, icon } from "./dom.js";
import { safeUrl } from "./entities.js";

const STYLES = new Set(["danger", "success", "primary"]);

function address(button) {
  return button.url ?? button.web_app?.url ?? button.login_url?.url ?? null;
}

/** A link that opens a pay sheet instead of a page. */
export const isInvoice = (url) => typeof url === "string" && url.startsWith("https://t.me/$");

export function buttonNode(button) {
  const style = STYLES.has(button.style) ? ` ${button.style}` : "";
  const label = element("span", { class: "key-label", dir: "auto" }, String(button.text ?? ""));
  const shared = { class: `key${style}`, "data-testid": "button" };
  if (isInvoice(button.url)) {
    return element("button", { ...shared, type: "button", "data-action": "pay", "data-url": button.url }, label);
  }
  const href = address(button) && safeUrl(address(button));
  if (href) {
    return element("a", { ...shared, href, target: "_blank", rel: "noopener noreferrer", title: href }, label, icon("link"));
  }
  const attributes = { ...shared, type: "button" };
  if (button.disabled) return element("button", { ...attributes, disabled: true }, label);
  if (button.copy_text) {
    return element("button", { ...attributes, "data-action": "copy-value", "data-value": button.copy_text.text }, label, icon("copy"));
  }
  if (button.callback_data !== undefined && button.callback_data !== null) {
    return element("button", { ...attributes, "data-action": "press", "data-data": button.callback_data },
      label, element("span", { class: "spinner", "aria-hidden": "true" }));
  }
  const query = button.switch_inline_query_current_chat ?? button.switch_inline_query;
  if (query !== undefined && query !== null) {
    return element("button", { ...attributes, "data-action": "compose", "data-value": query }, label);
  }
  return element("button", { ...attributes, "data-action": "unsupported" }, label);
}

export function inlineKeyboard(markup) {
  const rows = markup?.inline_keyboard;
  if (!rows?.length) return null;
  return element("div", { class: "keyboard", role: "group", "aria-label": "Buttons of this message" },
    rows.map((row) => element("div", { class: "keys" }, row.map(buttonNode))));
}

/** The button Telegram puts under every invoice; once paid it says so. */
export function payButton({ invoice, paid }) {
  if (!invoice) return null;
  const words = paid ? ["Paid"] : ["Pay ", icon("star"), String(invoice.total_amount)];
  return element("div", { class: "keyboard" }, element("div", { class: "keys" },
    element("button", { type: "button", class: "key", "data-action": "pay", "data-testid": "pay", disabled: paid === true },
      element("span", { class: "key-label pay-label" }, words))));
}
