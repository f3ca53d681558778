"""What TeX's commands look like in Unicode."""

from __future__ import annotations

from typing import Final

_GREEK: Final = {
    "alpha": "α", "beta": "β", "gamma": "γ", "delta": "δ", "epsilon": "ϵ", "varepsilon": "ε", "zeta": "ζ",
    "eta": "η", "theta": "θ", "vartheta": "ϑ", "iota": "ι", "kappa": "κ", "lambda": "λ", "mu": "μ",
    "nu": "ν", "xi": "ξ", "omicron": "ο", "pi": "π", "varpi": "ϖ", "rho": "ρ", "varrho": "ϱ", "sigma": "σ",
    "varsigma": "ς", "tau": "τ", "upsilon": "υ", "phi": "ϕ", "varphi": "φ", "chi": "χ", "psi": "ψ",
    "omega": "ω", "Gamma": "Γ", "Delta": "Δ", "Theta": "Θ", "Lambda": "Λ", "Xi": "Ξ", "Pi": "Π",
    "Sigma": "Σ", "Upsilon": "Υ", "Phi": "Φ", "Psi": "Ψ", "Omega": "Ω",
}  # fmt: skip

ORDINARY: Final = _GREEK | {
    "infty": "∞", "partial": "∂", "nabla": "∇", "emptyset": "∅", "varnothing": "∅", "hbar": "ℏ", "ell": "ℓ",
    "Re": "ℜ", "Im": "ℑ", "aleph": "ℵ", "beth": "ℶ", "wp": "℘", "imath": "ı", "jmath": "ȷ", "angle": "∠",
    "measuredangle": "∡", "triangle": "△", "square": "□", "Box": "□", "blacksquare": "■", "diamond": "⋄",
    "bigstar": "★", "checkmark": "✓", "degree": "°", "prime": "′", "backprime": "‵", "forall": "∀",
    "exists": "∃", "nexists": "∄", "neg": "¬", "lnot": "¬", "top": "⊤", "bot": "⊥", "ldots": "…",
    "dots": "…", "cdots": "⋯", "dotsc": "…", "dotsb": "⋯", "vdots": "⋮", "ddots": "⋱", "surd": "√",
    "flat": "♭", "sharp": "♯", "natural": "♮", "clubsuit": "♣", "diamondsuit": "♢", "heartsuit": "♡",
    "spadesuit": "♠", "dagger": "†", "ddagger": "‡", "S": "§", "P": "¶", "copyright": "©", "pounds": "£",
    "euro": "€", "yen": "¥", "backslash": "\\", "%": "%", "$": "$", "#": "#", "&": "&", "_": "_",
    "therefore": "∴", "because": "∵", "complement": "∁", "eth": "ð", "N": "ℕ", "Z": "ℤ", "Q": "ℚ", "R": "ℝ",
    "C": "ℂ", "lq": "‘", "rq": "’", "textdegree": "°", "textbackslash": "\\", "qed": "∎",
    "blacktriangle": "▲", "mho": "℧", "Bbbk": "𝕜", "AA": "Å",
}  # fmt: skip

BINARY: Final = {
    "pm": "±", "mp": "∓", "times": "×", "div": "÷", "cdot": "·", "ast": "∗", "star": "⋆", "circ": "∘",
    "bullet": "•", "cap": "∩", "cup": "∪", "sqcap": "⊓", "sqcup": "⊔", "vee": "∨", "lor": "∨", "wedge": "∧",
    "land": "∧", "setminus": "∖", "smallsetminus": "∖", "wr": "≀", "oplus": "⊕", "ominus": "⊖",
    "otimes": "⊗", "oslash": "⊘", "odot": "⊙", "uplus": "⊎", "amalg": "⨿", "ltimes": "⋉", "rtimes": "⋊",
    "bmod": "mod", "dotplus": "∔", "boxplus": "⊞", "boxtimes": "⊠", "veebar": "⊻", "barwedge": "⊼",
    "bigtriangleup": "△",
}  # fmt: skip

