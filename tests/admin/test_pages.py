"""Every page of every model: it opens, it escapes, it asks the database little, and it shows no words."""

import re

from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.admin_pages import address_of, list_address
from accounts.models import Staff
from billing.models import StarRate
from conversations.models import Message
from tests.admin.conftest import at_desk, make_everything

ATTACK = "<img src=x onerror=alert(1)>{{7*7}}"
MODELS = sorted(admin.site._registry, key=lambda model: model._meta.label)
ALL = {"Chat", "DeadEvent", "Message", "Thread", "Turn", "UserFile", "User", "Staff", "ToolCall", "Update"} | {
    "BalanceOperation", "Hold", "Payment", "Price", "StarRate", "Group", "LogEntry", "Announcement", "Delivery",
    "UnmatchedTransaction", "Voucher", "LongRun", "AbsorbedCost", "PriceProposal", "Ban",
}  # fmt: skip


def read(client: Client, address: str) -> str:
    response = client.get(address)
    assert response.status_code == 200, (address, response.status_code)
    return response.content.decode()


def queries_of(client: Client, address: str) -> int:
    """The fewest of three readings: a session that the busy cache let go costs one of them a query more."""
    counts = []
    for _ in range(3):
        with CaptureQueriesContext(connection) as queries:
            read(client, address)
        counts.append(len(queries))
    return min(counts)


def test_a_step_shows_how_much_of_its_prompt_came_from_the_cache(root: Staff) -> None:
    rows, desk = make_everything(3, "plain"), at_desk(root)
    rows["message"].usage = {"input": 50, "cache_read": 4_500, "cache_write_5m": 450, "output": 9}
    rows["message"].save()
    for name in ("turn", "thread", "message"):
        assert "90%" in read(desk, address_of(rows[name])), name
    assert "5,000" in read(desk, address_of(rows["turn"]))


def test_every_model_has_pages() -> None:
    assert {model.__name__ for model in MODELS} == ALL


def test_what_people_typed_is_escaped_on_every_page(root: Staff) -> None:
    rows, desk = make_everything(5, ATTACK), at_desk(root)
    for model in MODELS:
        row = rows[model._meta.model_name]
        page = address_of(row)
        pages = [list_address(model), f"{list_address(model)}?q=img", page, f"{page}?words=1"]
        if model is not LogEntry:
            pages.append(page.replace("change/", "history/"))
        for address in pages:
            body = read(desk, address)
            assert "<img src=x" not in body, address
            assert "alert(1)>" not in body, address
            assert not re.search(r"\b(href|src)=.?javascript:", body), address
        if model is not StarRate:  # it has no text
            body = read(desk, page)
            assert "&lt;img src=x" in body, page
            assert "{{7*7}}" in body, page


def test_forms_and_the_front_page_escape_too(root: Staff) -> None:
    rows = make_everything(5, ATTACK)
    desk = at_desk(root)
    person = rows["user"].pk
    for page in [
        reverse("admin:index"),
        reverse("admin:billing_balanceoperation_adjust", args=[person]),
        reverse("admin:accounts_user_block", args=[person]),
    ]:
        assert "<img src=x" not in read(desk, page)
    assert "&lt;img src=x" in read(desk, reverse("admin:accounts_user_block", args=[person]))


def test_a_list_asks_as_often_for_many_rows_as_for_few(root: Staff) -> None:
    desk = at_desk(root)
    counts = []
    for numbers in (range(1, 3), range(3, 9)):
        for number in numbers:
            make_everything(number, f"text {number}")
        for model in MODELS:
            read(desk, list_address(model))  # the session and the content types are known from now on
        counts.append({model._meta.label: queries_of(desk, list_address(model)) for model in MODELS})
    assert counts[0] == counts[1]
    assert max(counts[0].values()) <= 12


def test_the_page_of_a_row_asks_as_often_for_many_related_rows_as_for_few(root: Staff) -> None:
    rows, desk = make_everything(1, "text"), at_desk(root)
    pages = [f"{address_of(rows[name])}?words=1" for name in ("user", "thread", "turn")]
    pages.append(address_of(rows["chat"]))
    counts = []
    for more in (2, 8):
        for _ in range(more):
            Message.objects.create(
                thread=rows["thread"], turn=rows["turn"], role="user", parts=(), chat=rows["chat"]
            )
        for page in pages:
            read(desk, page)  # the session and the content types are known from now on
        counts.append({page: queries_of(desk, page) for page in pages})
    assert counts[0] == counts[1]
    assert max(counts[0].values()) <= 16


def test_no_list_counts_its_table_to_the_end(root: Staff) -> None:
    desk = at_desk(root)
    for model in MODELS:
        if model in {Staff, Group}:  # a handful of rows each
            continue
        read(desk, list_address(model))  # the sums above a list are of some days, and kept
        with CaptureQueriesContext(connection) as queries:
            read(desk, list_address(model))
        counting = [query["sql"] for query in queries if "COUNT(" in query["sql"]]
        assert counting, model
        assert all("LIMIT 10001" in sql for sql in counting), counting


def test_a_list_of_messages_does_not_fetch_what_they_say(root: Staff) -> None:
    make_everything(1, "text")
    with CaptureQueriesContext(connection) as queries:
        read(at_desk(root), list_address(Message))
    assert not [query["sql"] for query in queries if '"parts"' in query["sql"]]


def test_people_and_threads_are_found(root: Staff) -> None:
    rows, others, desk = make_everything(4711, "someone"), make_everything(4712, "other"), at_desk(root)
    rows["user"].last_name = "Lindqvist"
    rows["user"].save()
    rows["thread"].title = "Trip to Lisbon"
    rows["thread"].save()
    for name, query in [("user", "lindq"), ("user", "4711"), ("thread", "lisbon"), ("thread", "4711")]:
        body = read(desk, f"{list_address(type(rows[name]))}?q={query}")
        assert address_of(rows[name]) in body, query
        assert address_of(others[name]) not in body, query


def test_the_front_page_tells_how_the_bot_is(root: Staff) -> None:
    make_everything(7, "text")
    desk = at_desk(root)
    body = read(desk, reverse("admin:index"))
    for words in [
        "Last update",
        "Running turns",
        "Open holds",
        "Event queue",
        "Dead events",
        "Cost today",
        "Revenue today",
        "Books",
        "agree",
        "$0.01",
    ]:
        assert words in body
    assert queries_of(desk, reverse("admin:index")) <= 16
