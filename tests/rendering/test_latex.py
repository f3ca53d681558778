"""Formulas as text."""

from __future__ import annotations

import pytest

from telegram_bot.rendering.latex import to_unicode


@pytest.mark.parametrize(
    ("tex", "shown"),
    [
        ("E = mc^2", "E = mc²"),
        ("a=b+c", "a = b + c"),
        ("x = -1", "x = −1"),
        ("x_{i}^{n+1}", "xᵢⁿ⁺¹"),
        ("x_{max}", "xₘₐₓ"),
        ("x_{i,j}", "x_(i,j)"),
        ("e^{i\\pi}", "e^(iπ)"),
        ("90^\\circ", "90°"),
        ("f'(x)", "f′(x)"),
        ("\\frac{1}{2}", "½"),
        ("\\frac{a}{b}", "a/b"),
        ("\\frac{a+b}{2c}", "(a + b)/(2c)"),
        ("\\frac{\\frac{a}{b}}{c}", "(a/b)/c"),
        ("\\frac12", "½"),
        ("\\sqrt{2}", "√2"),
        ("\\sqrt[3]{x+1}", "³√(x + 1)"),
        ("\\sum_{i=1}^{n} i^2", "∑ᵢ₌₁ⁿ i²"),
        ("\\int_0^\\infty f(x)\\,dx", "∫₀^∞ f(x) dx"),
        ("\\lim_{x \\to 0} \\frac{\\sin x}{x}", "lim_(x→0) (sin x)/x"),
        ("\\alpha \\in \\mathbb{R}^n", "α ∈ ℝⁿ"),
        ("\\mathcal{L}", "ℒ"),
        ("P(A \\mid B)", "P(A | B)"),
        ("\\vec{E} \\cdot \\hat{n}", "E\u20d7 · n\u0302"),
        ("a \\not= b", "a ≠ b"),
        ("\\text{if } x > 0", "if x > 0"),
        ("\\operatorname{softmax}(x)", "softmax(x)"),
        ("\\left( \\frac{a}{b} \\right)^2", "(a/b)²"),
        ("\\left. x \\right|_0", "x|₀"),
        ("3{,}000", "3,000"),
        ("50\\%", "50%"),
        ("a \\equiv b \\pmod{n}", "a ≡ b (mod n)"),
        ("A \\xrightarrow{heat} B", "A —heat→ B"),
        ("\\binom{n}{k}", "C(n, k)"),
        ("\\ce{2H2 + O2 -> 2H2O}", "2H₂ + O₂ → 2H₂O"),
        ("\\begin{pmatrix} a & b \\\\ c & d \\end{pmatrix}", "(a b; c d)"),
    ],
)
def test_a_formula_reads_as_it_is_written_by_hand(tex: str, shown: str) -> None:
    assert to_unicode(tex) == shown


def test_an_unknown_command_is_shown_by_its_name() -> None:
    assert to_unicode("\\foo{x} + 1") == "foo x + 1"


@pytest.mark.parametrize(
    "tex", ["\\frac{1}", "x^", "_", "{{{x", "}}x", "\\begin{cases} x", "\\left(", "\\sqrt[3", "&\\\\&"]
)
def test_a_broken_formula_is_no_error(tex: str) -> None:
    assert to_unicode(tex).count("x") == tex.count("x")


def test_words_taken_for_math_stay_apart() -> None:
    assert to_unicode("5 and then some words") == "5 and then some words"


def test_a_matrix_is_drawn_on_its_lines() -> None:
    shown = to_unicode("A = \\begin{pmatrix} 1 & 2 \\\\ 30 & 4 \\end{pmatrix}", display=True)
    assert shown == "A = ⎛ 1   2 ⎞\n    ⎝ 30  4 ⎠"


def test_cases_have_one_brace() -> None:
    shown = to_unicode(
        "f = \\begin{cases} 1 & x > 0 \\\\ 0 & x = 0 \\\\ -1 & x < 0 \\end{cases}", display=True
    )
    assert shown == "    ⎧ 1   x > 0\nf = ⎨ 0   x = 0\n    ⎩ −1  x < 0"


def test_an_alignment_lines_its_signs_up() -> None:
    shown = to_unicode("\\begin{align} a + b &= c \\\\ &= d \\end{align}", display=True)
    assert shown == "a + b = c\n      = d"


def test_ten_thousand_braces_are_no_recursion_too_deep() -> None:
    assert to_unicode("{" * 10_000 + "x" + "}" * 10_000) == "x"
    assert to_unicode("\\frac{" * 3_000 + "x").count("x") == 1
    assert "x" in to_unicode("x" + "^{x" * 3_000)
