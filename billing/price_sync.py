"""Where prices come from: the genai-prices package, read offline, becomes dated rows.

A module of its own, for the command alone: the package takes 0.3 s and 27 MB to load.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time
from decimal import Decimal
from importlib.metadata import version
from typing import Any

import structlog
from django.db import connection, transaction
from django.db.models.functions import Now
from genai_prices.data_snapshot import get_snapshot
from genai_prices.types import ModelInfo, ModelPrice, StartDateConstraint, TieredPrices

from billing.models import RATE_FIELDS, Price, StarRate
from billing.price_proposals import enter, propose
from billing.prices import rates_now
from billing.pricing import MILLION, NANO, PriceUnusable, Rates, Tier

LOCK = 7_245_301  # two machines starting at once take turns; a number nothing else locks by

# What we offer, dearest first; each can be switched off and moved in the admin.
MODELS = (
    *("claude-fable-5-2", "claude-opus-5-5", "claude-sonnet-5-5", "claude-haiku-5-5"),
    *("gpt-6-astra", "gpt-6.1-sol", "gpt-6.1-terra", "gpt-6-luna"),
    *("gemini-4-argon", "gemini-3.8-flash", "gemini-3.5-flash-lite"),
)
PACKAGE = "genai-prices"
# Whose price it is, by the first word of a model's id: the package lists what others resell, too.
PROVIDERS = {"claude": "anthropic", "gpt": "openai", "gemini": "google"}
PACKAGE_NAMES = {
    "input": "input_mtok",
    "output": "output_mtok",
    "cache_read": "cache_read_mtok",
    "cache_write_5m": "cache_write_mtok",
    "cache_write_1h": "cache_write_1h_mtok",
}

# The demo costs nobody anything; a toy price lets every part of the money be seen at work.
DEMO = "demo"
DEMO_TIER = Tier(
    above=0,
    input=Decimal(1),
    output=Decimal(5),
    cache_read=Decimal("0.10"),
    cache_write_5m=Decimal("1.25"),
    cache_write_1h=Decimal(2),
)

# What is no model: dollars for one unit. gpt-transcribe: $0.27 an hour (genai-prices 0.2.3, and OpenAI's page of
# the model: $0.0045 a minute). Gemini's picture: $30 a million tokens of pictures, $1.50 of the prompt, $7.50 of
# thoughts and words (genai-prices 0.2.3, and Google's price page). 1,120 tokens are a picture in 1K: $0.0336.
UNITS = {
    "transcription-second": Decimal("0.27") / 3600,
    "gemini-nano-banana-2.1:picture-token": Decimal(30) / MILLION,
    "gemini-nano-banana-2.1:prompt-token": Decimal("1.50") / MILLION,
    "gemini-nano-banana-2.1:output-token": Decimal("7.50") / MILLION,
    # Two processors at $0.000014 each and half a GiB at $0.0000045 a GiB (E2B's price page, November 2026).
    "sandbox-second:e2b": Decimal("0.00003025"),
}

# Telegram pays $0.013 for a Star, keeps 35 % at withdrawal and 15 % with topics; no margin of ours.
FIRST_STAR_RATE = {
    "usd_per_star": Decimal("0.013"),
    "k1": Decimal("0.35"),
    "k2": Decimal("0.15"),
    "k3": Decimal(0),
}

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class News:
    """A price the package has and our rows do not."""

    item: str
    numbers: Mapping[str, Any]  # the columns of a price
    source: str
    display_order: int
    at: datetime | None = None  # the day it was announced for; None: it counts now

    def columns(self) -> dict[str, Any]:
        """What `enter` and `propose` want to know, beside the item and its numbers."""
        return {"source": self.source, "at": self.at, "display_order": self.display_order}


def seed_prices() -> list[str]:
    """The first prices of a new database, so that a first start can answer. What is new later is proposed:
    until staff approve it, the price before stays, and what had none is refused."""
    return propose_prices() if Price.objects.exists() else sync_prices()


def sync_prices(models: Sequence[str] = MODELS) -> list[str]:
    """Take over all that is new, unasked, and return the ids that got a price: a first start's."""
    with transaction.atomic():
        _take_turns()
        found = news(models)
        for each in found:
            enter(each.item, each.numbers, **each.columns())
        if not StarRate.objects.exists():
            StarRate.objects.create(effective_from=Now(), **FIRST_STAR_RATE)
    rates_now.cache_clear()
    return list(dict.fromkeys(each.item for each in found))


def propose_prices(models: Sequence[str] = MODELS) -> list[str]:
    """Put all that is new before staff, and return the ids of what was not there before."""
    with transaction.atomic():
        _take_turns()
        made = [propose(each.item, each.numbers, **each.columns()) for each in news(models)]
    return list(dict.fromkeys(each.item for each in made if each is not None))


def _take_turns() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])


