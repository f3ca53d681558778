"""How the demo model shows its tools: which call a plain wish asks for, and what it says to the result."""

import re
from dataclasses import dataclass
from typing import Any

from conversations.parts import ToolResult

Call = tuple[str, dict[str, Any]]

SHOWN_MAX = 1_500  # characters of a result that are repeated
QUESTION_MAX = 500  # characters of the person's words that go along as the question

ADDRESS = re.compile(r"https?://[^\s<>()\"']+")
FILE_ID = re.compile(r"\bf_[a-z0-9]{4}\b")
LOOK = re.compile(
    r"(picture|photo|image|pdf|картинк|фото|изображени).*\?|analy[sz]e|проанализируй", re.IGNORECASE
)
PREVIEW = re.compile(r"preview|look into|what is in (the|this|my) file|загляни|что в файле", re.IGNORECASE)
DELIVER = re.compile(r"\b(send|deliver)\b.*\b(file|it|back)\b|пришли|верни файл|отправь файл", re.IGNORECASE)
COST = re.compile(r"\bcosts?\b|how much|сколько.*сто(ит|ят)", re.IGNORECASE)
PAGE = re.compile(r"web ?page|\bweb\b|веб-?страниц|страниц[уы] в интернете", re.IGNORECASE)

NO_FILE = {
    "en": "There is no file in this conversation yet. Send one, or ask for *the quadratic formula*, which makes one.",
    "ru": "В этой беседе ещё нет файлов. Пришлите файл или попросите *формулу корней квадратного уравнения*.",
}
BEFORE = {
    "analyze_image": {"en": "I have somebody look at the picture:", "ru": "Попрошу взглянуть на картинку:"},
    "analyze_pdf": {"en": "I have somebody read the PDF:", "ru": "Попрошу прочитать PDF:"},
    "preview_file": {"en": "I look into the file:", "ru": "Загляну в файл:"},
    "deliver_file": {"en": "Here is the file:", "ru": "Вот файл:"},
    "cost_estimator": {"en": "I work out what that would cost:", "ru": "Посчитаю, сколько это будет стоить:"},
    "web_fetch": {"en": "I read the page:", "ru": "Прочитаю страницу:"},
}
FAILED = {"en": "That did not work:", "ru": "Не получилось:"}
SENT = {"en": "Sent.", "ru": "Отправлено."}
CANNED = {
    "en": "(Canned by the demo model, which sees nothing.) I was shown {file} and asked: {question}",
    "ru": "(Заготовка демо-модели, которая ничего не видит.) Мне показали {file} и спросили: {question}",
}


@dataclass(frozen=True, slots=True)
class Known:
    """What the demo may name in a call: the conversation's files, newest last, and a page to read."""

    files: tuple[tuple[str, str], ...] = ()  # (id, name)
    page: str = ""


def wanted(question: str, tools: frozenset[str], known: Known) -> str:
    """The tool that a wish in plain words asks for, or nothing."""
    named = next((name for name in sorted(tools) if name in question), "")
    asked = (
        ("cost_estimator", COST.search(question)),
        ("web_fetch", ADDRESS.search(question) or (known.page and PAGE.search(question))),
        ("preview_file", PREVIEW.search(question)),
        ("deliver_file", DELIVER.search(question)),
        (_look(known), LOOK.search(question)),
        (named, named in BEFORE),
    )
    return next((name for name, wish in asked if wish and name in tools), "")


def call_of(name: str, question: str, tools: frozenset[str], known: Known) -> Call | None:
    """The call of a wanted tool; None when there is no file for it."""
    match name:
        case "cost_estimator":
            priced = next(
                (each for each in sorted(tools) if each in question and each != name), "analyze_image"
            )
            file = {"file_id": "f_0000", "question": "?"} if priced.startswith("analyze") else {}
            return name, {"tool": priced, **({"arguments": file} if file else {})}
        case "web_fetch":
            found = ADDRESS.search(question)
            return name, {"url": found.group().rstrip(".,;:!?") if found else known.page}
    named = FILE_ID.search(question)
    if not known.files and not named:
        return None
    file_id = named.group() if named else known.files[-1][0]
    asks = {"question": question[:QUESTION_MAX]} if name.startswith("analyze") else {}
    return name, {"file_id": file_id, **asks}


def after(question: str, result: ToolResult, language: str, known: Known) -> tuple[str, Call | None]:
    """What to say when a call has come back, and the call that follows: who wanted a look and the file gets both."""
    if result.is_error:
        return f"{FAILED[language]}\n\n{_quoted(result.text)}", None
    if result.name == "deliver_file":
        return SENT[language], None
    words = _quoted(result.text)
    if result.name == "preview_file" and DELIVER.search(question):
        return f"{words}\n\n{BEFORE['deliver_file'][language]}", call_of(
            "deliver_file", question, frozenset(), known
        )
    return words, None


def seen(file: str, question: str, language: str) -> str:
    """What the demo says of a picture, which it cannot see."""
    return CANNED[language].format(file=file, question=question)


def _look(known: Known) -> str:
    newest = known.files[-1][1].lower() if known.files else ""
    return "analyze_pdf" if newest.endswith(".pdf") else "analyze_image"


def _quoted(text: str) -> str:
    shown = text[:SHOWN_MAX] + ("…" if len(text) > SHOWN_MAX else "")
    return "\n".join(f"> {line}" for line in shown.splitlines())
