"""What stands below an answer: the sentence for a failure, a notice, a receipt, and their buttons."""

from dataclasses import dataclass

from accounts.services import language_of
from config.patience import patiently
from conversations.models import Turn
from conversations.providers import models
from conversations.receipts import Receipt, is_worth_a_look, receipt_of
from telegram_bot.keyboards import OFFERS, Option, PayPress, ReceiptPress, RetryPress, choose
from telegram_bot.outgoing import Words
from telegram_bot.presses import seal_for
from telegram_bot.texts import failure as failure_words
from telegram_bot.texts import say
from tools.catalog import tools

# A second try at the same question may end otherwise; for the rest a button would only disappoint.
RETRYABLE = frozenset(
    {"overloaded", "limited", "timeout", "cut", "crashed", "interrupted", "empty", "no_funds", "used_up"}
    | {"too_many_turns", "daily_cap", "key", "bad_request", "no_price", "long"}
)
USED_UP = frozenset({"no_funds", "used_up"})  # said louder than "it is low"


@dataclass(frozen=True, slots=True)
class Ending:
    """How a turn ended, for its person."""

    turn: Turn  # with user at hand
    failure: str = ""  # a key of templates/bot/failure.md
    nothing: str = ""  # the sentence when there was no answer: stopped or empty
    receipt: Receipt | None = None
    details: bool = False
    in_public: bool = False  # what somebody has and spends is nobody else's

    @property
    def shows_receipt(self) -> bool:
        return (
            self.receipt is not None
            and self.receipt.cost > 0
            and not self.in_public
            and (self.turn.user.receipts or self.details)
        )


async def words_below(
    turn: Turn, failure: str, *, nothing: str = "", in_public: bool = False
) -> Words | None:
    """The last message of a turn, where there is something to say."""
    receipt = None
    if turn.user.receipts or is_worth_a_look(turn.user):
        receipt = await patiently(receipt_of)(turn)
    return written(Ending(turn, failure, nothing, receipt, in_public=in_public))


def itemised(turn_id: int, user_id: int) -> Words | None:
    """The same message with everything that made up the cost; None when that turn is not theirs, or is gone."""
    turn = Turn.objects.select_related("user").filter(pk=turn_id, user_id=user_id).first()
    if turn is None:
        return None
    receipt, nothing = receipt_of(turn), ""
    if receipt.said_nothing and not turn.failure:
        nothing = "stopped" if turn.stop_requested else "empty"
    return written(Ending(turn, turn.failure, nothing, receipt, details=True))


def written(ending: Ending) -> Words | None:
    """An ending in its person's language; None when there is nothing to say."""
    language = language_of(ending.turn.user)
    sentences = [*_failure(ending, language), *_notices(ending, language), *_receipt(ending, language)]
    if not sentences:
        return None
    options = []
    if ending.failure in RETRYABLE:
        options.append(Option(say("retry", language), RetryPress(turn=ending.turn.pk)))
    if ending.failure in USED_UP and not ending.in_public:
        options.append(Option(say("pay_button", language), PayPress(what=OFFERS)))
    if ending.shows_receipt and not ending.details:
        options.append(Option(say("receipt_details", language), ReceiptPress(turn=ending.turn.pk)))
    seal = seal_for(ending.turn.user.telegram_id or 0)
    return Words("\n\n".join(sentences), choose(options, seal) if options else None)


def _failure(ending: Ending, language: str) -> list[str]:
    if ending.failure:
        return [failure_words(ending.failure, language)]
    return [say(ending.nothing, language)] if ending.nothing else []


def _notices(ending: Ending, language: str) -> list[str]:
    notices = []
    if gone := ending.turn.gone_model:
        notices.append(say("model_gone", language, gone=_name(gone), now=_name(ending.turn.model)))
    went_low = ending.receipt is not None and ending.receipt.went_low and not ending.in_public
    if ending.receipt and went_low and ending.failure not in USED_UP:
        notices.append(say("balance_low", language, balance=ending.receipt.balance))
    return notices


def _receipt(ending: Ending, language: str) -> list[str]:
    if not ending.shows_receipt:
        return []
    assert ending.receipt is not None
    used = [
        {"label": known.label if (known := tools().get(tool.name)) else tool.name, "tool": tool}
        for tool in ending.receipt.tools
    ]
    return [say("receipt", language, receipt=ending.receipt, used=used, details=ending.details)]


def _name(model_id: str) -> str:
    """A model as a person reads it; one that no provider knows any more has only its id."""
    known = models().get(model_id)
    return known.name if known else model_id
