"""Which model answers a person: the one they chose, while it can be asked, else the default."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from django.conf import settings

from accounts.models import User
from accounts.services import set_preference
from billing.errors import PriceUnknown
from billing.prices import offered, rates_for
from conversations.contracts import Model


@dataclass(frozen=True, slots=True)
class Offer:
    """A model that can be asked now, with its price in dollars per million tokens."""

    id: str
    name: str
    input: Decimal
    output: Decimal
    is_default: bool
    is_chosen: bool


def model_for(user: User, models: Mapping[str, Model]) -> tuple[str, str]:
    """The id of the model that answers, and the id of the one they had chosen when that is gone.

    A choice that is gone is taken off the person's row in the caller's transaction, so it is reported once.
    """
    if user.model in ("", settings.DEFAULT_MODEL):
        return settings.DEFAULT_MODEL, ""
    if _can_be_asked(user.model, models):
        return user.model, ""
    set_preference(user.pk, model="")
    return settings.DEFAULT_MODEL, user.model


def _can_be_asked(model_id: str, models: Mapping[str, Model]) -> bool:
    try:
        return model_id in models and bool(rates_for(model_id))
    except PriceUnknown:
        return False


def offers(user: User, models: Mapping[str, Model]) -> Sequence[Offer]:
    """Every model this person may choose, in the order staff gave them."""
    ids = [model_id for model_id in offered() if _can_be_asked(model_id, models)]
    chosen = user.model if user.model in ids else settings.DEFAULT_MODEL
    return [_offer(models[model_id], is_chosen=model_id == chosen) for model_id in ids]


def _offer(model: Model, *, is_chosen: bool) -> Offer:
    tier = rates_for(model.id).tiers[0]
    return Offer(
        id=model.id,
        name=model.name,
        input=tier.input,
        output=tier.output,
        is_default=model.id == settings.DEFAULT_MODEL,
        is_chosen=is_chosen,
    )


def choose_model(user_id: int, model_id: str) -> User:
    """Talk to this model from the next question on. Who takes the default follows it when it changes."""
    return set_preference(user_id, model="" if model_id == settings.DEFAULT_MODEL else model_id)
