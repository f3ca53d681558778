"""Prices that wait for staff: proposed by the package, looked at at the desk, approved or refused."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.core.management import call_command
from django.urls import reverse
from django.utils import timezone

from accounts.admin_pages import address_of, list_address
from accounts.models import Staff
from billing.errors import PriceUnknown, ProposalDecided
from billing.models import RATE_FIELDS, Price, PriceProposal
from billing.price_proposals import approve, differences, propose, refuse
from billing.price_sync import propose_prices, seed_prices, sync_prices
from billing.prices import offered, rates_for, rates_now
from tests.admin.conftest import at_desk

OPUS = "claude-opus-5-5"


@pytest.fixture
def old_prices(db: None) -> None:
    """A database that was seeded when Opus was cheaper and Sonnet 5.5 was not there."""
    sync_prices([])
    add(OPUS, source="genai-prices 0.1", **dict.fromkeys(RATE_FIELDS, Decimal(3)))
    rates_now.cache_clear()


def add(item: str, **columns: Any) -> Price:
    then = timezone.now() - timedelta(days=9)
    return Price.objects.create(**{"item": item, "effective_from": then, "source": "staff", **columns})


def waiting(item: str = OPUS) -> PriceProposal:
    return PriceProposal.objects.get(item=item, state="waiting")


def charged(item: str = OPUS) -> Decimal:
    rates_now.cache_clear()
    return rates_for(item).tiers[0].input


def press(staff: Staff, proposal: PriceProposal, what: str, reason: str = "As on its page") -> int:
    address = reverse(f"admin:billing_priceproposal_{what}", args=[proposal.pk])
    return at_desk(staff).post(address, {"reason": reason}).status_code


def test_what_the_package_says_anew_is_charged_only_once_it_is_approved(
    old_prices: None, felix: Staff
) -> None:
    assert propose_prices([OPUS]) == [OPUS]
    assert charged() == 3
    assert press(felix, waiting(), "approve", reason="") == 200
    assert charged() == 3, "a reason is asked for"
    proposal = waiting()
    assert press(felix, proposal, "approve") == 302
    assert charged() == 4
    proposal.refresh_from_db()
    assert (proposal.state, proposal.decided_by, proposal.reason) == ("approved", felix, "As on its page")
    assert LogEntry.objects.get().change_message == "Approved. As on its page"
    assert propose_prices([OPUS]) == []


def test_a_new_model_is_refused_until_it_is_approved(old_prices: None, felix: Staff) -> None:
    assert propose_prices(["claude-sonnet-5-5"]) == ["claude-sonnet-5-5"]
    with pytest.raises(PriceUnknown):
        charged("claude-sonnet-5-5")
    assert "claude-sonnet-5-5" not in offered()
    press(felix, waiting("claude-sonnet-5-5"), "approve")
    assert charged("claude-sonnet-5-5") == 2
    assert "claude-sonnet-5-5" in offered()


def test_what_was_refused_is_not_proposed_again_until_it_says_something_else(
    old_prices: None, felix: Staff
) -> None:
    propose_prices([OPUS])
    assert press(felix, waiting(), "refuse", "A slip of the package") == 302
    assert propose_prices([OPUS]) == []
    assert charged() == 3
    numbers = dict.fromkeys(RATE_FIELDS, Decimal(5))
    assert propose(OPUS, numbers, source="genai-prices 9", at=None, display_order=1) is not None


def test_a_newer_proposal_takes_the_place_of_the_one_that_waits(old_prices: None, felix: Staff) -> None:
    propose_prices([OPUS])
    first = waiting()
    propose(OPUS, dict.fromkeys(RATE_FIELDS, Decimal(6)), source="genai-prices 9", at=None, display_order=1)
    assert waiting().input == 6
    with pytest.raises(ProposalDecided):
        approve(first.pk, by=felix.pk, reason="late")
    assert press(felix, first, "approve") == 403
    assert charged() == 3


def test_one_decision_counts(old_prices: None, felix: Staff) -> None:
    propose_prices([OPUS])
    proposal = waiting()
    refuse(proposal.pk, by=felix.pk, reason="no")
    with pytest.raises(ProposalDecided):
        approve(proposal.pk, by=felix.pk, reason="yes")
    assert charged() == 3


def test_a_proposal_for_a_day_to_come_begins_then_and_one_whose_day_went_by_begins_now(
    old_prices: None, felix: Staff
) -> None:
    now = timezone.now()
    for days, item in ((3, "later"), (-3, "late")):
        numbers = dict.fromkeys(RATE_FIELDS, Decimal(7))
        made = propose(item, numbers, source="x", at=now + timedelta(days=days), display_order=1)
        assert made is not None
        approve(made.pk, by=felix.pk, reason="ok")
    assert Price.objects.get(item="later").effective_from == now + timedelta(days=3)
    assert Price.objects.get(item="late").effective_from >= now


def test_an_approved_price_stays_switched_off_where_staff_had_switched_it_off(
    old_prices: None, felix: Staff
) -> None:
    Price.objects.filter(item=OPUS).update(enabled=False, display_order=7)
    propose_prices([OPUS])
    press(felix, waiting(), "approve")
    new = Price.objects.filter(item=OPUS).latest("effective_from")
    assert (new.input, new.enabled, new.display_order) == (4, False, 7)


def test_the_first_start_takes_all_and_later_ones_ask(db: None) -> None:
    assert OPUS in seed_prices()
    assert not PriceProposal.objects.exists()
    assert seed_prices() == []
    Price.objects.filter(item="x")
    add("claude-nobody", source="staff", **dict.fromkeys(RATE_FIELDS, Decimal(1)))
    assert seed_prices() == []


def test_the_command_says_what_would_change(old_prices: None, capsys: Any) -> None:
    call_command("syncprices")
    said = capsys.readouterr().out
    assert f"{OPUS}: input 3 → 4, output 3 → 20, cache_read 3 → 0.2" in said
    assert "claude-sonnet-5-5: input none → 2" in said
    assert "waiting: approve or refuse them in the admin" in said
    assert charged() == 3


def test_staff_see_what_would_change_and_only_those_who_may_decide(
    old_prices: None, felix: Staff, sofia: Staff, root: Staff
) -> None:
    propose_prices([OPUS])
    proposal = waiting()
    assert ("output", Decimal(3), Decimal(20)) in differences(proposal)
    body = at_desk(felix).get(address_of(proposal)).content.decode()
    assert "What would change" in body
    assert "$20.00" in body
    assert at_desk(sofia).get(address_of(proposal)).status_code == 403
    assert press(sofia, proposal, "approve") == 403
    front = at_desk(root).get(reverse("admin:index")).content.decode()
    assert list_address(PriceProposal, state__exact="waiting") in front
    press(felix, proposal, "approve")
    decided = at_desk(felix).get(address_of(proposal)).content.decode()
    assert reverse("admin:billing_priceproposal_approve", args=[proposal.pk]) not in decided
