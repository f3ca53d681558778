"""Prices: what a model costs, where it comes from, and what is refused."""

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

import pytest
from django.core.management import call_command
from django.db.models.functions import Now
from django.utils import timezone
from genai_prices.data_snapshot import DataSnapshot, get_snapshot, set_custom_snapshot
from genai_prices.types import (
    ClauseEquals,
    ConditionalPrice,
    ModelInfo,
    ModelPrice,
    Provider,
    StartDateConstraint,
    TieredPrices,
)
from genai_prices.types import Tier as ListedTier

from billing import prices
from billing.errors import PriceUnknown
from billing.models import RATE_FIELDS, Price, StarRate
from billing.price_sync import MODELS, UNITS, published, rates_of, sync_prices
from billing.prices import offered, rates_for, unit_price
from billing.pricing import NANO, PriceUnusable, Rates, Tier, Usage, output_within, price

pytestmark = pytest.mark.django_db

# Dollars per million tokens, from the vendor's price page:
# input, output, 5 minutes' cache write, 1 hour's, cache read. OpenAI's cache has one kind of write, of 30 minutes.
PUBLISHED = {
    ("claude-fable-5-2", 1): ("8", "40", "10", "16", "0.20"),
    ("claude-opus-5-5", 1): ("4", "20", "5", "8", "0.20"),
    ("claude-sonnet-5-5", 1): ("2", "10", "2.5", "4", "0.10"),
    ("claude-haiku-5-5", 1): ("0.10", "0.50", "0.125", "0.20", "0.01"),
    ("claude-haiku-5-5", 100_000): ("0.10", "0.50", "0.125", "0.20", "0.01"),
    ("claude-haiku-5-5", 100_001): ("0.50", "2.50", "0.625", "1", "0.05"),
    ("gpt-6-astra", 272_000): ("10", "50", "12.5", "12.5", "1"),
    ("gpt-6-astra", 272_001): ("20", "75", "25", "25", "2"),
    ("gpt-6.1-sol", 1): ("2", "10", "2.5", "2.5", "0.10"),
    ("gpt-6.1-terra", 1): ("1", "5", "1.25", "1.25", "0.05"),
    ("gpt-6-luna", 1): ("0.1", "0.5", "0.125", "0.125", "0.01"),
    ("gpt-6-luna", 272_001): ("0.2", "0.75", "0.25", "0.25", "0.02"),
    ("demo", 1): ("1", "5", "1.25", "2", "0.10"),
}


@pytest.fixture(autouse=True)
def _nothing_cached():
    prices.rates_now.cache_clear()


def rates(**changes: Decimal | str) -> Rates:
    plain = dict.fromkeys(RATE_FIELDS, Decimal(1))
    return Rates(tiers=(Tier(above=0, **{**plain, **changes}),))


def add(item: str, **fields) -> Price:
    fields = {"effective_from": Now(), "source": "staff", **fields}
    if "per_unit" not in fields:
        fields = {**dict.fromkeys(RATE_FIELDS, Decimal(3)), **fields}
    prices.rates_now.cache_clear()
    return Price.objects.create(item=item, **fields)


# The list ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("model_id", "prompt"), PUBLISHED)
def test_the_seeded_prices_are_the_published_ones(model_id: str, prompt: int):
    sync_prices()
    tier = rates_for(model_id).tier(prompt)
    found = (tier.input, tier.output, tier.cache_write_5m, tier.cache_write_1h, tier.cache_read)
    assert found == tuple(Decimal(rate) for rate in PUBLISHED[model_id, prompt])


@pytest.mark.parametrize("model_id", MODELS)
def test_a_web_search_costs_what_its_vendor_takes(model_id: str):
    sync_prices()
    cents = {"claude": "1", "gpt": "1", "gemini": "1.4"}[model_id.partition("-")[0]]
    assert rates_for(model_id).web_search * 100 == Decimal(cents)


