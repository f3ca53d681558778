// TeX as MathML, as far as answers use it; what is not known is shown as it is written, and never an error.

const SYMBOLS = {
  alpha: "α", beta: "β", gamma: "γ", delta: "δ", epsilon: "ϵ", varepsilon: "ε", zeta: "ζ", eta: "η", theta: "θ", iota: "ι",
  kappa: "κ", lambda: "λ", mu: "μ", nu: "ν", xi: "ξ", pi: "π", rho: "ρ", sigma: "σ", tau: "τ", phi: "ϕ", varphi: "φ", chi: "χ",
  psi: "ψ", omega: "ω", Gamma: "Γ", Delta: "Δ", Theta: "Θ", Lambda: "Λ", Xi: "Ξ", Pi: "Π", Sigma: "Σ", Phi: "Φ", Psi: "Ψ",
  Omega: "Ω", infty: "∞", partial: "∂", nabla: "∇", hbar: "ℏ", ell: "ℓ", emptyset: "∅", ldots: "…", cdots: "⋯", dots: "…",
};
const OPERATORS = {
  cdot: "⋅", times: "×", div: "÷", pm: "±", mp: "∓", le: "≤", leq: "≤", ge: "≥", geq: "≥", ne: "≠", neq: "≠", approx: "≈",
  equiv: "≡", sim: "∼", propto: "∝", to: "→", rightarrow: "→", leftarrow: "←", Rightarrow: "⇒", Leftrightarrow: "⇔", mapsto: "↦",
  in: "∈", notin: "∉", subset: "⊂", cup: "∪", cap: "∩", forall: "∀", exists: "∃", sum: "∑", prod: "∏", int: "∫", oint: "∮",
  langle: "⟨", rangle: "⟩", lvert: "|", rvert: "|", mid: "|", "{": "{", "}": "}", "|": "‖",
};
const NAMES = new Set(["sin", "cos", "tan", "log", "ln", "exp", "lim", "max", "min", "det", "arctan", "sinh", "cosh"]);
const SPACES = { ",": ".17em", ":": ".22em", ";": ".28em", " ": ".25em", "!": "0", quad: "1em", qquad: "2em" };
const TOKEN = /\\(?:[a-zA-Z]+|[^])|[0-9]+(?:[.,][0-9]+)*|\s+|[^]/gu;
const DEPTH_MAX = 40;

function node(name, attributes, ...children) {
  const made = document.createElementNS("http://www.w3.org/1998/Math/MathML", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

/** The formula as a <math> element; `display` for one on a line of its own. */
export function formula(tex, display) {
  const reader = { tokens: (tex.match(TOKEN) ?? []).filter((token) => token.trim()), at: 0, depth: 0 };
  const rows = [[[]]];
  while (reader.at < reader.tokens.length) {
    const token = reader.tokens[reader.at];
    if (token === "\\\\") { reader.at += 1; rows.push([[]]); }
    else if (token === "&") { reader.at += 1; rows.at(-1).push([]); }
    else if (token === "}") reader.at += 1;
    else rows.at(-1).at(-1).push(...scripted(reader));
  }
  const single = rows.length === 1 && rows[0].length === 1;
  const content = single ? rows[0][0] : [node("mtable", { columnalign: "right left" }, ...rows.filter((row) => row.flat().length)
    .map((row) => node("mtr", {}, ...row.map((cell) => node("mtd", {}, ...cell)))))];
  return node("math", { display: display ? "block" : "inline", "aria-label": tex }, node("mrow", {}, ...content));
}

function scripted(reader) {
  const base = atom(reader);
  let below = null;
  let above = null;
  for (;;) {
    const token = reader.tokens[reader.at];
    if (token === "_" && !below) { reader.at += 1; below = argument(reader); }
    else if (token === "^" && !above) { reader.at += 1; above = argument(reader); }
    else break;
  }
  if (!below && !above) return base;
  const under = node("mrow", {}, ...base);
  if (below && above) return [node("msubsup", {}, under, below, above)];
  return [below ? node("msub", {}, under, below) : node("msup", {}, under, above)];
}

function argument(reader) {
  return node("mrow", {}, ...(reader.at < reader.tokens.length ? atom(reader) : []));
}

function group(reader) {
  const content = [];
  while (reader.at < reader.tokens.length && reader.tokens[reader.at] !== "}") content.push(...scripted(reader));
  reader.at += 1;
  return content;
}

/** The plain text of the group that comes next. */
function words(reader) {
  if (reader.tokens[reader.at] !== "{") return reader.tokens[reader.at++] ?? "";
  let text = "";
  for (reader.at += 1; reader.at < reader.tokens.length && reader.tokens[reader.at] !== "}"; reader.at += 1) text += reader.tokens[reader.at];
  reader.at += 1;
  return text;
}

function atom(reader) {
  const token = reader.tokens[reader.at++];
  if (reader.depth > DEPTH_MAX) return [node("mtext", {}, token)];
  reader.depth += 1;
  try {
    if (token === "{") return group(reader);
    if (token.startsWith("\\")) return command(token.slice(1), reader);
    if (/^[0-9]/.test(token)) return [node("mn", {}, token)];
    return [node(/^\p{L}$/u.test(token) ? "mi" : "mo", /^[()[\]|]$/.test(token) ? { stretchy: "false" } : {}, token === "-" ? "−" : token)];
  } finally {
    reader.depth -= 1;
  }
}

function command(name, reader) {
  if (name in SYMBOLS) return [node("mi", {}, SYMBOLS[name])];
  if (name in OPERATORS) return [node("mo", {}, OPERATORS[name])];
  if (name in SPACES) return [node("mspace", { width: SPACES[name] })];
  if (NAMES.has(name)) return [node("mi", {}, name), node("mspace", { width: ".17em" })];
  switch (name) {
    case "frac": case "dfrac": case "tfrac": return [node("mfrac", {}, argument(reader), argument(reader))];
    case "sqrt": return root(reader);
    case "text": case "mathrm": case "operatorname": case "textbf": case "begin": case "end": {
      const text = words(reader);
      return name === "begin" || name === "end" ? [] : [node("mtext", {}, text)];
    }
    case "mathbf": case "mathbb": case "mathcal": case "boldsymbol": case "displaystyle": return [];
    case "vec": return [node("mover", {}, argument(reader), node("mo", {}, "→"))];
    case "hat": case "widehat": return [node("mover", {}, argument(reader), node("mo", {}, "^"))];
    case "bar": case "overline": return [node("mover", {}, argument(reader), node("mo", {}, "‾"))];
    case "dot": return [node("mover", {}, argument(reader), node("mo", {}, "˙"))];
    case "left": case "right": case "big": case "Big": case "bigg": return reader.tokens[reader.at] === "." ? (reader.at += 1, []) : [];
    default: return [node("mtext", {}, `\\${name}`)];
  }
}

function root(reader) {
  if (reader.tokens[reader.at] !== "[") return [node("msqrt", {}, argument(reader))];
  const index = [];
  for (reader.at += 1; reader.at < reader.tokens.length && reader.tokens[reader.at] !== "]";) index.push(...scripted(reader));
  reader.at += 1;
  return [node("mroot", {}, argument(reader), node("mrow", {}, ...index))];
}
