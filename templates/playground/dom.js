// Small DOM words used everywhere. Nothing here, and nothing in the page, ever parses HTML:
// a bot's text can only become text nodes.

/** element("a", {class: "x", href: "/y"}, "text", child): null and false children and attributes are left out. */
export function element(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    node.setAttribute(name, value === true ? "" : String(value));
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

export const byId = (id) => document.getElementById(id);

const SVG = "http://www.w3.org/2000/svg";

// 24×24 outlines. A path that starts with "!" is filled, the others are stroked.
const ICONS = {
  send: ["!M3.5 20.4 21 12.9a1 1 0 0 0 0-1.8L3.5 3.6c-.7-.3-1.5.3-1.4 1.1l.9 5.4c.1.5.5.8.9.9L13 12l-9.1 1c-.4.1-.8.4-.9.9l-.9 5.4c-.1.8.7 1.4 1.4 1.1z"],
  attach: ["M20 11.2 12 19.1a5 5 0 0 1-7.1-7.1l8.1-8a3.4 3.4 0 0 1 4.8 4.8l-8 7.9a1.7 1.7 0 0 1-2.4-2.4l7.3-7.2"],
  slash: ["M5.5 3.5h13a2 2 0 0 1 2 2v13a2 2 0 0 1-2 2h-13a2 2 0 0 1-2-2v-13a2 2 0 0 1 2-2z", "M14.2 7.5l-4.4 9"],
  more: ["!M12 7a2 2 0 1 0 0-4 2 2 0 0 0 0 4zm0 7a2 2 0 1 0 0-4 2 2 0 0 0 0 4zm0 7a2 2 0 1 0 0-4 2 2 0 0 0 0 4z"],
  theme: ["M12 3.5a8.5 8.5 0 1 0 0 17 8.5 8.5 0 0 0 0-17z", "!M12 3.5a8.5 8.5 0 0 1 0 17z"],
  reply: ["M10 6 4.5 11.5 10 17M5 11.5h8a6.5 6.5 0 0 1 6.5 6.5v.5"],
  close: ["M6 6l12 12M18 6 6 18"],
  down: ["M5.5 9l6.5 6.5L18.5 9"],
  chevron: ["M6 9.5l6 6 6-6"],
  copy: ["M9 8.5h9a1.5 1.5 0 0 1 1.5 1.5v9a1.5 1.5 0 0 1-1.5 1.5H9A1.5 1.5 0 0 1 7.5 19v-9A1.5 1.5 0 0 1 9 8.5z", "M4.5 15.5V5A1.5 1.5 0 0 1 6 3.5h9.5"],
  check: ["M5 12.5l4.5 4.5L19 7.5"],
  checks: ["M2 12.8l4.3 4.2L15 7.5", "M11.3 16l1 1L22 7.5"],
  clock: ["M12 4a8 8 0 1 0 0 16 8 8 0 0 0 0-16z", "M12 7.5V12l3 2"],
  alert: ["M12 3.5a8.5 8.5 0 1 0 0 17 8.5 8.5 0 0 0 0-17z", "M12 8v5M12 16v.2"],
  file: ["M7 3.5h6.5l5 5V19a1.5 1.5 0 0 1-1.5 1.5H7A1.5 1.5 0 0 1 5.5 19V5A1.5 1.5 0 0 1 7 3.5z", "M13 3.5V9h5.5"],
  download: ["M12 4v11M7 10.5l5 5 5-5M5 20h14"],
  stop: ["!M8 6.5h8A1.5 1.5 0 0 1 17.5 8v8a1.5 1.5 0 0 1-1.5 1.5H8A1.5 1.5 0 0 1 6.5 16V8A1.5 1.5 0 0 1 8 6.5z"],
  edit: ["M4 20l.9-4L16.2 4.7a1.9 1.9 0 0 1 2.7 0l.4.4a1.9 1.9 0 0 1 0 2.7L8 19.1z", "M14 7l3 3"],
  forward: ["M14 6l5.5 5.5L14 17M19 11.5h-8A6.5 6.5 0 0 0 4.5 18v.5"],
  mic: ["M12 3.5a2.8 2.8 0 0 1 2.8 2.8v5a2.8 2.8 0 0 1-5.6 0v-5A2.8 2.8 0 0 1 12 3.5z", "M6 11a6 6 0 0 0 12 0M12 17v3.5"],
  pin: ["M12 3.5a6.5 6.5 0 0 1 6.5 6.5c0 4.5-6.5 10.5-6.5 10.5S5.5 14.5 5.5 10A6.5 6.5 0 0 1 12 3.5z", "M12 8a2 2 0 1 0 0 4 2 2 0 0 0 0-4z"],
  poll: ["M5 20V11M12 20V4M19 20v-6"],
  dice: ["M6 3.5h12A2.5 2.5 0 0 1 20.5 6v12a2.5 2.5 0 0 1-2.5 2.5H6A2.5 2.5 0 0 1 3.5 18V6A2.5 2.5 0 0 1 6 3.5z", "M8.5 8.5v.2M12 12v.2M15.5 15.5v.2"],
  people: ["M9 11.5a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7z", "M2.5 19.5c.3-3.4 2.7-5.5 6.5-5.5s6.2 2.1 6.5 5.5", "M16 4.8a3.5 3.5 0 0 1 0 6.4M18 14.6c2 .8 3.2 2.5 3.5 4.9"],
  hash: ["M9.5 4 7.5 20M16.5 4l-2 16M4.5 9h16M3.5 15h16"],
  plus: ["M12 5v14M5 12h14"],
  link: ["M8 16 16 8M9 8h7v7"],
  block: ["M12 3.5a8.5 8.5 0 1 0 0 17 8.5 8.5 0 0 0 0-17z", "M6 6l12 12"],
  bolt: ["M13 3 5.5 13.5H11L10 21l8-11h-5.6z"],
  bug: ["M12 7.5a4.5 4.5 0 0 1 4.5 4.5v3a4.5 4.5 0 0 1-9 0v-3A4.5 4.5 0 0 1 12 7.5z", "M9.5 8 8 4.5M14.5 8 16 4.5M7.5 13.5H4M20 13.5h-3.5M8 17.5l-2.5 2M16 17.5l2.5 2"],
  star: ["!M12 2.6c.5 0 .9.3 1.1.7l2.3 4.9 5.3.7c1 .1 1.4 1.3.7 2l-3.9 3.7 1 5.3c.2 1-.8 1.7-1.7 1.3L12 18.6l-4.8 2.6c-.9.4-1.9-.3-1.7-1.3l1-5.3-3.9-3.7c-.7-.7-.3-1.9.7-2l5.3-.7 2.3-4.9c.2-.4.6-.7 1.1-.7z"],
  bird: ["!M3.2 13.1c2.3-.2 4.1-1 5.3-2.6 1-1.4 1.4-3.2 3-4.5 1.9-1.5 4.7-1.3 6 .7l3.3 1.2-2.7 1.1c.2 3.9-1.9 7.2-5.5 8.4l-.5 2.6h-1.3l.1-2.3c-2.9.2-5.6-1.1-7.7-4.6z"],
};

export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("class", `icon icon-${name}`);
  svg.setAttribute("aria-hidden", "true");
  for (const data of ICONS[name]) {
    const path = document.createElementNS(SVG, "path");
    const filled = data.startsWith("!");
    path.setAttribute("d", filled ? data.slice(1) : data);
    path.setAttribute("class", filled ? "filled" : "stroked");
    svg.append(path);
  }
  return svg;
}

