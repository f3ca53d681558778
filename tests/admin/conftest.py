"""Staff at their desks, and one row of everything to look at."""

import uuid
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import Group
from django.core.files.base import ContentFile
from django.test import Client
from django.utils import timezone

from accounts.models import Ban, Staff, User
from billing import ledger
from billing.models import (
    AbsorbedCost,
    Hold,
    Payment,
    Price,
    PriceProposal,
    StarRate,
    UnmatchedTransaction,
    Voucher,
)
from conversations import parts
from conversations.models import Chat, DeadEvent, Message, Thread, Turn, UserFile
from telegram_bot.models import Announcement, Delivery, Update
from tests.people import ANNA
from tools.models import LongRun, ToolCall


@pytest.fixture(autouse=True)
def _files_of_its_own(settings: Any, tmp_path: Any) -> None:
    settings.MEDIA_ROOT = tmp_path


@pytest.fixture
def root(db: None) -> Staff:
    return Staff.objects.create_superuser("root")


@pytest.fixture
def sofia(db: None) -> Staff:
    """Of Support."""
    return _staff("sofia", "Support")


@pytest.fixture
def felix(db: None) -> Staff:
    """Of Finance."""
    return _staff("felix", "Finance")


def _staff(name: str, group: str) -> Staff:
    staff = Staff.objects.create_user(name, is_staff=True)
    staff.groups.add(Group.objects.get(name=group))
    return staff


def at_desk(staff: Staff) -> Client:
    """A browser in which this member of staff is logged in."""
    client = Client()
    client.force_login(staff)
    return client


@pytest.fixture
def anna(db: None) -> User:
    person = User.objects.create(telegram_id=ANNA, first_name="Anna", username="anna")
    ledger.credit(person.pk, key=f"pay:{uuid.uuid4()}", amount=Decimal(10), kind="top_up")
    person.refresh_from_db()
    return person


def _ban(person: User, actor: Staff, why: str) -> Ban:
    entry = LogEntry.objects.log_actions(
        actor.pk, [person], CHANGE, change_message=f"Blocked. {why}", single_object=True
    )
    return Ban.objects.get(pk=entry.pk)


def make_everything(number: int, text: str, *, words: str = "") -> dict[str, Any]:
    """One row of every model whose every text is `text`; what people and models said is `words`."""
    words = words or text
    now = timezone.now()
    person = User.objects.create(
        telegram_id=number, username=text, first_name=text, last_name=text, instructions=words, model=text
    )
    actor = Staff.objects.create_user(f"{text}{number}", first_name=text, is_staff=True)
    chat = Chat.objects.create(telegram_id=number, kind="group", title=text)
    thread = Thread.objects.create(chat=chat, title=text, system=words, tools=words)
    turn = Turn.objects.create(
        thread=thread,
        user=person,
        model=text,
        failure=text[:32],
        state="failed",
        finished_at=now,
        sent=[text],
    )
    call = parts.ToolCall(text, text, {"code": words})
    file = parts.File(text, text, text, 7)
    said = Message.objects.create(
        thread=thread,
        turn=turn,
        seq=number,
        role="assistant",
        author=person,
        chat=chat,
        telegram_id=number,
        step=0,
        cost=Decimal("0.01"),
        usage={"note": text},
        parts=(
            parts.Text(words),
            parts.Thinking(words),
            file,
            call,
            parts.ToolResult(text, text, words, True, (file,)),
            parts.Opaque({"vendor": {"note": words}}),
            parts.Summary(words, "0.01"),
        ),
    )
    kept = UserFile.objects.create(
        thread=thread, user=person, short_id=text[:16], name=text, mime=text, size=7, made_by=text
    )
    kept.stored.save("content", ContentFile(words.encode()))
    ledger.credit(
        person.pk, key=f"pay:{text}{number}", amount=Decimal(10), kind="top_up", details={"note": text}
    )
    operation = ledger.adjust(
        person.pk, key=f"admin:{text}{number}", amount=Decimal(1), reason=text, actor_id=actor.pk
    )
    hold = ledger.hold(person.pk, key=turn.hold_key, estimate=Decimal(1), expires_in=timedelta(minutes=5))
    ledger.settle(
        turn.hold_key, key=f"{turn.hold_key}:step:0", amount=Decimal("0.01"), details={"model": text}
    )
    person.refresh_from_db()
    announcement = Announcement.objects.create(
        text_en=text, text_ru=text, made_by=actor, state="paused", confirmed_at=now
    )
    return {
        "announcement": announcement,
        "delivery": Delivery.objects.create(
            announcement=announcement, user=person, state="refused", error=text
        ),
        "user": person,
        "staff": actor,
        "group": Group.objects.create(name=f"{text}{number}"),
        "chat": chat,
        "thread": thread,
        "turn": turn,
        "message": said,
        "userfile": kept,
        "toolcall": ToolCall.objects.create(
            id=uuid.uuid4(),
            user=person,
            thread=thread,
            turn=turn,
            call_id=text,
            name=text,
            arguments=words,
            result=words,
            files=[text],
            status="failed",
            error=words,
            started_at=now,
        ),
        "longrun": LongRun.objects.create(
            user=person,
            thread=thread,
            turn=turn,
            call_id=text,
            name=text,
            arguments=words,
            language="en",
            state="failed",
            progress=words,
            text=words,
            files=[{"name": text, "mime": text, "place": text}],
            deliveries=words,
            asked_at=now,
            ended_at=now,
        ),
        "update": Update.objects.create(
            update_id=number, payload=words, kind=text, lane=number, handled_at=now, error=text
        ),
        "deadevent": DeadEvent.objects.create(
            id=uuid.uuid4(),
            kind=text,
            payload=words,
            error=f"{text}\n{words}",
            attempts=3,
            happened_at=now,
        ),
        "balanceoperation": operation,
        "absorbedcost": AbsorbedCost.objects.create(
            key=f"{text}{number}", kind="late", cost=Decimal("0.01"), user=person, details={"note": text}
        ),
        "hold": Hold.objects.get(pk=hold.pk),
        "payment": Payment.objects.create(
            user=person,
            state="paid",
            charge_id=f"{text}{number}",
            stars=100,
            usd=Decimal("0.65"),
            usd_per_star=Decimal("0.013"),
            k1=Decimal("0.35"),
            k2=Decimal("0.15"),
            k3=Decimal(0),
            expires_at=now,
            paid_at=now,
            note=text,
            refund_reason=text,
        ),
        "price": Price.objects.create(
            item=f"{text}{number}", effective_from=now, per_unit=Decimal("0.01"), source=text
        ),
        "priceproposal": PriceProposal.objects.create(
            item=f"{text}{number}", per_unit=Decimal("0.02"), source=text, reason=text
        ),
        "unmatchedtransaction": UnmatchedTransaction.objects.create(
            transaction_id=f"{text}{number}",
            incoming=True,
            stars=5,
            partner=text,
            happened_at=now,
            settled_reason=text,
        ),
        "voucher": Voucher.objects.create(
            code=f"{text[:30]}{number}", usd=Decimal(1), reason=text, made_by=actor
        ),
        "starrate": StarRate.objects.create(
            effective_from=now + timedelta(seconds=number),
            usd_per_star=Decimal("0.013"),
            k1=Decimal("0.35"),
            k2=Decimal("0.15"),
            k3=Decimal(0),
        ),
        "ban": _ban(person, actor, text),
        "logentry": LogEntry.objects.log_actions(
            actor.pk, [person], CHANGE, change_message=text, single_object=True
        ),
    }