RELATIONS: Final = {
    "le": "≤", "leq": "≤", "leqslant": "⩽", "ge": "≥", "geq": "≥", "geqslant": "⩾", "ne": "≠", "neq": "≠",
    "approx": "≈", "equiv": "≡", "sim": "∼", "simeq": "≃", "cong": "≅", "propto": "∝", "ll": "≪", "gg": "≫",
    "in": "∈", "notin": "∉", "ni": "∋", "subset": "⊂", "subseteq": "⊆", "subsetneq": "⊊", "supset": "⊃",
    "supseteq": "⊇", "supsetneq": "⊋", "nsubseteq": "⊈", "mid": "|", "nmid": "∤", "parallel": "∥",
    "nparallel": "∦", "perp": "⟂", "models": "⊨", "vdash": "⊢", "dashv": "⊣", "Vdash": "⊩", "vDash": "⊨",
    "asymp": "≍", "doteq": "≐", "prec": "≺", "preceq": "⪯", "succ": "≻", "succeq": "⪰", "lesssim": "≲",
    "gtrsim": "≳", "coloneqq": "≔", "coloneq": "≔", "triangleq": "≜", "to": "→", "rightarrow": "→",
    "gets": "←", "leftarrow": "←", "leftrightarrow": "↔", "Rightarrow": "⇒", "Leftarrow": "⇐",
    "Leftrightarrow": "⇔", "implies": "⟹", "impliedby": "⟸", "iff": "⟺", "longrightarrow": "⟶",
    "longleftarrow": "⟵", "Longrightarrow": "⟹", "Longleftarrow": "⟸", "Longleftrightarrow": "⟺",
    "longleftrightarrow": "⟷", "mapsto": "↦", "longmapsto": "⟼", "hookrightarrow": "↪",
    "hookleftarrow": "↩", "uparrow": "↑", "downarrow": "↓", "updownarrow": "↕", "Uparrow": "⇑",
    "Downarrow": "⇓", "nearrow": "↗", "searrow": "↘", "swarrow": "↙", "nwarrow": "↖", "rightharpoonup": "⇀",
    "leftharpoonup": "↼", "rightleftharpoons": "⇌", "leftrightharpoons": "⇋", "rightsquigarrow": "⇝",
    "leadsto": "⇝", "twoheadrightarrow": "↠", "nrightarrow": "↛", "nleftarrow": "↚", "lhd": "⊲", "rhd": "⊳",
    "unlhd": "⊴", "trianglelefteq": "⊴", "sqsubseteq": "⊑", "sqsupseteq": "⊒", "between": "≬", "colon": ":",
    "lt": "<", "gt": ">", "eqsim": "≂",
}  # fmt: skip

_NAMES: Final = """
    sin cos tan cot sec csc arcsin arccos arctan arccot sinh cosh tanh coth log ln lg exp lim max min
    sup inf det dim ker deg gcd lcm hom arg Pr mod sgn sign tr rank diag span Var Cov
"""
# Set with a space before what they apply to.
OPERATORS: Final = {
    "sum": "∑", "prod": "∏", "coprod": "∐", "int": "∫", "iint": "∬", "iiint": "∭", "oint": "∮",
    "bigcup": "⋃", "bigcap": "⋂", "bigvee": "⋁", "bigwedge": "⋀", "bigoplus": "⨁", "bigotimes": "⨂",
    "bigsqcup": "⨆", "biguplus": "⨄", "bigodot": "⨀", "limsup": "lim sup", "liminf": "lim inf",
    "injlim": "inj lim", "projlim": "proj lim", "argmax": "arg max", "argmin": "arg min",
} | {name: name for name in _NAMES.split()}  # fmt: skip

OPENING: Final = {
    "(": "(", "[": "[", "\\{": "{", "\\lbrace": "{", "\\langle": "⟨", "\\lfloor": "⌊", "\\lceil": "⌈",
    "\\lvert": "|", "\\lVert": "‖", "\\llbracket": "⟦", "\\lbrack": "[", "\\lgroup": "(",
}  # fmt: skip
CLOSING: Final = {
    ")": ")", "]": "]", "\\}": "}", "\\rbrace": "}", "\\rangle": "⟩", "\\rfloor": "⌋", "\\rceil": "⌉",
    "\\rvert": "|", "\\rVert": "‖", "\\rrbracket": "⟧", "\\rbrack": "]", "\\rgroup": ")",
}  # fmt: skip
BARS: Final = {"|": "|", "\\|": "‖", "\\vert": "|", "\\Vert": "‖"}

SPACES: Final = {
    ",": " ", ":": " ", ";": " ", ">": " ", " ": " ", "quad": "  ", "qquad": "   ", "enspace": " ",
    "thinspace": " ", "medspace": " ", "thickspace": " ", "space": " ", "!": "", "negthinspace": "",
    "hfill": " ",
}  # fmt: skip
# Commands that only say how something is drawn.
_DRAWING: Final = """
    displaystyle textstyle scriptstyle scriptscriptstyle limits nolimits nonumber notag centering left
    right middle big Big bigg Bigg bigl bigr Bigl Bigr biggl biggr Biggl Biggr bigm Bigm mathstrut strut
    hline cline toprule midrule bottomrule rm bf it cal sf tt boldmath normalsize small large Large /
    relax allowbreak
"""
IGNORED: Final = frozenset(_DRAWING.split())