@pytest.mark.parametrize(
    ("model_id", "day", "rates"),
    [
        ("gemini-4-argon", date(2026, 11, 30), ("2", "10", "0.1")),
        ("gemini-4-argon", date(2026, 12, 1), ("4", "20", "0.2")),
        ("gemini-3.8-flash", date(2026, 12, 31), ("0.75", "3.75", "0.075")),
        ("gemini-3.8-flash", date(2027, 1, 1), ("1.5", "7.5", "0.15")),
        ("gemini-3.5-flash-lite", date(2026, 11, 25), ("0.3", "2.5", "0.03")),
    ],
)
def test_gemini_costs_what_google_publishes_and_its_cache_is_written_as_input(
    model_id: str, day: date, rates: tuple[str, str, str]
):
    listed = published(model_id, datetime.combine(day, time(12), UTC))
    [tier] = rates_of(listed).tiers
    assert (tier.input, tier.output, tier.cache_read) == tuple(Decimal(rate) for rate in rates)
    assert tier.cache_write_5m == tier.cache_write_1h == tier.input


@pytest.fixture
def introductory():
    """A package whose one model costs $1 until the day that is given, and $2 from then on."""
    day = timezone.now().date() + timedelta(days=10)
    early, late = (
        ModelPrice(input_mtok=Decimal(rate), output_mtok=Decimal(9), cache_read_mtok=Decimal("0.1"))
        for rate in (1, 2)
    )
    prices = [
        ConditionalPrice(prices=early),
        ConditionalPrice(constraint=StartDateConstraint(day), prices=late),
    ]
    models = [ModelInfo("gemini-new", match=ClauseEquals("gemini-new"), prices=prices)]
    set_custom_snapshot(
        DataSnapshot([Provider("google", "Google", "", models=models)], from_auto_update=False)
    )
    yield datetime.combine(day, time.min, UTC)
    set_custom_snapshot(None)


def test_an_announced_price_is_charged_from_its_day_on(introductory: datetime):
    assert sync_prices(["gemini-new"]) == ["gemini-new", "demo", *UNITS]
    assert sync_prices(["gemini-new"]) == []
    assert rates_for("gemini-new").tiers[0].input == 1
    assert rates_for("gemini-new", introductory - timedelta(seconds=1)).tiers[0].input == 1
    assert rates_for("gemini-new", introductory).tiers[0].input == 2


def test_what_staff_said_of_that_day_stays(introductory: datetime):
    add("gemini-new", effective_from=introductory, input=Decimal(7))
    sync_prices(["gemini-new"])
    assert rates_for("gemini-new", introductory).tiers[0].input == 7


def test_syncing_again_adds_nothing(capsys):
    call_command("syncprices")
    rows = list(Price.objects.values_list("pk", flat=True))
    call_command("syncprices")
    assert list(Price.objects.values_list("pk", flat=True)) == rows
    assert capsys.readouterr().out.splitlines()[-1] == "No price has changed."
    assert StarRate.objects.get().usd * 100 == Decimal("0.65")


def test_a_price_that_is_taken_over_becomes_a_new_row_and_keeps_what_staff_chose():
    old = add("claude-opus-5-5", source="genai-prices 0.1", enabled=False, display_order=7)
    sync_prices()
    old.refresh_from_db()
    assert old.input == 3
    new = Price.objects.filter(item="claude-opus-5-5").latest("effective_from")
    assert (new.input, new.enabled, new.display_order) == (Decimal(4), False, 7)


def test_a_price_that_staff_set_stays_until_the_package_says_something_new():
    sync_prices()
    add("claude-opus-5-5", input=Decimal(9))
    assert sync_prices() == []
    assert rates_for("claude-opus-5-5").tiers[0].input == 9


def test_an_old_time_is_charged_by_its_own_price():
    now = timezone.now()
    old = add("m", effective_from=now - timedelta(days=2), input=Decimal(2))
    add("m", effective_from=now - timedelta(days=1), input=Decimal(4))
    add("m", effective_from=now + timedelta(days=1), input=Decimal(8))
    assert rates_for("m").tiers[0].input == 4
    past = rates_for("m", now - timedelta(days=1, hours=1))
    assert (past.tiers[0].input, past.price_id) == (2, old.pk)


