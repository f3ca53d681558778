"""The inbox's table, and the one transaction in which a burst becomes a turn."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db import connection, transaction
from django.utils import timezone

from accounts.models import User
from accounts.profiles import Profile
from accounts.services import (
    INSTRUCTIONS_MAX,
    is_asked_for_instructions,
    language_of,
    set_instructions,
    sync_user,
)
from billing import refunds, stars
from billing.ledger import grant_starting_credit
from billing.models import UnmatchedTransaction
from conversations.contracts import Model, Tool
from conversations.edits import amend
from conversations.history import joined_text
from conversations.models import Message
from conversations.parts import Parts, Text
from conversations.threads import lane, receive, start_beside, sync_chat
from conversations.topics import title_of
from conversations.turns import Claim, claim_turn
from telegram_bot.intake import Inbound, kind_of, lane_of
from telegram_bot.models import Update

ERROR_MAX = 255
KEPT_FOR = timedelta(days=7)


def store_updates(payloads: Sequence[Mapping[str, Any]]) -> set[int]:
    """Store updates as they came, in one statement; returns the ids that are new here.

    One that Telegram delivers again stays as it is: it is in hand, or handled, or recovery's.
    """
    rows = [
        (payload["update_id"], json.dumps(payload), kind_of(payload), lane_of(payload))
        for payload in payloads
    ]
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO telegram_bot_update"
            " (update_id, payload, kind, lane, received_at, attempts, error)"
            " SELECT update_id, payload, kind, lane, now(), 0, ''"
            " FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::bigint[]) AS new (update_id, payload, kind, lane)"
            " ON CONFLICT DO NOTHING RETURNING update_id",
            [list(column) for column in zip(*rows, strict=True)],
        )
        return {number for (number,) in cursor.fetchall()}


def unhandled() -> list[int]:
    """Updates that were stored and never finished, in the order they came."""
    rows = Update.objects.filter(handled_at__isnull=True).order_by("received_at", "update_id")
    return list(rows.values_list("pk", flat=True))


def payloads_of(update_ids: Sequence[int]) -> list[dict[str, Any]]:
    """Those of these updates that are still unhandled, in the order they came."""
    rows = Update.objects.filter(pk__in=update_ids, handled_at__isnull=True)
    rows = rows.order_by("received_at", "update_id")
    return [json.loads(payload) for payload in rows.values_list("payload", flat=True)]


def mark_handled(update_ids: Sequence[int]) -> None:
    Update.objects.filter(pk__in=update_ids, handled_at__isnull=True).update(handled_at=timezone.now())


def mark_dead(update_ids: Sequence[int], *, attempts: int, error: str) -> None:
    """Give up on updates that cannot be handled; staff see them, the chat goes on."""
    Update.objects.filter(pk__in=update_ids).update(
        handled_at=timezone.now(), attempts=attempts, error=error[:ERROR_MAX] or "unknown"
    )


def prune_inbox() -> int:
    """Forget handled updates after a week; dead ones stay until staff remove them."""
    old = Update.objects.filter(handled_at__lt=timezone.now() - KEPT_FOR, error="")
    return old.delete()[0]


@dataclass(frozen=True, slots=True)
class Desk:
    """Who answers here and with what: this process's name, its models and its tools."""

    owner: str
    models: Mapping[str, Model]
    tools: Mapping[str, Tool]


@dataclass(frozen=True, slots=True)
class Said:
    """A sentence of ours that answers a burst in place of a model."""

    sentence: str
    language: str
    context: Mapping[str, Any]


