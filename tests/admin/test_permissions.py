"""Who may do what: Support, Finance, nobody, and what not even a superuser may."""

import re
from datetime import timedelta
from importlib import import_module
from typing import Any

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group, Permission
from django.db import connection
from django.db.models import Model
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.admin_pages import address_of, list_address
from accounts.models import Ban, GroupGrant, Staff, User
from billing.models import RATE_FIELDS, BalanceOperation, Hold, Payment, Price, StarRate, Voucher
from config.staff import GROUPS, make_permissions_and_groups
from telegram_bot.models import Announcement
from tests.admin.conftest import at_desk, make_everything

ADDED = {Staff, Group, Price, StarRate, Announcement, Voucher}
READ_ONLY = [model for model in admin.site._registry if model not in ADDED]


def status(client: Client, address: str, data: dict[str, Any] | None = None) -> int:
    return client.get(address).status_code if data is None else client.post(address, data).status_code


def form_address(view: str, row: Model) -> str:
    return reverse(f"admin:{view}", args=[row.pk])


@pytest.mark.parametrize(
    ("view", "support", "finance"),
    [
        ("billing_balanceoperation_adjust", 403, 200),
        ("accounts_user_block", 200, 403),
        ("accounts_user_unblock", 200, 403),
        ("accounts_user_allow_spending", 403, 200),
        ("accounts_user_read_the_words", 403, 403),
    ],
)
def test_each_group_has_its_own_forms(
    view: str, support: int, finance: int, sofia: Staff, felix: Staff, anna: User
) -> None:
    assert status(at_desk(sofia), form_address(view, anna)) == support
    assert status(at_desk(felix), form_address(view, anna)) == finance
    without = Staff.objects.create_user("new", is_staff=True)
    assert status(at_desk(without), form_address(view, anna)) == 403


def test_support_cannot_adjust_by_posting_the_form(sofia: Staff, anna: User) -> None:
    address = form_address("billing_balanceoperation_adjust", anna)
    data = {"amount": "5", "reason": "please", "form": "6ff18f8a-70ae-4bd6-8ec5-0f0ed9ff44a1"}
    assert status(at_desk(sofia), address, data) == 403
    anna.refresh_from_db()
    assert anna.balance == 10


@pytest.mark.parametrize(
    ("model", "support", "finance"),
    [
        ("accounts.user", 200, 200),
        ("accounts.staff", 403, 403),
        ("auth.group", 403, 403),
        ("admin.logentry", 403, 403),
        ("conversations.thread", 200, 403),
        ("conversations.message", 200, 403),
        ("conversations.turn", 200, 200),
        ("tools.toolcall", 200, 200),
        ("tools.longrun", 200, 403),
        ("telegram_bot.update", 200, 403),
        ("telegram_bot.announcement", 200, 403),
        ("conversations.deadevent", 200, 403),
        ("billing.balanceoperation", 200, 200),
        ("billing.absorbedcost", 200, 200),
        ("billing.price", 403, 200),
        ("billing.priceproposal", 403, 200),
        ("accounts.ban", 200, 403),
        ("billing.starrate", 403, 200),
        ("billing.payment", 200, 200),
        ("billing.unmatchedtransaction", 403, 200),
        ("billing.voucher", 403, 200),
    ],
)
def test_each_group_sees_its_own_lists(
    model: str, support: int, finance: int, sofia: Staff, felix: Staff
) -> None:
    address = reverse(f"admin:{model.replace('.', '_')}_changelist")
    assert status(at_desk(sofia), address) == support
    assert status(at_desk(felix), address) == finance


def test_staff_without_rights_sees_an_empty_front_page(db: None) -> None:
    body = (
        at_desk(Staff.objects.create_user("new", is_staff=True)).get(reverse("admin:index")).content.decode()
    )
    assert "Running turns" not in body
    assert "Cost today" not in body


def test_not_even_a_superuser_adds_changes_or_deletes_what_is_only_to_be_read(root: Staff) -> None:
    rows, desk = make_everything(3, "text"), at_desk(root)
    for model in READ_ONLY:
        row = rows[model._meta.model_name]
        before = model.objects.filter(pk=row.pk).values().get()
        assert status(desk, f"{list_address(model)}add/") == 403, model
        assert status(desk, f"{list_address(model)}add/", {"name": "x"}) == 403, model
        assert status(desk, address_of(row), {"amount": "1000", "reason": "x", "_save": "1"}) == 403, model
        assert status(desk, address_of(row).replace("change/", "delete/")) == 403, model
        assert status(desk, address_of(row).replace("change/", "delete/"), {"post": "yes"}) == 403, model
        assert model.objects.filter(pk=row.pk).values().get() == before, model


