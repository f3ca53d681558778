"""The price list: what a model costs, now or at a time.

Ids are exact: a price is never guessed from a model of a similar name. No usable price: the model is
refused, and the log tells staff.
"""

import time
from datetime import datetime
from decimal import Decimal
from functools import lru_cache

import structlog
from django.conf import settings
from django.db.models.functions import Now

from billing.errors import PriceUnknown
from billing.models import Price
from billing.pricing import PriceUnusable, Rates, Terms

CACHE_SECONDS = 5  # how long a changed or disabled price may go unseen
CACHED_MODELS_MAX = 256

log = structlog.get_logger(__name__)


def rates_for(model_id: str, at: datetime | None = None) -> Rates:
    """The rates people are charged by, for a price of now or of a time. Raises PriceUnknown: then ask nothing of it.

    Their `asked` are what the vendor asks, where the owner's terms make that something else.
    """
    try:
        if at is not None:
            return terms().of(_in_force(model_id, at).rates())
        return terms().of(rates_now(model_id, int(time.monotonic() / CACHE_SECONDS)))
    except PriceUnusable as error:
        log.error("price_refused", item=model_id, why=str(error))
        raise PriceUnknown(model_id) from error


def terms() -> Terms:
    """The owner's margin and subsidy."""
    return Terms(settings.MARGIN_PERCENT, settings.CACHE_WRITE_SUBSIDY_PERCENT)


@lru_cache(maxsize=CACHED_MODELS_MAX)
def rates_now(model_id: str, period: int) -> Rates:  # noqa: ARG001  (a new period is a new look)
    """What a vendor asks today, looked up once in a period of CACHE_SECONDS."""
    return _in_force(model_id).rates()


def unit_price(item: str, *, unpriced: Decimal | None = None) -> Decimal:
    """Dollars that one unit of no model costs us, before the owner's margin; `unpriced` where staff never set a
    price. Raises PriceUnknown."""
    if unpriced is not None and not Price.objects.filter(item=item).exists():
        return unpriced
    price: Decimal | None = _in_force(item).per_unit
    if price is None:
        raise PriceUnknown(f"{item} is priced by tokens")
    return price


def offered() -> list[str]:
    """Ids of the enabled models in their display order."""
    newest = (
        Price.objects.filter(effective_from__lte=Now()).order_by("item", "-effective_from").distinct("item")
    )
    models = [price for price in newest if price.enabled and price.input is not None]
    return [price.item for price in sorted(models, key=lambda price: (price.display_order, price.item))]


def _in_force(item: str, at: datetime | None = None) -> Price:
    """The newest price that has begun, if it is enabled."""
    price = (
        Price.objects.filter(item=item, effective_from__lte=at or Now()).order_by("-effective_from").first()
    )
    if price is None or not price.enabled:
        log.error("price_unknown", item=item, disabled=price is not None)
        raise PriceUnknown(item)
    return price
