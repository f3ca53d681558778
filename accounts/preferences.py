"""What a person may choose in /settings: one entry here and one column of accounts.User make a preference."""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.utils.translation import gettext_lazy as _

from accounts.models import User


@dataclass(frozen=True, slots=True)
class Choice:
    """One value of a preference: the word a button carries, what the column holds, what a person reads."""

    key: str  # short ASCII
    value: Any
    words: Any


def _always(_choice: Choice) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Preference:
    """Something a person decides for themselves; `name` is its column, and its first choice the default."""

    name: str
    title: Any
    about: Any  # one sentence: what it does
    choices: tuple[Choice, ...]
    offers: Callable[[Choice], bool] = _always

    @property
    def offered(self) -> tuple[Choice, ...]:
        return tuple(choice for choice in self.choices if self.offers(choice))

    def chosen(self, user: User) -> Choice:
        """What stands in the person's row; the default when no choice says that any more."""
        value = getattr(user, self.name)
        return next((choice for choice in self.choices if choice.value == value), self.choices[0])

    def choice(self, key: str) -> Choice | None:
        """The choice of this key, if it is offered."""
        return next((choice for choice in self.offered if choice.key == key), None)


def _below_the_operators(choice: Choice) -> bool:
    """A cap of one's own at or above the operator's would never be met."""
    return choice.value is None or not settings.DAILY_CAP_USD or choice.value < settings.DAILY_CAP_USD


def _switch(*, on: Any, off: Any) -> tuple[Choice, Choice]:
    return Choice("off", False, off), Choice("on", True, on)


PREFERENCES: tuple[Preference, ...] = (
    Preference(
        "language",
        _("Language"),
        _("The language I speak with you. Answers come in the language of your question in any case."),
        (
            Choice("auto", "", _("as in Telegram")),
            # A language is called by its own name, in every language.
            *(Choice(code, code, name) for code, name in settings.LANGUAGES),
        ),
    ),
    Preference(
        "rendering",
        _("Formatting"),
        _(
            "Rich messages show tables and formulas natively, but some apps cannot show them yet. "
            "Classic messages can be read everywhere. Automatic is rich only where an answer needs it."
        ),
        (
            Choice("auto", User.Rendering.AUTO.value, _("automatic")),
            Choice("classic", User.Rendering.CLASSIC.value, _("classic")),
            Choice("rich", User.Rendering.RICH.value, _("rich")),
        ),
    ),
    Preference(
        "receipts",
        _("Receipts"),
        _("A line below each answer that says what it cost and what you have left."),
        _switch(on=_("below each answer"), off=_("not shown")),
    ),
    Preference(
        "transcripts",
        _("Transcripts"),
        _("What I heard in your voice note, folded above the answer."),
        _switch(on=_("shown"), off=_("hidden"))[::-1],
    ),
    Preference(
        "live_drafts",
        _("Live answers"),
        _(
            "You see an answer while it is written. Without, it arrives once and whole, which suits screen readers."
        ),
        _switch(on=_("shown as they grow"), off=_("only when complete"))[::-1],
    ),
    Preference(
        "daily_cap",
        _("Daily limit"),
        _("The most you want to spend in a day. Once it is reached I wait until midnight UTC."),
        (
            Choice("none", None, _("no limit of your own")),
            *(Choice(amount, Decimal(amount), f"${amount}") for amount in ("0.50", "1.00", "5.00")),
        ),
        offers=_below_the_operators,
    ),
    Preference(
        "retention",
        _("How long conversations are kept"),
        _(
            "A conversation in which nothing was said for this long is erased whole, with its files. "
            "What you paid stays on record."
        ),
        (
            Choice("ever", None, _("until you erase them")),
            Choice("30", 30, _("30 days")),
            Choice("7", 7, _("7 days")),
        ),
    ),
)


def preference(name: str) -> Preference | None:
    return next((entry for entry in PREFERENCES if entry.name == name), None)