def test_rates_are_looked_up_once_in_a_while(django_assert_num_queries):
    add("m")
    with django_assert_num_queries(1):
        assert prices.rates_now("m", 1) is prices.rates_now("m", 1)
    with django_assert_num_queries(1):
        prices.rates_now("m", 2)


# No price, no call -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "model_id",
    ["claude-opus-5-5-20261007", "claude-opus", "claude-opus-5-5 ", "CLAUDE-OPUS-5-5", "", "gpt-9"],
)
def test_only_exact_ids_have_a_price(model_id: str, caplog):
    sync_prices()
    with pytest.raises(PriceUnknown):
        rates_for(model_id)
    assert "price_unknown" in caplog.text


def test_a_model_switched_off_has_no_price():
    add("m", enabled=False)
    with pytest.raises(PriceUnknown):
        rates_for("m")


def test_a_price_that_has_not_begun_is_none():
    add("m", effective_from=timezone.now() + timedelta(days=1))
    with pytest.raises(PriceUnknown):
        rates_for("m")


def test_a_model_at_the_least_price_there_is_costs_a_billionth_a_call():
    add("qwen3:32b", **dict.fromkeys(RATE_FIELDS, Decimal("0.000000001")))
    rates = rates_for("qwen3:32b")
    assert price(Usage(input=30_000, output=8_000), rates) == Decimal("0.000000001")
    assert output_within(Decimal("0.50"), Usage(input=30_000), rates) > 8_000


def test_a_unit_and_a_model_are_not_taken_for_each_other():
    add("image:x", per_unit=Decimal("0.04"))
    add("m")
    assert unit_price("image:x") == Decimal("0.04")
    with pytest.raises(PriceUnknown):
        unit_price("m")
    with pytest.raises(PriceUnknown):
        rates_for("image:x")


def test_models_are_offered_in_their_order_by_their_newest_price():
    add("second", display_order=2)
    add("first", display_order=1)
    add("off", effective_from=timezone.now() - timedelta(days=1))
    add("off", enabled=False)
    add("image:x", per_unit=Decimal("0.04"))
    assert offered() == ["first", "second"]


# What the package may say ------------------------------------------------------------------------

LISTED = {
    "input_mtok": Decimal(2),
    "output_mtok": Decimal(10),
    "cache_read_mtok": Decimal("0.1"),
    "cache_write_mtok": Decimal("2.5"),
    "cache_write_1h_mtok": Decimal(4),
}


@pytest.mark.parametrize("name", LISTED)
@pytest.mark.parametrize("rate", [None, Decimal(0), Decimal(-1), Decimal("NaN"), Decimal("1e30")])
def test_a_listed_price_that_is_missing_or_absurd_is_refused(name: str, rate: Decimal | None):
    listed = ModelPrice(**LISTED)
    setattr(listed, name, rate)
    with pytest.raises(PriceUnusable):
        rates_of(listed)


def test_a_listed_price_with_more_tiers_than_a_row_has_is_refused():
    tiers = TieredPrices(base=Decimal(1), tiers=[ListedTier(1000, Decimal(2)), ListedTier(2000, Decimal(3))])
    with pytest.raises(PriceUnusable):
        rates_of(ModelPrice(**{**LISTED, "input_mtok": tiers}))


def test_a_tier_of_one_rate_leaves_the_others_as_they_are():
    tiers = TieredPrices(base=Decimal(2), tiers=[ListedTier(1000, Decimal(3))])
    found = rates_of(ModelPrice(**{**LISTED, "input_mtok": tiers}))
    assert [(tier.above, tier.input, tier.output) for tier in found.tiers] == [(0, 2, 10), (1000, 3, 10)]


def test_a_model_the_package_does_not_have_is_refused_and_the_others_are_priced(caplog):
    assert sync_prices(["claude-nobody-9", "claude-opus-5-5"]) == [
        "claude-opus-5-5",
        "demo",
        *UNITS,
    ]
    assert "price_refused" in caplog.text