# A mark over or under its argument.
ACCENTS: Final = {
    "hat": "\u0302", "widehat": "\u0302", "tilde": "\u0303", "widetilde": "\u0303", "bar": "\u0304",
    "vec": "\u20d7", "overrightarrow": "\u20d7", "overleftarrow": "\u20d6", "dot": "\u0307",
    "ddot": "\u0308", "dddot": "\u20db", "check": "\u030c", "breve": "\u0306", "acute": "\u0301",
    "grave": "\u0300", "mathring": "\u0325", "not": "\u0338",
}  # fmt: skip
LINES: Final = {
    "overline": "\u0305",
    "underline": "\u0332",
    "cancel": "\u0336",
    "bcancel": "\u0336",
    "sout": "\u0336",
}

# Arguments that are words and not formulas.
_WORDS: Final = """
    text textrm textbf textit textsf texttt textnormal textup mbox hbox operatorname operatorname*
    mathrm mathop ce label tag tag* ref eqref cite href url
"""
TEXTS: Final = frozenset(_WORDS.split())
_UNSEEN: Final = """
    label vspace hspace phantom hphantom vphantom color definecolor
"""
HIDDEN: Final = frozenset(_UNSEEN.split())
# Arguments shown as they are.
_UNCHANGED: Final = """
    mathbf mathit mathsf mathtt mathnormal boldsymbol bm pmb boxed fbox underbrace overbrace ensuremath
    mathbin mathrel mathord mathopen mathclose mathpunct mathinner substack smash displaylines pu si SI
    num
"""
PLAIN: Final = frozenset(_UNCHANGED.split())


def _alphabet(upper: int, lower: int | None, digits: int | None, exceptions: str) -> dict[str, str]:
    """A mathematical alphabet of Unicode; the letters it lacks stand elsewhere, given as pairs."""
    letters = {chr(ord("A") + index): chr(upper + index) for index in range(26)}
    if lower is not None:
        letters |= {chr(ord("a") + index): chr(lower + index) for index in range(26)}
    if digits is not None:
        letters |= {chr(ord("0") + index): chr(digits + index) for index in range(10)}
    return letters | dict(zip(exceptions[::2], exceptions[1::2], strict=True))


_SCRIPT: Final = _alphabet(0x1D49C, 0x1D4B6, None, "BℬEℰFℱHℋIℐLℒMℳRℛeℯgℊoℴ")
ALPHABETS: Final = {
    "mathbb": _alphabet(0x1D538, 0x1D552, 0x1D7D8, "CℂHℍNℕPℙQℚRℝZℤ"),
    "mathcal": _SCRIPT,
    "mathscr": _SCRIPT,
    "mathfrak": _alphabet(0x1D504, 0x1D51E, None, "CℭHℌIℑRℜZℨ"),
}

SUPERSCRIPTS: Final = dict(
    zip(
        "0123456789+−-=()abcdefghijklmnoprstuvwxyzABDEGHIJKLMNOPRTUVWβγδθφχ′∗*°",
        "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁻⁼⁽⁾ᵃᵇᶜᵈᵉᶠᵍʰⁱʲᵏˡᵐⁿᵒᵖʳˢᵗᵘᵛʷˣʸᶻᴬᴮᴰᴱᴳᴴᴵᴶᴷᴸᴹᴺᴼᴾᴿᵀᵁⱽᵂᵝᵞᵟᶿᵠᵡ′**°",
        strict=True,
    )
)
SUBSCRIPTS: Final = dict(
    zip("0123456789+−-=()aehijklmnoprstuvxβγρφχ", "₀₁₂₃₄₅₆₇₈₉₊₋₋₌₍₎ₐₑₕᵢⱼₖₗₘₙₒₚᵣₛₜᵤᵥₓᵦᵧᵨᵩᵪ", strict=True)
)

# Fences of a matrix by environment: left and right, each as (single row, top, middle, bottom).
FENCES: Final = {
    "pmatrix": ("(⎛⎜⎝", ")⎞⎟⎠"),
    "bmatrix": ("[⎡⎢⎣", "]⎤⎥⎦"),
    "Bmatrix": ("{⎧⎨⎩", "}⎫⎬⎭"),
    "vmatrix": ("||||", "||||"),
    "Vmatrix": ("‖‖‖‖", "‖‖‖‖"),
    "matrix": ("", ""),
    "smallmatrix": ("", ""),
    "array": ("", ""),
    "cases": ("{⎧⎨⎩", ""),
    "dcases": ("{⎧⎨⎩", ""),
}
