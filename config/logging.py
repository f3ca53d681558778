"""Logs: one line per event, the same form for our events and every library's, and no secret in any."""

import json
import logging
import logging.config
import re
import sys
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any, TextIO
from urllib.parse import quote, urlsplit

import structlog

MASK = "[redacted]"
# The shapes of the keys this program meets: a bot token, Anthropic and OpenAI, Google, E2B.
SECRET_SHAPES = re.compile(
    r"\d{6,}:[\w-]{35}|sk-ant-[\w-]{8,}|\bsk-[\w-]{16,}|AIza[\w-]{30,}|\be2b_[\da-f]{40}"
)
URL_PASSWORD = re.compile(r"(?P<before>\w://[^\s:/@]*:)[^\s/@]+(?=@)")
SECRET_LENGTH_MIN = 6  # a shorter "secret" would black out ordinary words
# They say at INFO what we say in our own events or what happens every few seconds, or put whole requests
# into DEBUG lines.
QUIET = (
    "httpx",
    "httpx2",
    "httpcore",
    "httpcore2",
    "anthropic",
    "openai",
    "google_genai",
    "asyncio",
    "celery.app.trace",
    "celery.beat",
    "celery.worker.strategy",
    "uvicorn.access",
    "markdown_it",
)
# Whoever scans the internet for hosts is refused, and not worth a traceback each time.
SILENT = ("django.security.DisallowedHost",)

Redact = Callable[[str], str]


def configure(options: Mapping[str, Any]) -> None:
    """Django's LOGGING_CONFIG: `format` console or json, `level`, and the `secrets` to keep out."""
    redact = redactor(options["secrets"])
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        # A person reads the clock on the wall, a machine reads UTC.
        structlog.processors.TimeStamper(fmt="iso")
        if options["format"] == "json"
        else structlog.processors.TimeStamper(fmt="%H:%M:%S", utc=False),
    ]
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[*shared, structlog.stdlib.ExtraAdder(), _in_one_line],
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            *_renderers(options["format"]),
            # Last, over the finished line: no field, repr or traceback comes past it.
            lambda _logger, _method, line: redact(str(line)),
        ],
    )
    handler = StandardError()
    handler.setFormatter(formatter)
    _own_every_logger(handler, options["level"])
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    sys.excepthook = _log_uncaught
    threading.excepthook = _log_uncaught_in_thread


class StandardError(logging.StreamHandler[TextIO]):
    """Writes to whatever sys.stderr is at the moment of writing; it is replaced under a test, for one."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)

    @property
    def stream(self) -> TextIO:  # type: ignore[override]
        return sys.stderr


def redactor(secrets: Iterable[str]) -> Redact:
    """What replaces every configured secret, and everything shaped like one, in a line of text."""
    forms = {form for secret in secrets if len(secret) >= SECRET_LENGTH_MIN for form in _forms(secret)}
    known = re.compile("|".join(re.escape(form) for form in sorted(forms, key=len, reverse=True)) or r"(?!)")

    def redact(line: str) -> str:
        line = known.sub(MASK, line)
        line = SECRET_SHAPES.sub(MASK, line)
        return URL_PASSWORD.sub(rf"\g<before>{MASK}", line)

    return redact


def secrets_of(*values: str) -> Sequence[str]:
    """The secret part of each value: the password of a URL, the whole of anything else."""
    return [password for value in values if (password := _secret_part(value))]


def _secret_part(value: str) -> str:
    return (urlsplit(value).password or "") if "://" in value else value


def _forms(secret: str) -> set[str]:
    """A secret as it stands in plain text, in a URL and in a repr, and each of these in JSON."""
    plain = {secret, quote(secret), quote(secret, safe=""), repr(secret)[1:-1], repr(secret.encode())[2:-1]}
    return plain | {json.dumps(form, ensure_ascii=ascii)[1:-1] for form in plain for ascii in (True, False)}


def _renderers(form: str) -> list[structlog.typing.Processor]:
    if form == "json":
        return [
            structlog.processors.format_exc_info,
            structlog.processors.EventRenamer("event"),
            structlog.processors.JSONRenderer(ensure_ascii=False, default=repr),
        ]
    return [
        structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(),
            # Plain: the richer ones print local variables, and with them people's words.
            exception_formatter=structlog.dev.plain_traceback,
        )
    ]


def _in_one_line(_logger: Any, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Python's warnings come with a line of source, uvicorn's words twice, the second time in colour."""
    event.pop("color_message", None)
    if event.get("logger") == "py.warnings":
        event["event"] = " ".join(str(event["event"]).split())
    return event


def _own_every_logger(handler: logging.Handler, level: str) -> None:
    """One handler at the root; what a library hung up for itself comes down."""
    logging.captureWarnings(capture=True)
    logging.root.handlers[:] = [handler]
    logging.root.setLevel(level)
    for name in list(logging.root.manager.loggerDict):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
        if name.startswith(("django", "uvicorn")):
            logger.setLevel(logging.NOTSET)
    for name in SILENT:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    for name in QUIET:
        logging.getLogger(name).setLevel(max(logging.WARNING, logging.getLevelName(level)))


def _log_uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        return
    structlog.get_logger("starling").critical("uncaught", exc_info=(kind, error, trace))


def _log_uncaught_in_thread(args: threading.ExceptHookArgs) -> None:
    if args.exc_value is not None and not isinstance(args.exc_value, SystemExit):
        _log_uncaught(args.exc_type, args.exc_value, args.exc_traceback)
