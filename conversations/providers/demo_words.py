"""What the demo model says, in English and Russian: pure texts, chosen by words in the question."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from conversations.parts import ToolResult
from conversations.providers import demo_python, demo_tools
from conversations.providers.demo_long import long_answer
from conversations.providers.demo_tools import Known

CYRILLIC = re.compile(r"[а-яё]", re.IGNORECASE)
FORMULA_TOOL = "render_latex"


@dataclass(frozen=True, slots=True)
class Saying:
    """One step of the demo: thinking, words, and perhaps one tool to call after them."""

    text: str
    thinking: str = ""
    call: demo_tools.Call | None = None


@dataclass(frozen=True, slots=True)
class Topic:
    """Something the demo can talk about: the words that call for it, and what it says in each language.

    With a formula the text is said before it is drawn and `after` when its picture came; without the
    tool both are said at once, with the formula between them as LaTeX.
    """

    asked: re.Pattern[str]
    text: dict[str, str]
    thinking: dict[str, str]
    formula: str = ""
    after: dict[str, str] | None = None


RAYLEIGH = (
    r"I = I_0 \, \frac{1 + \cos^2\theta}{2R^2} \left(\frac{2\pi}{\lambda}\right)^{4}"
    r" \left(\frac{n^2 - 1}{n^2 + 2}\right)^{2} \left(\frac{d}{2}\right)^{6}"
)
QUADRATIC = r"x = \frac{-b \pm \sqrt{b^2 - 4ac}}{2a}"

HONEST = {
    "en": "*This is the demo model: what I say is written beforehand. Set `ANTHROPIC_API_KEY` to talk to Claude.*\n\n",
    "ru": "*Это демо-модель: мои ответы написаны заранее. Чтобы говорить с Claude, задайте `ANTHROPIC_API_KEY`.*\n\n",
}

CODE = '''```python
def primes(limit: int) -> list[int]:
    """Every prime below the limit, by the sieve of Eratosthenes."""
    is_prime = [False, False] + [True] * (limit - 2)
    for number in range(2, int(limit**0.5) + 1):
        if is_prime[number]:
            is_prime[number * number :: number] = [False] * len(is_prime[number * number :: number])
    return [number for number in range(limit) if is_prime[number]]


print(primes(30))  # [2, 3, 5, 7, 11, 13, 17, 19, 23, 29]
```'''

TOPICS = (
    Topic(
        re.compile(r"\bsky\b|\bнеб[оа]\b|rayleigh|рэле[йя]", re.IGNORECASE),
        {
            "en": "**The sky is blue because air scatters blue light far more than red.**\n\n"
            "1. Sunlight holds every colour, from violet (about 400 nm) to red (about 700 nm).\n"
            "2. The molecules of air are much smaller than these waves, so they scatter short waves strongly "
            "and long ones weakly: *Rayleigh scattering*.\n"
            "3. Blue light therefore comes to your eye from every part of the sky, while red goes straight on.\n\n"
            "How strong the scattered light is says this formula:\n\n",
            "ru": "**Небо голубое, потому что воздух рассеивает синий свет гораздо сильнее красного.**\n\n"
            "1. В солнечном свете есть все цвета: от фиолетового (около 400 нм) до красного (около 700 нм).\n"
            "2. Молекулы воздуха намного меньше этих волн, поэтому короткие волны они рассеивают сильно, "
            "а длинные слабо: это *рэлеевское рассеяние*.\n"
            "3. Синий свет приходит к глазу со всех сторон неба, а красный идёт прямо.\n\n"
            "Насколько ярок рассеянный свет, говорит эта формула:\n\n",
        },
        {
            "en": "The question is about Rayleigh scattering. I explain it in three steps, then show the formula.",
            "ru": "Вопрос о рэлеевском рассеянии. Объясню в трёх шагах, затем покажу формулу.",
        },
        RAYLEIGH,
        {
            "en": "Here `λ` is the wavelength and `d` the size of the particle. The fourth power decides: blue "
            "light (450 nm) is scattered about **4.4 times** as strongly as red (650 nm), since "
            "(650 / 450)⁴ ≈ 4.4.\n\nAt sunset the light crosses so much air that the blue is lost on the way, "
            "and red is what is left. 🌅",
            "ru": "Здесь `λ` — длина волны, `d` — размер частицы. Всё решает четвёртая степень: синий свет "
            "(450 нм) рассеивается примерно в **4,4 раза** сильнее красного (650 нм), ведь "
            "(650 / 450)⁴ ≈ 4,4.\n\nНа закате свет проходит столько воздуха, что синий теряется по дороге, "
            "и остаётся красный. 🌅",
        },
    ),
    Topic(
        re.compile(r"quadratic|квадратн|formula|формул", re.IGNORECASE),
        {
            "en": "The roots of a quadratic equation `ax² + bx + c = 0` are:\n\n",
            "ru": "Корни квадратного уравнения `ax² + bx + c = 0`:\n\n",
        },
        {
            "en": "A formula is asked for; the quadratic one is known to everybody. A picture shows it best.",
            "ru": "Нужна формула; квадратную знают все. Лучше показать её картинкой.",
        },
        QUADRATIC,
        {
            "en": "What stands under the root, `D = b² − 4ac`, decides how many there are:\n\n"
            "- `D > 0`: two real roots\n- `D = 0`: one, counted twice\n- `D < 0`: none among the real numbers",
            "ru": "Сколько корней, решает выражение под корнем, `D = b² − 4ac`:\n\n"
            "- `D > 0`: два действительных корня\n- `D = 0`: один, двойной\n"
            "- `D < 0`: действительных корней нет",
        },
    ),
    Topic(
        re.compile(r"\bcode\b|\bpython\b|program|function|\bкод|программ|питон|функци", re.IGNORECASE),
        {
            "en": f"Here is a small program, the sieve of Eratosthenes:\n\n{CODE}\n\n"
            "It crosses out the multiples of each prime, starting at its square, because every smaller "
            "multiple was crossed out already. About `n log log n` steps, so a million takes a moment.",
            "ru": f"Вот небольшая программа, решето Эратосфена:\n\n{CODE}\n\n"
            "Она вычёркивает кратные каждого простого числа, начиная с его квадрата: меньшие кратные уже "
            "вычеркнуты. Это около `n log log n` шагов, так что миллион считается мгновенно.",
        },
        {
            "en": "Code is asked for. A sieve is short and useful.",
            "ru": "Нужен код. Решето короткое и полезное.",
        },
    ),
    Topic(
        re.compile(r"\btable\b|таблиц", re.IGNORECASE),
        {
            "en": "The inner planets, side by side:\n\n"
            "| Planet | Distance from the Sun, million km | Year, days | Moons |\n"
            "|:--|--:|--:|--:|\n"
            "| Mercury | 57.9 | 88 | 0 |\n| Venus | 108.2 | 225 | 0 |\n"
            "| Earth 🌍 | 149.6 | 365 | 1 |\n| Mars | 227.9 | 687 | 2 |\n\n"
            "The farther out, the longer the year: Kepler's third law.",
            "ru": "Внутренние планеты рядом:\n\n"
            "| Планета | Расстояние от Солнца, млн км | Год, сутки | Спутники |\n"
            "|:--|--:|--:|--:|\n"
            "| Меркурий | 57,9 | 88 | 0 |\n| Венера | 108,2 | 225 | 0 |\n"
            "| Земля 🌍 | 149,6 | 365 | 1 |\n| Марс | 227,9 | 687 | 2 |\n\n"
            "Чем дальше, тем длиннее год: третий закон Кеплера.",
        },
        {"en": "A table of the planets has few rows and clear numbers.", "ru": "Таблица планет: мало строк."},
    ),
    Topic(
        re.compile(r"^\W*(hi|hello|hey|good (morning|day|evening)|привет|здравствуй|добр)", re.IGNORECASE),
        {
            "en": "Hello! 👋 Ask me *why the sky is blue*, for *the quadratic formula*, *some code*, *a table* or "
            "*a long answer*.",
            "ru": "Здравствуйте! 👋 Спросите, *почему небо голубое*, или попросите *формулу корней квадратного "
            "уравнения*, *код*, *таблицу* или *длинный ответ*.",
        },
        {"en": "A greeting. I greet back.", "ru": "Это приветствие. Поздороваюсь."},
    ),
)

LONG = re.compile(r"\blong\b|\blengthy\b|длинн|подробн", re.IGNORECASE)
LONG_THINKING = {
    "en": "A long answer is wanted: a walk through the whole numbers, with every kind of formatting.",
    "ru": "Нужен длинный ответ: прогулка по натуральным числам со всеми видами оформления.",
}
UNKNOWN = {
    "en": "You wrote:\n\n> {question}\n\nI would need a real model to answer that. What I have ready: *why the sky is "
    "blue*, *the quadratic formula*, *some code*, *a table*, *a long answer*.",
    "ru": "Вы написали:\n\n> {question}\n\nЧтобы ответить на это, нужна настоящая модель. У меня готово: *почему небо "
    "голубое*, *формула корней квадратного уравнения*, *код*, *таблица*, *длинный ответ*.",
}
UNKNOWN_THINKING = {"en": "Nothing in my script fits this.", "ru": "В моём сценарии такого нет."}
TOOL_FAILED = {
    "en": "The formula could not be drawn, so here it is as LaTeX:\n\n",
    "ru": "Нарисовать формулу не удалось, поэтому вот она в LaTeX:\n\n",
}
NOTHING_LEFT = {"en": "That was all.", "ru": "Это всё."}
DEMO = {"en": "Demo:", "ru": "Демо:"}
TITLE_WORDS = 5  # beside the word that says it is the demo's
NO_SUMMARY = {
    "en": "The demo model cannot sum up. The conversation ended with these words:",
    "ru": "Демо-модель не умеет пересказывать. Беседа закончилась так:",
}
SUMMARY_SHOWN = 4_000  # characters of a conversation's end that stand for it
QUESTION_SHOWN = 300  # characters of an unknown question that are repeated


def answer(question: str, tools: frozenset[str], known: Known, *, first: bool) -> Saying:
    """What to say to a question; `first` when nothing was answered in this conversation yet."""
    language = _language(question)
    if name := demo_tools.wanted(question, tools, known):
        call = demo_tools.call_of(name, question, tools, known)
        saying = Saying((demo_tools.BEFORE[name] if call else demo_tools.NO_FILE)[language], call=call)
    else:
        saying = _on_topic(question, language, tools)
    return replace(saying, text=HONEST[language] + saying.text) if first else saying


def after(question: str, result: ToolResult, known: Known) -> Saying:
    """What to say when the tool it called has come back."""
    language = _language(question)
    if result.name in demo_tools.BEFORE:
        text, call = demo_tools.after(question, result, language, known)
        return Saying(text, call=call)
    if result.name == demo_python.PYTHON_TOOL:
        return Saying(demo_python.told(question, result, language))
    topic = _topic(question)
    if topic is None or topic.after is None:
        return Saying(NOTHING_LEFT[language])
    if result.is_error:
        return Saying(f"{TOOL_FAILED[language]}$${topic.formula}$$\n\n{topic.after[language]}")
    return Saying(topic.after[language])


def nothing_left(question: str) -> str:
    """Said when asked to go on with an answer that was whole."""
    return NOTHING_LEFT[_language(question)]


def about(purpose: str, told: Sequence[str]) -> Saying:
    """A title or a summary, as far as a script can give one: made of the person's own words, and saying so."""
    if purpose == "title":
        words = told[0].partition("\n")[2].split()[:TITLE_WORDS]
        return Saying(f"{DEMO[_language(told[0])]} {' '.join(words)}")
    if purpose == "look":
        return Saying(demo_tools.seen(told[0], told[-1], _language(told[-1])))
    language = _language(told[-1][-SUMMARY_SHOWN:])
    return Saying(f"{NO_SUMMARY[language]}\n\n{told[-1][-SUMMARY_SHOWN:]}")


def _on_topic(question: str, language: str, tools: frozenset[str]) -> Saying:
    if LONG.search(question):
        return Saying(long_answer(language), LONG_THINKING[language])
    if demo_python.PYTHON_TOOL in tools and (code := demo_python.program(question)):
        call = (demo_python.PYTHON_TOOL, {"code": code})
        return Saying(demo_python.BEFORE[language], demo_python.THINKING[language], call)
    topic = _topic(question)
    if topic is None:
        shown = " ".join(question.split())[:QUESTION_SHOWN]
        return Saying(UNKNOWN[language].replace("{question}", shown), UNKNOWN_THINKING[language])
    text, thinking = topic.text[language], topic.thinking[language]
    if topic.after is None:
        return Saying(text, thinking)
    if FORMULA_TOOL in tools:
        return Saying(text.rstrip(), thinking, (FORMULA_TOOL, {"latex": topic.formula}))
    return Saying(f"{text}$${topic.formula}$$\n\n{topic.after[language]}", thinking)


def _topic(question: str) -> Topic | None:
    return next((topic for topic in TOPICS if topic.asked.search(question)), None)


def _language(question: str) -> str:
    return "ru" if CYRILLIC.search(question) else "en"