def test_units_cost_what_the_package_says_of_their_vendors():
    listed = {model.id: model for provider in get_snapshot().providers for model in provider.models}
    pictures = listed["gemini-nano-banana-2.1"].get_prices(timezone.now())
    sound = listed["gpt-transcribe"].get_prices(timezone.now())
    of_vendors = {unit: price for unit, price in UNITS.items() if unit != "sandbox-second:e2b"}  # not in it
    assert of_vendors == {
        "transcription-second": sound.audio_hours / 3600,
        "gemini-nano-banana-2.1:picture-token": pictures.output_image_mtok / 1_000_000,
        "gemini-nano-banana-2.1:prompt-token": pictures.input_mtok / 1_000_000,
        "gemini-nano-banana-2.1:output-token": pictures.output_mtok / 1_000_000,
    }
    assert all(price == price.quantize(NANO) for price in UNITS.values())


# Sums --------------------------------------------------------------------------------------------


def test_a_call_is_priced_by_each_kind_of_token():
    haiku = Rates(
        (Tier(0, Decimal("0.1"), Decimal("0.5"), Decimal("0.01"), Decimal("0.125"), Decimal("0.2")),),
        web_search=Decimal("0.01"),
    )
    # 50,000 tokens in, of which 40,000 read from the cache, and 1,000 out.
    assert price(Usage(input=10_000, cache_read=40_000, output=1_000), haiku) == Decimal("0.0019")
    assert price(Usage(cache_write_5m=1_000_000), haiku) == Decimal("0.125")
    assert price(Usage(cache_write_1h=1_000_000), haiku) == Decimal("0.2")
    assert price(Usage(web_searches=3), haiku) == Decimal("0.03")


def test_ten_thousand_calls_of_one_token_at_the_cheapest_price_are_exact():
    sync_prices()
    cheapest = rates_for("claude-haiku-5-5")
    assert sum(price(Usage(cache_read=1), cheapest) for _ in range(10_000)) == 10_000 * Decimal("0.00000001")


def test_what_falls_below_the_ninth_place_is_rounded_up_once_and_never_to_zero():
    tiny = rates(input=Decimal("0.0001"))
    assert price(Usage(input=1), tiny) == Decimal("0.000000001")
    assert price(Usage(input=11), tiny) == Decimal("0.000000002")


def test_the_whole_prompt_chooses_the_tier_cached_tokens_included():
    sync_prices()
    haiku = rates_for("claude-haiku-5-5")
    assert price(Usage(input=1, cache_read=99_999), haiku) == Decimal("0.00100009")
    assert price(Usage(input=2, cache_read=99_999), haiku) == Decimal("0.00500095")


@pytest.mark.parametrize("tokens", [0, 1, 100_000, 100_001, 900_000])
def test_the_output_a_budget_allows_costs_no_more_than_the_budget(tokens: int):
    sync_prices()
    for model_id in (*MODELS, "demo"):
        listed = rates_for(model_id)
        prompt = Usage(cache_write_5m=tokens)
        budget = price(prompt, listed) + Decimal("0.05")
        allowed = output_within(budget, prompt, listed)
        assert price(replace(prompt, output=allowed), listed) <= budget
        assert price(replace(prompt, output=allowed + 1), listed) > budget


@pytest.mark.parametrize("count", [-1, 10**30, float("nan"), 1.0, "5", None, True])
def test_a_count_that_is_no_count_is_refused(count):
    with pytest.raises(PriceUnusable):
        Usage(input=count)


@pytest.mark.parametrize("rate", [Decimal(0), Decimal(-1), Decimal("NaN"), Decimal("1e30"), 1.0, 1, None])
def test_a_rate_that_is_no_price_is_refused(rate):
    with pytest.raises(PriceUnusable):
        rates(output=rate)


def test_tiers_begin_at_zero_and_rise():
    one, two = rates().tiers[0], Tier(5, *[Decimal(1)] * 5)
    for tiers in ((), (two,), (one, two, two)):
        with pytest.raises(PriceUnusable):
            Rates(tiers)