/** Gives every element with data-icon its drawing. */
export function drawIcons(root = document) {
  for (const node of root.querySelectorAll("[data-icon]")) node.prepend(icon(node.dataset.icon));
}

/** What a person did to an element (revealed, unfolded) or where it stands survives a redraw of the same element. */
const KEPT = new Set(["data-revealed", "data-unfolded", "data-short", "data-measured", "data-first", "data-last", "data-old", "aria-expanded"]);

function sameKind(a, b) {
  return a.nodeType === b.nodeType && a.nodeName === b.nodeName && a.getAttribute?.("src") === b.getAttribute?.("src");
}

/**
 * Makes `target` look like `fresh`, touching only what differs. A streaming answer or an edit then keeps the
 * person's selection, focus, scroll position inside code and loaded pictures, and nothing flickers.
 */
export function morph(target, fresh) {
  for (const { name, value } of fresh.attributes) {
    if (!KEPT.has(name) && target.getAttribute(name) !== value) target.setAttribute(name, value);
  }
  for (const { name } of [...target.attributes]) {
    if (!KEPT.has(name) && !fresh.hasAttribute(name)) target.removeAttribute(name);
  }
  let old = target.firstChild;
  for (const child of [...fresh.childNodes]) {
    if (old === null) {
      target.append(child);
    } else if (!sameKind(old, child)) {
      const next = old.nextSibling;
      old.replaceWith(child);
      old = next;
    } else {
      if (old.nodeType === Node.TEXT_NODE) morphText(old, child.data);
      else if (old.nodeType === Node.ELEMENT_NODE) morph(old, child);
      old = old.nextSibling;
    }
  }
  while (old !== null) {
    const next = old.nextSibling;
    old.remove();
    old = next;
  }
}

function morphText(node, text) {
  if (node.data === text) return;
  // Appending keeps a selection that ends inside this text; assigning would drop it.
  if (text.startsWith(node.data)) node.appendData(text.slice(node.data.length));
  else node.data = text;
}

/** Puts `node` before `next`; where the browser can, without the node losing its scroll positions and focus. */
export function put(parent, node, next) {
  if (parent.moveBefore && node.isConnected && parent.isConnected) parent.moveBefore(node, next);
  else parent.insertBefore(node, next);
}

export const reducedMotion = () => matchMedia("(prefers-reduced-motion: reduce)").matches;