def test_no_bulk_action_deletes_anything(root: Staff) -> None:
    rows, desk = make_everything(3, "text"), at_desk(root)
    for model in admin.site._registry:
        if model is Group:
            continue
        row = rows[model._meta.model_name]
        data = {"action": "delete_selected", "_selected_action": [str(row.pk)], "post": "yes", "index": "0"}
        desk.post(list_address(model), data)
        assert model.objects.filter(pk=row.pk).exists(), model


def test_no_money_is_editable_in_any_list_or_beside_another_row() -> None:
    for model, page in admin.site._registry.items():
        assert page.list_editable == (), model
        assert page.inlines == (), model


def test_a_price_that_exists_changes_only_in_whether_it_is_offered(felix: Staff) -> None:
    price: Price = make_everything(3, "text")["price"]
    data = {"enabled": "", "display_order": "7", "per_unit": "99", "item": "other", "_save": "1"}
    assert status(at_desk(felix), address_of(price), data) == 302
    changed = Price.objects.get(pk=price.pk)
    assert (changed.enabled, changed.display_order) == (False, 7)
    assert (changed.per_unit, changed.item) == (price.per_unit, price.item)


def test_a_model_that_is_switched_off_stays_off_when_its_announced_price_begins(felix: Staff) -> None:
    now: Price = make_everything(3, "text")["price"]
    rates = {field: getattr(now, field) for field in (*RATE_FIELDS, "per_unit")}
    later = timezone.now() + timedelta(days=10)
    announced = Price.objects.create(item=now.item, effective_from=later, source="the vendor", **rates)
    data = {"enabled": "", "display_order": "7", "_save": "1"}
    assert status(at_desk(felix), address_of(now), data) == 302
    announced.refresh_from_db()
    assert (announced.enabled, announced.display_order) == (False, 7)


def test_a_star_rate_that_exists_never_changes(root: Staff) -> None:
    rate: StarRate = make_everything(3, "text")["starrate"]
    assert status(at_desk(root), address_of(rate), {"k3": "0.9", "_save": "1"}) == 403
    assert status(at_desk(root), address_of(rate).replace("change/", "delete/"), {"post": "yes"}) == 403


def test_finance_enters_a_new_price(felix: Staff) -> None:
    data = {
        "item": "image:new",
        "effective_from_0": "2027-01-01",
        "effective_from_1": "00:00:00",
        "enabled": "on",
        "display_order": "100",
        "source": "the vendor's page",
        "per_unit": "0.04",
        "_save": "1",
    }
    assert status(at_desk(felix), f"{list_address(Price)}add/", data) == 302
    assert Price.objects.get(item="image:new").per_unit.normalize().as_tuple().exponent == -2


def test_only_a_superuser_gives_rights_to_staff(felix: Staff, sofia: Staff) -> None:
    felix.user_permissions.set(Permission.objects.filter(content_type__app_label="accounts"))
    data = {"username": "felix", "is_superuser": "on", "is_staff": "on", "is_active": "on", "_save": "1"}
    for target in (felix, sofia):
        assert status(at_desk(felix), address_of(target), data) == 403
    felix.refresh_from_db()
    assert not felix.is_superuser


def test_what_was_paid_cannot_go_by_deleting_the_person(root: Staff) -> None:
    rows = make_everything(3, "text")
    address = address_of(rows["user"]).replace("change/", "delete/")
    assert status(at_desk(root), address, {"post": "yes"}) == 403
    for model in (User, BalanceOperation, Hold, Payment):
        assert model.objects.exists()


def test_strangers_are_sent_to_the_login(anna: User) -> None:
    for address in [
        reverse("admin:index"),
        address_of(anna),
        form_address("billing_balanceoperation_adjust", anna),
        form_address("accounts_user_block", anna),
    ]:
        response = Client().get(address)
        assert response.status_code == 302
        assert response["Location"].startswith(reverse("admin:login"))


