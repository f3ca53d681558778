"""The owner's terms: what people are charged beside what vendors ask, to the billionth of a dollar."""

from decimal import Decimal

import pytest

from billing.errors import PriceUnknown
from billing.models import Price
from billing.prices import rates_for, rates_now
from billing.pricing import Rates, Terms, Tier, Usage, bill, price

# Claude Haiku 5.5, prompts of up to 100,000 tokens: input, output, cache read, cache write 5m and 1h.
HAIKU = Rates(
    (Tier(0, Decimal("0.10"), Decimal("0.50"), Decimal("0.01"), Decimal("0.125"), Decimal("0.20")),),
    web_search=Decimal("0.01"),
    price_id=7,
)
USAGE = Usage(
    input=100, cache_read=4_000, cache_write_5m=8_000, cache_write_1h=600, output=2_113, web_searches=1
)


def of(margin: str, subsidy: str) -> Rates:
    return Terms(Decimal(margin), Decimal(subsidy)).of(HAIKU)


def test_without_margin_and_subsidy_people_pay_what_vendors_ask():
    assert of("0", "0") is HAIKU
    made = bill("m", USAGE, HAIKU)
    assert (made.charged, "terms" in made.details) == (made.cost, False)


@pytest.mark.parametrize(
    ("margin", "subsidy", "charged"),
    [
        # (100 × 0.10 + 4,000 × 0.01 + 8,000 × 0.125 + 600 × 0.20 + 2,113 × 0.50) / 10^6 + 0.01
        ("0", "0", "0.0122265"),
        # each of the five, and the search, a tenth more: 0.0122265 × 1.10
        ("10", "0", "0.01344915"),
        # writes as plain input: 8,000 × 0.10 and 600 × 0.10
        ("0", "100", "0.0119665"),
        # half of the surcharge: 8,000 × 0.1125 and 600 × 0.15
        ("0", "50", "0.0120965"),
        ("12.5", "50", "0.013608563"),  # 0.0120965 × 1.125 = 0.0136085625, rounded up once
    ],
)
def test_a_charge_is_exact_and_its_cost_stays_the_vendors(margin: str, subsidy: str, charged: str):
    made = bill("m", USAGE, of(margin, subsidy))
    assert made.charged == Decimal(charged)
    assert made.cost == Decimal("0.0122265")


def test_the_details_of_a_charge_are_enough_to_reckon_it_again():
    details = bill("m", USAGE, of("10", "50")).details
    again = Terms(Decimal(details["terms"]["margin"]), Decimal(details["terms"]["subsidy"])).of(HAIKU)
    assert details["price"] == 7
    assert price(Usage(**details["usage"]), again) == bill("m", USAGE, of("10", "50")).charged


def test_a_subsidy_never_makes_writing_cheaper_than_plain_input_nor_touches_what_has_no_surcharge():
    for name in ("cache_write_5m", "cache_write_1h"):
        assert getattr(of("0", "100").tiers[0], name) == HAIKU.tiers[0].input
    free = Rates((Tier(0, Decimal(2), Decimal(1), Decimal(1), Decimal(1), Decimal(2)),))
    assert Terms(Decimal(0), Decimal(100)).of(free).tiers == free.tiers


def test_each_tier_has_the_terms():
    long = Tier(100_000, *(rate * 5 for rate in (Decimal("0.10"), Decimal("0.50"), Decimal("0.01"))),
                Decimal("0.625"), Decimal(1))  # fmt: skip
    rates = Terms(Decimal(10), Decimal(100)).of(Rates((*HAIKU.tiers, long)))
    assert [tier.cache_write_5m for tier in rates.tiers] == [Decimal("0.11"), Decimal("0.55")]
    assert [tier.output for tier in rates.tiers] == [Decimal("0.55"), Decimal("2.75")]


def test_what_a_tool_costs_is_charged_with_the_margin_and_rounded_up_at_the_ninth_place():
    assert Terms(Decimal("33.3333")).on(Decimal("0.000000003")) == Decimal("0.000000004")
    assert Terms().on(Decimal("0.0336")) == Decimal("0.0336")


@pytest.mark.django_db
def test_a_margin_that_makes_a_price_absurd_refuses_the_model(settings, caplog):
    tier = dict.fromkeys(
        ("input", "output", "cache_read", "cache_write_5m", "cache_write_1h"), Decimal(9_999)
    )
    Price.objects.create(item="m", effective_from="2026-01-01T00:00Z", source="staff", **tier)
    rates_now.cache_clear()
    assert rates_for("m").asked is None
    settings.MARGIN_PERCENT = Decimal(10)
    with pytest.raises(PriceUnknown):
        rates_for("m")
    assert "price_refused" in caplog.text