def news(models: Sequence[str] = MODELS) -> list[News]:
    """What the package says now and for later that the last row it wrote does not.

    A price that the vendor announced (an introductory one that ends) is news for its day. One that staff
    entered stays until the package says something new. An unusable price is logged and is no news.
    """
    found = []
    source = f"{PACKAGE} {version(PACKAGE)}"
    for place, model_id in enumerate(models, start=1):
        try:
            dated = [(at, rates_of(published(model_id, at))) for at in (None, *announced(model_id))]
        except PriceUnusable as error:
            log.error("price_refused", item=model_id, why=str(error))
            continue
        found += [
            News(model_id, _columns(rates), source, 10 * place, at)
            for at, rates in dated
            if _is_new(model_id, rates, source, at)
        ]
    demo = Rates((DEMO_TIER,))
    if _is_new(DEMO, demo, DEMO, None):
        found.append(News(DEMO, _columns(demo), DEMO, 1000))
    known = set(Price.objects.filter(item__in=UNITS).values_list("item", flat=True))
    # What staff make of a unit's first price stands.
    found += [
        News(item, {"per_unit": price.quantize(NANO)}, "published", 100)
        for item, price in UNITS.items()
        if item not in known
    ]
    return found


def published(model_id: str, at: datetime | None = None) -> ModelPrice:
    """What the package says a model costs, now or at a time. Raises PriceUnusable for an id it does not have
    exactly."""
    listed = _listed(model_id).get_prices(at or datetime.now(UTC))
    return _one_kind_of_write(listed) if model_id.startswith("gpt-") else listed


def announced(model_id: str) -> list[datetime]:
    """When a model's price will change, as far as the package knows: midnights in UTC, the next one first."""
    prices = _listed(model_id).prices
    constraints = [price.constraint for price in prices] if isinstance(prices, list) else []
    days = {each.start_date for each in constraints if isinstance(each, StartDateConstraint)}
    starts = (datetime.combine(day, time.min, UTC) for day in sorted(days))
    return [start for start in starts if start > datetime.now(UTC)]


def _listed(model_id: str) -> ModelInfo:
    for provider in get_snapshot().providers:
        if provider.id == PROVIDERS.get(model_id.partition("-")[0]):
            for model in provider.models:
                if model.id == model_id:
                    return model
    raise PriceUnusable(f"{PACKAGE} has no {model_id}")


def _one_kind_of_write(listed: ModelPrice) -> ModelPrice:
    """OpenAI's price with its one rate for cache writes in both places; we never ask for its dearer 12 hours."""
    return ModelPrice(**{**vars(listed), "cache_write_1h_mtok": listed.cache_write_mtok})


def rates_of(listed: ModelPrice) -> Rates:
    """A listed price as `Rates`. Raises PriceUnusable when a rate is missing or no sane number."""
    prices = {name: getattr(listed, theirs) for name, theirs in PACKAGE_NAMES.items()}
    if prices["cache_write_5m"] is None and prices["cache_write_1h"] is None:
        # Gemini fills its caches by itself and takes nothing for it: what it writes is input.
        prices["cache_write_5m"] = prices["cache_write_1h"] = prices["input"]
    starts = {tier.start for each in prices.values() if isinstance(each, TieredPrices) for tier in each.tiers}
    if len(starts) > 1:
        raise PriceUnusable(f"more tiers than a row has: {sorted(starts)}")
    tiers = tuple(
        Tier(above=above, **{name: _at(each, above) for name, each in prices.items()})
        for above in (0, *starts)
    )
    searches = listed.web_searches_kcount
    return Rates(tiers, web_search=_at(searches, 0) / 1000 if searches is not None else Decimal(0))


def _at(listed: Decimal | TieredPrices | None, above: int) -> Decimal:
    if isinstance(listed, TieredPrices):
        return listed.tiers[0].price if above else listed.base
    if listed is None:
        raise PriceUnusable("a rate is missing")
    return listed


def _is_new(item: str, rates: Rates, source: str, at: datetime | None) -> bool:
    """Does the last row from this source say something else, for now or for a day to come?"""
    rows = Price.objects.filter(item=item, effective_from__lte=at or Now()).order_by("-effective_from")
    before = rows.first()
    if at is not None and before is not None and before.effective_from == at:
        return False  # staff, or an earlier version of the package, has said what that day brings
    synced = rows.filter(source__startswith=source.split()[0]).first()
    return synced is None or replace(synced.rates(), price_id=None) != rates


def _columns(rates: Rates) -> dict[str, Any]:
    base, *long = rates.tiers
    return {
        **{name: getattr(base, name) for name in RATE_FIELDS},
        **{f"long_{name}": getattr(tier, name) for tier in long for name in RATE_FIELDS},
        "long_above": long[0].above if long else None,
        "web_search": rates.web_search or None,
    }
