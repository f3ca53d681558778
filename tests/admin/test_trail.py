"""The audit trail, the exports, and what each tool costs."""

import csv
import io
import uuid
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.admin_pages import address_of, list_address
from accounts.models import Staff, User
from accounts.spreadsheets import cell
from billing import ledger
from billing.models import Price
from telegram_bot.models import Announcement
from tests.admin.conftest import at_desk, make_everything
from tools.models import ToolCall

FORMULA = '=HYPERLINK("http://evil.example","click")'


def downloaded(client: Client, view: str) -> list[list[str]]:
    response: Any = client.get(reverse(view))
    assert response.status_code == 200
    assert "attachment" in response["Content-Disposition"]
    text = b"".join(response.streaming_content).decode("utf-8-sig")
    return list(csv.reader(io.StringIO(text)))


@pytest.fixture
def exporter(felix: Staff) -> Staff:
    felix.user_permissions.add(Permission.objects.get(codename="export_rows"))
    return felix


@pytest.mark.parametrize("begin", ["=", "+", "-", "@", "\t", "\r"])
def test_what_would_begin_a_formula_gets_a_quote(begin: str) -> None:
    assert cell(f"{begin}1+1") == f"'{begin}1+1"


def test_numbers_stay_numbers_in_an_export() -> None:
    assert cell(Decimal("-0.000000001")) == "-0.000000001"
    assert cell(-5) == "-5"


def test_people_are_exported_without_a_formula(exporter: Staff) -> None:
    User.objects.create(telegram_id=9, first_name=FORMULA, username="\tx")
    header, row = downloaded(at_desk(exporter), "admin:accounts_user_export_people")
    person = dict(zip(header, row, strict=True))
    assert (person["first_name"], person["username"], person["telegram_id"]) == (f"'{FORMULA}", "'\tx", "9")
    assert LogEntry.objects.get().change_message == "Exported people."


def test_operations_are_exported_to_the_last_digit(exporter: Staff, anna: User) -> None:
    ledger.adjust(anna.pk, key="k", amount=Decimal("-0.000000001"), reason=FORMULA, actor_id=exporter.pk)
    header, _, row = downloaded(at_desk(exporter), "admin:accounts_user_export_operations")
    operation = dict(zip(header, row, strict=True))
    assert (operation["amount"], operation["reason"]) == ("-0.000000001", f"'{FORMULA}")


def test_nobody_exports_without_the_permission(felix: Staff, sofia: Staff) -> None:
    for staff in (felix, sofia):
        for view in ("export_people", "export_operations"):
            assert at_desk(staff).get(reverse(f"admin:accounts_user_{view}")).status_code == 403
    assert not LogEntry.objects.exists()


def test_a_changed_price_is_logged_with_what_it_was(felix: Staff) -> None:
    price: Price = make_everything(3, "text")["price"]
    LogEntry.objects.all().delete()
    at_desk(felix).post(address_of(price), {"enabled": "on", "display_order": "7", "_save": "1"})
    assert LogEntry.objects.get().change_message == "Changed: display_order 100 → 7"


def test_a_login_is_in_the_trail(db: None, settings: Any) -> None:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    Staff.objects.create_user("greta", password="right", is_staff=True)
    for password in ("wrong", "right"):
        where = f"{reverse('admin:login')}?next=/admin/"
        Client().post(where, {"username": "greta", "password": password}, REMOTE_ADDR="10.0.0.7")
    assert LogEntry.objects.get().change_message == "Logged in from 10.0.0.7."


@pytest.mark.parametrize(
    ("act", "words"),
    [
        ("money", "Adjusted the balance by"),
        ("blocks", "Blocked."),
        ("looks", "Read the words."),
        ("logins", "no"),
    ],
)
def test_the_trail_is_filtered_by_what_was_done(root: Staff, anna: User, act: str, words: str) -> None:
    desk = at_desk(root)
    form = {"amount": "1", "reason": "The outage", "form": str(uuid.uuid4())}
    desk.post(reverse("admin:billing_balanceoperation_adjust", args=[anna.pk]), form)
    desk.post(reverse("admin:accounts_user_block", args=[anna.pk]), {"reason": "Adverts"})
    desk.get(f"{address_of(anna)}?words=1")
    listed: Any = desk.get(list_address(LogEntry, act=act)).context["cl"].result_list
    assert [entry.change_message.startswith(words) for entry in listed] == ([True] if act != "logins" else [])


def test_an_announcement_is_confirmed_in_a_second_step_by_who_may(
    root: Staff, sofia: Staff, anna: User
) -> None:
    desk = at_desk(root)
    add = reverse("admin:telegram_bot_announcement_add")
    texts = {"audience": "all", "language": "", "text_en": "**News**", "text_ru": "Новости"}
    assert at_desk(sofia).get(add).status_code == 403
    assert desk.post(add, texts | {"text_en": "x" * 5000}).status_code == 200
    assert desk.post(add, texts).status_code == 302
    row = Announcement.objects.get()
    send = reverse("admin:telegram_bot_announcement_send", args=[row.pk])
    assert 'class="starling-bold">News<' in desk.get(address_of(row)).content.decode()
    assert "Send it to 1 person?" in desk.get(send).content.decode()
    assert at_desk(sofia).post(send).status_code == 403
    assert not row.deliveries.exists()
    assert desk.post(send).status_code == 302
    page = desk.get(address_of(row))
    assert page["Refresh"] == "3"
    assert "Waiting" in page.content.decode()
    assert [delivery.user for delivery in row.deliveries.all()] == [anna]
    assert "Sent to 1 person: draft → sending." in LogEntry.objects.latest("pk").change_message
    assert desk.get(send).status_code == 200
    assert desk.post(address_of(row), texts | {"text_en": "Other", "_save": "1"}).status_code == 403


def test_a_person_is_found_by_their_name_as_people_write_it(root: Staff, anna: User) -> None:
    body = at_desk(root).get(f"{list_address(User)}?q=@anna").content.decode()
    assert address_of(anna) in body


def test_each_tool_has_its_runs_failures_seconds_and_dollars(root: Staff, anna: User) -> None:
    for status in ("done", "done", "done", "failed"):
        ToolCall.objects.create(
            id=uuid.uuid4(), user=anna, call_id="c", name="generate_image", status=status, seconds=2,
            cost=Decimal("0.04"), started_at=timezone.now(),
        )  # fmt: skip
    body = at_desk(root).get(list_address(ToolCall)).content.decode()
    assert "4 runs" in body
    assert "1 failed (25 %) · 2.0 s each · $0.16" in body
    assert at_desk(root).get(list_address(ToolCall, cost="dime")).context["cl"].result_count == 0
    assert at_desk(root).get(list_address(ToolCall, cost="paid")).context["cl"].result_count == 4
