"""Adjusting a balance: once per form, with a reason, logged, and large amounts by two people."""

import re
import uuid
from decimal import Decimal
from threading import Thread

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group
from django.contrib.messages import get_messages
from django.db import connection
from django.test import Client
from django.urls import reverse

from accounts.models import Staff, User
from billing.models import BalanceOperation
from tests.admin.conftest import at_desk


def adjustments() -> list[BalanceOperation]:
    return list(BalanceOperation.objects.filter(kind="adjustment"))


def send(desk: Client, person: User, **fields: str) -> int:
    address = reverse("admin:billing_balanceoperation_adjust", args=[person.pk])
    data = {"amount": "2.50", "reason": "The outage", "form": str(uuid.uuid4())} | fields
    return desk.post(address, data).status_code


def test_an_adjustment_is_an_operation_with_its_reason_and_who_made_it(felix: Staff, anna: User) -> None:
    assert send(at_desk(felix), anna, amount="-0.000001234") == 302
    (operation,) = adjustments()
    assert operation.amount == Decimal("-0.000001234")
    assert (operation.reason, operation.actor) == ("The outage", felix)
    anna.refresh_from_db()
    assert anna.balance == Decimal("9.999998766")


def test_the_log_keeps_the_old_and_the_new_balance(felix: Staff, anna: User) -> None:
    send(at_desk(felix), anna)
    entry = LogEntry.objects.get()
    assert entry.change_message == "Adjusted the balance by $2.50, $10.00 → $12.50: The outage"
    assert (entry.user_id, entry.object_id) == (felix.pk, str(anna.pk))


def test_the_same_form_sent_twice_is_one_operation_and_one_entry_in_the_log(felix: Staff, anna: User) -> None:
    form = str(uuid.uuid4())
    assert [send(at_desk(felix), anna, form=form) for _ in range(2)] == [302, 302]
    assert len(adjustments()) == LogEntry.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_two_clicks_at_once_are_one_operation_and_one_entry_in_the_log(
    transactional_db: None, felix: Staff, anna: User
) -> None:
    form = str(uuid.uuid4())
    desks = [at_desk(felix) for _ in range(4)]

    def click(desk: Client) -> None:
        send(desk, anna, form=form)
        connection.close()

    clicks = [Thread(target=click, args=[desk]) for desk in desks]
    for one in clicks:
        one.start()
    for one in clicks:
        one.join()
    assert len(adjustments()) == LogEntry.objects.count() == 1


def test_a_form_used_for_one_amount_is_refused_for_another(felix: Staff, anna: User) -> None:
    form = str(uuid.uuid4())
    send(at_desk(felix), anna, form=form)
    assert send(at_desk(felix), anna, form=form, amount="3") == 200
    assert len(adjustments()) == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"reason": ""},
        {"reason": "   "},
        {"amount": ""},
        {"amount": "0"},
        {"amount": "NaN"},
        {"amount": "Infinity"},
        {"amount": "0.0000000001"},
        {"amount": "1000000"},
        {"form": ""},
        {"form": "not a form's id"},
    ],
)
def test_a_form_that_is_not_right_moves_nothing(wrong: dict[str, str], felix: Staff, anna: User) -> None:
    assert send(at_desk(felix), anna, **wrong) == 200
    assert not adjustments()
    assert not LogEntry.objects.exists()


# A second pair of eyes ---------------------------------------------------------------------------


@pytest.fixture
def frida(db: None) -> Staff:
    """Of Finance, too."""
    staff = Staff.objects.create_user("frida", is_staff=True)
    staff.groups.add(Group.objects.get(name="Finance"))
    return staff


def ask(desk: Client, person: User) -> str:
    """Ask for a large adjustment; returns the address where it is confirmed."""
    address = reverse("admin:billing_balanceoperation_adjust", args=[person.pk])
    response = desk.post(address, {"amount": "50.01", "reason": "A prize", "form": str(uuid.uuid4())})
    assert response.status_code == 302
    (said,) = [str(message) for message in get_messages(response.wsgi_request)]
    found = re.search(r'href="http://testserver([^"]+)"', said)
    assert found
    return found[1]


def test_a_large_adjustment_waits_for_somebody_else(felix: Staff, frida: Staff, anna: User) -> None:
    address = ask(at_desk(felix), anna)
    assert not adjustments()
    assert "A prize" in at_desk(frida).get(address).content.decode()
    assert at_desk(frida).post(address).status_code == 302
    (operation,) = adjustments()
    assert operation.amount == Decimal("50.01")
    assert operation.actor == frida
    assert operation.reason == "A prize (asked for by felix)"


def test_a_large_adjustment_confirmed_twice_is_made_once(felix: Staff, frida: Staff, anna: User) -> None:
    address = ask(at_desk(felix), anna)
    for _ in range(2):
        at_desk(frida).post(address)
    assert len(adjustments()) == 1


def test_who_asked_cannot_confirm(felix: Staff, anna: User) -> None:
    address = ask(at_desk(felix), anna)
    assert at_desk(felix).post(address).status_code == 403
    assert not adjustments()


def test_who_may_not_adjust_cannot_confirm(felix: Staff, sofia: Staff, anna: User) -> None:
    assert at_desk(sofia).post(ask(at_desk(felix), anna)).status_code == 403
    assert not adjustments()


def test_a_request_that_was_altered_is_refused(felix: Staff, frida: Staff, anna: User) -> None:
    address = ask(at_desk(felix), anna)
    assert at_desk(frida).post(address.replace("confirm/", "confirm/x")).status_code == 403
    assert not adjustments()
