"""Prices that wait for somebody of the staff: proposed by syncprices, approved or refused at the desk."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

import structlog
from django.db import transaction
from django.db.models.functions import Now
from django.utils import timezone

from billing.errors import ProposalDecided
from billing.models_prices import NUMBERS, Price, PriceProposal
from billing.prices import rates_now

log = structlog.get_logger(__name__)


def enter(
    item: str, numbers: Mapping[str, Any], *, source: str, at: datetime | None, display_order: int
) -> Price:
    """A price from now on, or from a day to come; whether and where its model is offered stays as staff chose."""
    rows = Price.objects.filter(item=item, effective_from__lte=at or Now()).order_by("-effective_from")
    before = rows.first()
    price = Price.objects.create(
        item=item,
        **numbers,
        source=source,
        effective_from=at or Now(),
        enabled=True if before is None else before.enabled,
        display_order=display_order if before is None else before.display_order,
    )
    log.info("price_added", item=item, source=source, at=at)
    return price


def propose(
    item: str, numbers: Mapping[str, Any], *, source: str, at: datetime | None, display_order: int
) -> PriceProposal | None:
    """Have staff decide about a price. None when these very numbers wait already, or were refused."""
    last = PriceProposal.objects.filter(item=item, effective_from=at).first()
    if last is not None and last.state in (last.State.WAITING, last.State.REFUSED):
        if _numbers_of(last) == {**dict.fromkeys(NUMBERS), **numbers}:
            return None
        PriceProposal.objects.filter(pk=last.pk, state=last.State.WAITING).update(state=last.State.OUTDATED)
    made = PriceProposal.objects.create(
        item=item, **numbers, source=source, effective_from=at, display_order=display_order
    )
    log.warning("price_proposed", item=item, source=source, at=at)
    return made


@transaction.atomic
def approve(proposal_id: int, *, by: int, reason: str) -> Price:
    """Make a proposal a price, from its day on or from now. Raises ProposalDecided."""
    proposal = _decided(proposal_id, PriceProposal.State.APPROVED, by, reason)
    at = proposal.effective_from
    if at is not None and at <= timezone.now():
        at = None  # its day went by while it waited: nothing is charged anew
    price = enter(
        proposal.item,
        _numbers_of(proposal),
        source=proposal.source,
        at=at,
        display_order=proposal.display_order,
    )
    transaction.on_commit(rates_now.cache_clear)
    return price


@transaction.atomic
def refuse(proposal_id: int, *, by: int, reason: str) -> None:
    """Leave the price as it is; these numbers are not proposed again. Raises ProposalDecided."""
    _decided(proposal_id, PriceProposal.State.REFUSED, by, reason)


def _decided(proposal_id: int, state: str, by: int, reason: str) -> PriceProposal:
    waiting = PriceProposal.objects.filter(pk=proposal_id, state=PriceProposal.State.WAITING)
    if not waiting.update(state=state, decided_by=by, decided_at=Now(), reason=reason):
        raise ProposalDecided("somebody was quicker, or the source says something newer")
    return PriceProposal.objects.get(pk=proposal_id)


def differences(proposal: PriceProposal) -> list[tuple[str, Decimal | int | None, Decimal | int | None]]:
    """What it would change: each number by its name, as it is now and as it would be."""
    at = proposal.effective_from or timezone.now()
    rows = Price.objects.filter(item=proposal.item, effective_from__lte=at).order_by("-effective_from")
    before, after = rows.first(), _numbers_of(proposal)
    now = _numbers_of(before) if before else dict.fromkeys(NUMBERS)
    return [(name, now[name], after[name]) for name in NUMBERS if now[name] != after[name]]


def _numbers_of(row: Price | PriceProposal) -> dict[str, Any]:
    return {name: getattr(row, name) for name in NUMBERS}
