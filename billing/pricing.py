"""What a model call costs: exact decimals, no rounding before the ninth place.

Pure: no database, no settings. A price row becomes `Rates`, a provider's report becomes `Usage`,
and `price()` is one sum over both.
"""

from dataclasses import dataclass, fields
from decimal import ROUND_CEILING, Decimal
from typing import Any

MILLION = Decimal(1_000_000)
NANO = Decimal("0.000000001")  # the ledger's last place: Decimal(20, 9)
RATE_MAX = Decimal(10_000)  # dollars per million tokens; the dearest published rate is below 1,000
TOKENS_MAX = 100_000_000  # no single call of any vendor reports more: above it a count is rubbish


class PriceUnusable(ValueError):
    """A rate or a count that nobody may be charged by: missing, zero, negative, NaN or absurd."""


@dataclass(frozen=True, slots=True)
class Usage:
    """Disjoint token counts of one model call, as its vendor reported them.

    `estimated` marks counts that we made ourselves because the stream was cut before the report.
    """

    input: int = 0  # fresh input: neither read from a cache nor written to one
    cache_read: int = 0
    cache_write_5m: int = 0
    cache_write_1h: int = 0
    output: int = 0  # thinking included
    web_searches: int = 0
    estimated: bool = False

    def __post_init__(self) -> None:
        for field in fields(self):
            count = getattr(self, field.name)
            if field.name != "estimated" and (
                not isinstance(count, int) or isinstance(count, bool) or not 0 <= count <= TOKENS_MAX
            ):
                raise PriceUnusable(f"{field.name}={count!r} is no token count")

    @property
    def prompt(self) -> int:
        """Every input token, however it was served: what a tier is chosen by."""
        return self.input + self.cache_read + self.cache_write_5m + self.cache_write_1h


@dataclass(frozen=True, slots=True)
class Tier:
    """Dollars per million tokens, for prompts of more than `above` tokens."""

    above: int
    input: Decimal
    output: Decimal
    cache_read: Decimal
    cache_write_5m: Decimal
    cache_write_1h: Decimal


@dataclass(frozen=True, slots=True)
class Rates:
    """A model's price: its tiers in rising order of `above`, the first with `above=0`."""

    tiers: tuple[Tier, ...]
    web_search: Decimal = Decimal(0)  # dollars for one search
    price_id: int | None = None  # the Price row they stand in, kept with every charge made by them
    terms: "Terms | None" = None  # by which they were made of what the vendor asks; None: they are that
    asked: "Rates | None" = None  # what the vendor asks, where that is something else

    def __post_init__(self) -> None:
        if not self.tiers or self.tiers[0].above != 0:
            raise PriceUnusable("rates begin with a tier above 0 tokens")
        if [t.above for t in self.tiers] != sorted({t.above for t in self.tiers}):
            raise PriceUnusable("tiers must rise")
        for tier in self.tiers:
            for name in ("input", "output", "cache_read", "cache_write_5m", "cache_write_1h"):
                rate = getattr(tier, name)
                if not _is_sane(rate) or rate == 0:
                    raise PriceUnusable(f"{name}={rate!r} is no price per million tokens")
        if not _is_sane(self.web_search):
            raise PriceUnusable(f"web_search={self.web_search!r} is no price")

    def tier(self, prompt_tokens: int) -> Tier:
        """The tier that a prompt of this size is charged at, whole."""
        return [tier for tier in self.tiers if tier.above == 0 or prompt_tokens > tier.above][-1]


@dataclass(frozen=True, slots=True)
class Terms:
    """What people are charged beside what vendors ask, in percent: the owner's, from the settings."""

    margin: Decimal = Decimal(0)  # added to everything
    subsidy: Decimal = Decimal(0)  # of what a cache write costs more than plain input: the owner's to carry

    def on(self, cost: Decimal) -> Decimal:
        """What people are charged for what costs the owner so many dollars; rounded up at the ninth place."""
        return (cost * (1 + self.margin / 100)).quantize(NANO, rounding=ROUND_CEILING)

    def of(self, asked: Rates) -> Rates:
        """The rates people are charged by: each again a number of nine places, so that it can be shown whole."""
        if self == Terms():
            return asked
        tiers = tuple(self._tier(tier) for tier in asked.tiers)
        return Rates(tiers, self.on(asked.web_search), asked.price_id, self, asked)

    def _tier(self, tier: Tier) -> Tier:
        rates = {name: self.on(getattr(tier, name)) for name in ("input", "output", "cache_read")}
        for name in ("cache_write_5m", "cache_write_1h"):
            surcharge = max(getattr(tier, name) - tier.input, Decimal(0))
            rates[name] = self.on(getattr(tier, name) - surcharge * self.subsidy / 100)
        return Tier(tier.above, **rates)


def _is_sane(rate: object) -> bool:
    # Finite first: to compare with a NaN raises.
    return isinstance(rate, Decimal) and rate.is_finite() and 0 <= rate <= RATE_MAX


def price(usage: Usage, rates: Rates) -> Decimal:
    """Dollars for one call, at nine places; what falls below the ninth is rounded up once, on the sum."""
    tier = rates.tier(usage.prompt)
    tokens = (
        usage.input * tier.input
        + usage.cache_read * tier.cache_read
        + usage.cache_write_5m * tier.cache_write_5m
        + usage.cache_write_1h * tier.cache_write_1h
        + usage.output * tier.output
    )
    total = tokens / MILLION + usage.web_searches * rates.web_search
    return total.quantize(NANO, rounding=ROUND_CEILING)


@dataclass(frozen=True, slots=True)
class Bill:
    """One model call, reckoned: what a person is charged, what its vendor asks, and what explains both."""

    charged: Decimal
    cost: Decimal
    details: dict[str, Any]


def bill(model_id: str, usage: Usage, rates: Rates) -> Bill:
    """The bill of a call; its details are enough to reckon it again."""
    details: dict[str, Any] = {"model": model_id, "usage": as_json(usage), "price": rates.price_id}
    if rates.terms is not None:
        details["terms"] = as_json(rates.terms)
    return Bill(price(usage, rates), price(usage, rates.asked or rates), details)


def output_within(budget: Decimal, prompt: Usage, rates: Rates) -> int:
    """The output tokens that a budget still pays for behind this prompt; negative when not even that."""
    return int((budget - price(prompt, rates)) * MILLION / rates.tier(prompt.prompt).output)


def as_json(record: Usage | Tier | Terms) -> dict[str, Any]:
    """A record for an operation's details, its decimals as strings: no float comes near money."""
    named = {field.name: getattr(record, field.name) for field in fields(record)}
    return {name: str(value) if isinstance(value, Decimal) else value for name, value in named.items()}