@transaction.atomic
def take_in(burst: Sequence[Inbound], update_ids: Sequence[int], desk: Desk) -> Claim | Said | None:
    """Store one burst of a person's messages and begin the turn that answers it.

    One commit: the messages are there, their updates are handled, and the money for the first model
    call is held, or none of it. None when a turn is already running: it, or its end,
    takes them in. Staff's word is final: a blocked person's messages are not kept.
    """
    first = burst[0]
    user = sync_user(first.sender)
    if user.blocked_at is not None:
        mark_handled(update_ids)
        return None
    if said := _take_instructions(user, burst):
        mark_handled(update_ids)
        return said
    if not (user.balance or user.held):  # perhaps new; the ledger knows who has had it
        grant_starting_credit(user.pk)
    thread = lane(
        telegram_id=first.chat_id,
        kind=first.chat_kind,
        title=first.chat_title,
        topic=first.topic,
        user=user,
        tools=desk.tools.values(),
    )
    if first.topic is not None and not thread.last_seq:
        thread.title = title_of(thread.chat, first.topic)
        thread.save(update_fields=["title"])
    if thread.dead_at is not None:  # its topic was closed, and is open again
        thread.dead_at = None
        thread.save(update_fields=["dead_at"])
    receive(thread, author=user, messages=[(inbound.message_id, inbound.brought) for inbound in burst])
    mark_handled(update_ids)
    return claim_turn(thread, user=user, owner=desk.owner, models=desk.models)


def _take_instructions(user: User, burst: Sequence[Inbound]) -> Said | None:
    """What a person was asked to write is no question to a model; None when nothing was asked, or it is no text."""
    parts = [part for inbound in burst for part in inbound.parts]
    if burst[0].chat_kind != "private" or not is_asked_for_instructions(user):
        return None
    words = [part for part in parts if isinstance(part, Text)]
    if len(words) < len(parts):
        return None
    text = joined_text(words).strip().removeprefix(burst[0].frame).strip()
    counts = {"length": len(text), "longest": INSTRUCTIONS_MAX}
    if len(text) > INSTRUCTIONS_MAX:
        return Said("instructions_too_long", language_of(user), counts)
    set_instructions(user, text)
    return Said("instructions_set", language_of(user), {"instructions": text})


@transaction.atomic
def take_payment(sender: Profile, paid: stars.Paid, update_id: int) -> int:
    """Credit what a person paid, in the commit that handles its update; returns the payment.

    Blocked people too: it was paid. Somebody never seen before is taken in on the spot.
    """
    user = sync_user(sender)
    payment = stars.take_payment(user.pk, paid)
    mark_handled([update_id])
    return payment.pk


@transaction.atomic
def take_refund(charge_id: str, update_id: int) -> int | None:
    """Telegram says in a chat that Stars went back; returns the payment if it is one of ours."""
    payment = refunds.gone_back(charge_id)
    mark_handled([update_id])
    return payment.pk if payment else None


@transaction.atomic
def keep_foreign_payment(paid: stars.Paid, partner: str, update_id: int) -> None:
    """A payment in a currency that was never asked for: nothing is credited, staff look at it."""
    UnmatchedTransaction.objects.get_or_create(
        transaction_id=paid.charge_id,
        incoming=True,
        defaults={"stars": paid.stars, "partner": partner, "happened_at": paid.at},
    )
    mark_handled([update_id])


@transaction.atomic
def take_in_guest(
    sender: Profile, parts: Parts, *, guest_message: str, update_id: int, desk: Desk
) -> Claim | None:
    """Store a question from a chat the bot is not in, and begin the turn that answers it there.

    It begins a thread of its own in the person's private chat, where they can go on with it. The message
    has no number of that chat, so it is the update that is taken once. None when staff blocked the person.
    """
    user = sync_user(sender)
    mark_handled([update_id])
    if user.blocked_at is not None:
        return None
    if not (user.balance or user.held):
        grant_starting_credit(user.pk)
    chat = sync_chat(telegram_id=sender.telegram_id, kind="private", title=user.display_name)
    thread = start_beside(chat, user=user, tools=desk.tools.values())
    Message.objects.create(thread=thread, chat=chat, author=user, role="user", parts=parts)
    return claim_turn(thread, user=user, owner=desk.owner, models=desk.models, guest_message=guest_message)


@transaction.atomic
def take_edit(inbound: Inbound, update_id: int, desk: Desk) -> Claim | None:
    """Take in what a message says now, and begin the turn that answers it, if it is to be answered at once."""
    assert inbound.edited_at is not None
    user = sync_user(inbound.sender)
    mark_handled([update_id])
    if user.blocked_at is not None:
        return None
    return amend(
        user,
        chat_telegram_id=inbound.chat_id,
        telegram_id=inbound.message_id,
        edited_at=inbound.edited_at,
        parts=inbound.brought,
        owner=desk.owner,
        models=desk.models,
    )
