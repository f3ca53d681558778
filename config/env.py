"""Reading settings from the environment: strict, from NAME or NAME_FILE, refused in one sentence."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from urllib.parse import urlsplit

import environ
from django.core.exceptions import ImproperlyConfigured
from environ.fileaware_mapping import FileAwareMapping

PORT_MAX = 65_535
# Digits, a colon, 35 characters: what @BotFather hands out.
BOT_TOKEN = re.compile(r"\d{6,}:[\w-]{35}")
# A model of a server of one's own, such as qwen3:32b@32768+images.
SERVED_MODEL = re.compile(
    r"(?P<id>[^\s,@+]+)(@(?P<window>\d{1,9}))?(?P<flags>(\+(images|notools))*)", re.ASCII
)
SERVED_WINDOW = 32_768  # tokens, when the entry does not say
SERVED_WINDOW_MIN = 4_096  # below this our own instructions and tools leave no room
TRUE = frozenset({"true", "yes", "on", "1"})
FALSE = frozenset({"false", "no", "off", "0"})


@dataclass(frozen=True, slots=True)
class ServedModel:
    """A model that a server of the operator's choice offers, as its entry in OPENAI_MODELS says."""

    id: str
    window: int  # tokens, input and output together
    images: bool  # reads images
    tools: bool  # takes tools


class Environment(environ.FileAwareEnv):  # type: ignore[misc]
    """django-environ with strict casts; an empty value counts as unset.

    `names` gathers every variable asked for, so that .env.example can be compared with it.
    """

    def __init__(self, root: Path) -> None:
        super().__init__()
        self.ENVIRON = FileAwareMapping(_with_env_file(root / os.environ.get("ENV_FILE", ".env")))
        self.names: set[str] = {"ENV_FILE"}

    def text(self, name: str, default: str = "") -> str:
        self.names.add(name)
        try:
            # Past django-environ's own get_value, which takes "$…" for the name of another variable.
            value = str(self.ENVIRON.get(name, "")).strip()
        except (OSError, UnicodeDecodeError) as error:
            raise ImproperlyConfigured(f"{name}_FILE names a file that cannot be read: {error}.") from error
        return value or default

    def flag(self, name: str, *, default: bool) -> bool:
        value = self.text(name).lower()
        if not value:
            return default
        if value not in TRUE | FALSE:
            raise ImproperlyConfigured(f"{name} must be true or false, not {value!r}.")
        return value in TRUE

    def whole(self, name: str, default: int, *, least: int, most: int) -> int:
        value = self.text(name, str(default))
        if not re.fullmatch(r"-?\d{1,12}", value, re.ASCII) or not least <= int(value) <= most:
            raise ImproperlyConfigured(
                f"{name} must be a whole number from {least} to {most}, not {value!r}."
            )
        return int(value)

    def port(self, name: str, default: int) -> int:
        return self.whole(name, default, least=1, most=PORT_MAX)

    def dollars(self, name: str, default: str) -> Decimal:
        """US dollars as an exact decimal, never negative."""
        value = self.text(name, default)
        try:
            amount = Decimal(value)
        except InvalidOperation:
            amount = Decimal("NaN")
        if not amount.is_finite() or amount < 0:
            raise ImproperlyConfigured(
                f"{name} must be an amount in dollars such as {default}, not {value!r}."
            )
        return amount

    def percent(self, name: str, default: str, *, most: int) -> Decimal:
        """A share as an exact decimal from 0 to `most`, with at most four places."""
        value = self.text(name, default)
        if not re.fullmatch(r"\d{1,4}(\.\d{1,4})?", value, re.ASCII) or Decimal(value) > most:
            raise ImproperlyConfigured(
                f"{name} must be a percentage from 0 to {most} such as 12.5, not {value!r}."
            )
        return Decimal(value)

    def choice(self, name: str, default: str, among: tuple[str, ...]) -> str:
        value = self.text(name, default)
        if value not in among:
            raise ImproperlyConfigured(f"{name} must be one of {', '.join(among)}, not {value!r}.")
        return value

    def listing(self, name: str, default: str = "") -> list[str]:
        return [item.strip() for item in self.text(name, default).split(",") if item.strip()]

    def served_models(self, name: str) -> tuple[ServedModel, ...]:
        """Models by `id@window+images+notools`, all but the id optional, with commas between."""
        models = {}
        for item in self.listing(name):
            found = SERVED_MODEL.fullmatch(item)
            if not found or int(found["window"] or SERVED_WINDOW) < SERVED_WINDOW_MIN:
                raise ImproperlyConfigured(
                    f"{name} lists models as id, id@window or id@window+images+notools, with a window of "
                    f"at least {SERVED_WINDOW_MIN} tokens, not {item!r}."
                )
            flags = found["flags"].split("+")
            window = int(found["window"] or SERVED_WINDOW)
            if found["id"] in models:
                raise ImproperlyConfigured(f"{name} names {found['id']} twice.")
            models[found["id"]] = ServedModel(found["id"], window, "images" in flags, "notools" not in flags)
        return tuple(models.values())

    def address(self, name: str, default: str = "", *, schemes: tuple[str, ...]) -> str:
        """A URL of one of `schemes`; the refusal never repeats it, for it may hold a password."""
        value = self.text(name, default)
        if value and not _is_url(value, schemes):
            raise ImproperlyConfigured(f"{name} must be a URL that begins with {' or '.join(schemes)}://.")
        return value.rstrip("/") if schemes == ("https", "http") else value

    def bot_token(self, name: str) -> str:
        value = self.text(name)
        if value and not BOT_TOKEN.fullmatch(value):
            raise ImproperlyConfigured(
                f"{name} does not look like a bot token: @BotFather gives digits, a colon and 35 characters."
            )
        return value


def _with_env_file(path: Path) -> Mapping[str, str]:
    """The environment over the file: a variable set outside hides NAME and NAME_FILE of the file."""

    class File(environ.Env):  # type: ignore[misc]
        ENVIRON: dict[str, str] = {}

    if path.is_file():
        File.read_env(str(path))
    merged = dict(os.environ)
    for name, value in File.ENVIRON.items():
        stem = name.removesuffix("_FILE")
        if not os.environ.get(stem) and not os.environ.get(f"{stem}_FILE"):
            merged[name] = value
    return merged


def _is_url(value: str, schemes: tuple[str, ...]) -> bool:
    try:
        parts = urlsplit(value)
        _ = parts.port
    except ValueError:
        return False
    return parts.scheme in schemes and bool(parts.netloc or parts.path.strip("/"))