def test_forms_refuse_a_post_from_another_site(felix: Staff, anna: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(felix)
    address = form_address("billing_balanceoperation_adjust", anna)
    data = {"amount": "5", "reason": "please", "form": "6ff18f8a-70ae-4bd6-8ec5-0f0ed9ff44a1"}
    assert client.post(address, data).status_code == 403


def test_a_group_that_was_changed_stays_changed(db: None) -> None:
    from django.core.management import call_command  # noqa: PLC0415  only this test migrates

    support = Group.objects.get(name="Support")
    support.permissions.clear()
    call_command("migrate", verbosity=0)
    assert not support.permissions.exists()


def test_a_block_and_its_reason_are_kept_and_logged(sofia: Staff, anna: User) -> None:
    desk = at_desk(sofia)
    assert status(desk, form_address("accounts_user_block", anna), {"reason": ""}) == 200
    anna.refresh_from_db()
    assert anna.blocked_at is None
    assert status(desk, form_address("accounts_user_block", anna), {"reason": "Sends adverts"}) == 302
    anna.refresh_from_db()
    assert anna.blocked_at is not None
    assert anna.blocked_reason == "Sends adverts"
    assert LogEntry.objects.get().change_message == "Blocked. Sends adverts"
    assert status(desk, form_address("accounts_user_unblock", anna), {"reason": "Promised to stop"}) == 302
    anna.refresh_from_db()
    assert (anna.blocked_at, anna.blocked_reason) == (None, "")


def test_finance_lifts_the_audits_block_for_a_reason(felix: Staff, anna: User) -> None:
    User.objects.update(spending_blocked_at="2026-11-23T00:00Z")
    address = form_address("accounts_user_allow_spending", anna)
    assert status(at_desk(felix), address, {"reason": "The sums agree now"}) == 302
    anna.refresh_from_db()
    assert anna.spending_blocked_at is None
    assert "The sums agree now" in LogEntry.objects.get().change_message


def test_the_front_page_leads_nobody_where_they_may_not_go(felix: Staff) -> None:
    make_everything(3, "text")
    desk = at_desk(felix)
    body = desk.get(reverse("admin:index")).content.decode()
    links = set(re.findall(r'href="(/admin/[^"]+)"', body)) - {reverse("admin:logout")}
    assert f"{list_address(Hold)}?state__exact=open" in links
    assert {link: status(desk, link) for link in links} == dict.fromkeys(links, 200)


# What a version adds -----------------------------------------------------------------------------


def names(group: Group) -> set[str]:
    return {f"{one.content_type.app_label}.{one.codename}" for one in group.permissions.all()}


def test_a_group_gets_what_is_new_and_not_again_what_its_owner_took_away(db: None) -> None:
    finance = Group.objects.get(name="Finance")
    assert names(finance) == set(GROUPS["Finance"])
    finance.permissions.remove(Permission.objects.get(codename="adjust_balance"))
    finance.permissions.add(Permission.objects.get(codename="view_update"))
    # As if an older version had made the group, which knew nothing of proposed prices.
    new = {"billing.approve_price", "billing.view_priceproposal"}
    GroupGrant.objects.filter(permission__in=new).delete()
    finance.permissions.remove(
        *Permission.objects.filter(codename__in=[name.partition(".")[2] for name in new])
    )
    for _ in range(2):
        make_permissions_and_groups("default")
        expected = set(GROUPS["Finance"]) - {"billing.adjust_balance"} | {"telegram_bot.view_update"}
        assert names(finance) == expected


def test_a_group_that_was_deleted_is_made_whole_again(db: None) -> None:
    Group.objects.get(name="Support").delete()
    make_permissions_and_groups("default")
    assert names(Group.objects.get(name="Support")) == set(GROUPS["Support"])


def test_the_groups_of_an_older_version_get_what_this_one_adds(db: None) -> None:
    """The migration writes down what that version gave; what is missing of it was taken away by hand."""
    GroupGrant.objects.all().delete()
    module = import_module("accounts.migrations.0005_grants_and_bans")
    module.remember(apps, connection.schema_editor())
    given = set(GroupGrant.objects.filter(group="Finance").values_list("permission", flat=True))
    assert given < set(GROUPS["Finance"])
    assert "billing.approve_price" not in given
    finance = Group.objects.get(name="Finance")
    finance.permissions.clear()
    make_permissions_and_groups("default")
    assert names(finance) == set(GROUPS["Finance"]) - given


# Bans and files ----------------------------------------------------------------------------------


def test_support_sees_who_was_blocked_by_whom_and_nothing_else_of_the_trail(
    sofia: Staff, felix: Staff, anna: User
) -> None:
    desk = at_desk(sofia)
    for what, reason in (("block", "Spam of a kind"), ("unblock", "A mistake")):
        desk.post(form_address(f"accounts_user_{what}", anna), {"reason": reason})
    LogEntry.objects.log_actions(felix.pk, [anna], 2, change_message="Adjusted by $3", single_object=True)
    body = desk.get(list_address(Ban)).content.decode()
    assert "Blocked. Spam of a kind" in body
    assert "Unblocked. A mistake" in body
    assert "Adjusted" not in body
    assert status(desk, list_address(LogEntry)) == 403
    assert status(at_desk(felix), list_address(Ban)) == 403


def test_a_persons_page_lists_their_files_for_those_who_may_see_files(sofia: Staff, felix: Staff) -> None:
    rows = make_everything(3, "text")
    page = address_of(rows["user"])
    for staff, sees in ((sofia, True), (felix, False)):
        body = at_desk(staff).get(page).content.decode()
        assert ("Latest files" in body) is sees
        assert (address_of(rows["userfile"]) in body) is sees
