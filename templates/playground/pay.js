// The sheet that asks whether Stars shall be paid, and what it says when the bot, or the wallet, says no.

import * as api from "./api.js";
import { byId, element, icon } from "./dom.js";
import { toast } from "./overlays.js";

const TOP_UP_STARS = 5000;

export const starsLabel = (stars) => stars.toLocaleString("en");

function days(period) {
  return period ? `every ${Math.round(period / 86400)} days` : "";
}

/** `of` names an invoice: `{message_id}` or `{url}`. */
export async function paySheet(person, of) {
  let bill;
  try {
    bill = await api.invoice(person.id, of);
  } catch (error) {
    toast(error.message);
    return;
  }
  const dialog = byId("pay-sheet");
  const close = element("button", { type: "button", class: "round pay-close", "aria-label": "Close" }, icon("close"));
  const confirm = element("button", { type: "button", class: "pay-confirm", "data-testid": "pay-confirm" });
  const problem = element("p", { class: "pay-problem", role: "alert", "data-testid": "pay-problem", dir: "auto" });
  let { stars } = bill;

  function show(busy = false) {
    const enough = stars >= bill.total_amount;
    wallet.textContent = starsLabel(stars);
    confirm.replaceChildren(...(busy ? [element("span", { class: "pay-spinner", "aria-hidden": "true" }), "Paying…"]
      : [enough ? "Confirm and pay" : "Get more toy Stars", icon("star"), enough ? starsLabel(bill.total_amount) : starsLabel(TOP_UP_STARS)]));
    confirm.disabled = busy;
    problem.textContent = enough ? "" : `You need ${starsLabel(bill.total_amount - stars)} more Stars.`;
  }

  async function pay() {
    if (stars < bill.total_amount) {
      await api.wallet(person.id, "fill", { stars: TOP_UP_STARS });
      stars += TOP_UP_STARS;
      show();
      return;
    }
    show(true);
    try {
      const outcome = await api.pay(person.id, of);
      if (outcome.ok) {
        dialog.close(); // the chat says the rest
        return;
      }
      show();
      problem.textContent = outcome.error;
    } catch (error) {
      show();
      problem.textContent = error.message;
    }
  }

  const wallet = element("strong", { "data-testid": "pay-wallet" });
  close.addEventListener("click", () => dialog.close());
  confirm.addEventListener("click", pay);
  dialog.onclick = (event) => {
    if (event.target === dialog && !confirm.disabled) dialog.close();
  };
  dialog.replaceChildren(element("div", { class: "pay-body" },
    element("div", { class: "pay-bar" }, close, element("span", { class: "pay-wallet" }, "Balance", element("span", { class: "pay-stars" }, icon("star"), wallet))),
    element("span", { class: "pay-star", "aria-hidden": "true" }, icon("star")),
    element("h2", { id: "pay-title", dir: "auto" }, bill.title),
    element("p", { class: "pay-text", dir: "auto" }, bill.description),
    element("p", { class: "pay-price" }, icon("star"), starsLabel(bill.total_amount), element("span", {}, days(bill.period))),
    problem, confirm,
    element("p", { class: "pay-note" }, "Toy Stars: nothing here costs money.")));
  show();
  dialog.showModal();
  confirm.focus();
}
