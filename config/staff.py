"""What staff may do: permissions that belong to no model, and two groups that are ready to use.

Both are made after every `migrate` when they are missing. A group that exists is given what is new in this
version and nothing else: what its owner took away stays away, for accounts.GroupGrant remembers what was given.
"""

from typing import Any

from django.apps import AppConfig, apps

LAST_APP = "telegram_bot"  # when its tables stand, so do everybody's permissions

# Of these, nobody has one unless a superuser gives it; read_words, announce and export_rows are in no group.
PERMISSIONS = {
    "conversations.message": {"read_words": "Can read what people and models said"},
    "billing.balanceoperation": {"adjust_balance": "Can adjust a person's balance"},
    "billing.payment": {"refund_payment": "Can give a payment back and settle what Telegram's list says"},
    "telegram_bot.announcement": {"announce": "Can announce something to many people"},
    "billing.priceproposal": {"approve_price": "Can approve and refuse proposed prices"},
    "accounts.user": {
        "export_rows": "Can export people and operations",
        "block_person": "Can block and unblock a person",
        "allow_spending": "Can lift the audit's block of a person's spending",
    },
}

PEOPLE = ("accounts.view_user",)
MONEY = (
    "billing.view_balanceoperation",
    "billing.view_hold",
    "billing.view_payment",
    "billing.view_absorbedcost",
)
GROUPS = {
    "Support": (
        *PEOPLE,
        *MONEY,
        "accounts.block_person",
        "accounts.view_ban",
        "conversations.view_chat",
        "conversations.view_thread",
        "conversations.view_turn",
        "conversations.view_message",
        "conversations.view_userfile",
        "conversations.view_deadevent",
        "conversations.change_deadevent",
        "tools.view_longrun",
        "tools.view_toolcall",
        "telegram_bot.view_update",
        "telegram_bot.view_announcement",
        "telegram_bot.view_delivery",
    ),
    "Finance": (
        *PEOPLE,
        *MONEY,
        "billing.adjust_balance",
        "billing.refund_payment",
        "billing.view_unmatchedtransaction",
        "billing.view_voucher",
        "billing.add_voucher",
        "accounts.allow_spending",
        "billing.view_price",
        "billing.view_priceproposal",
        "billing.approve_price",
        "billing.add_price",
        "billing.change_price",
        "billing.view_starrate",
        "billing.add_starrate",
        "conversations.view_turn",
        "tools.view_toolcall",
    ),
}


def make_permissions_and_groups(using: str, **_signal: Any) -> None:
    """Receives post_migrate of the last app."""
    content_types = apps.get_model("contenttypes", "ContentType").objects.using(using)
    permissions = apps.get_model("auth", "Permission").objects.using(using)
    for label, names in PERMISSIONS.items():
        content_type = content_types.get(**dict(zip(("app_label", "model"), label.split("."), strict=True)))
        for codename, name in names.items():
            permissions.get_or_create(content_type=content_type, codename=codename, defaults={"name": name})
    groups = apps.get_model("auth", "Group").objects.using(using)
    given = apps.get_model("accounts", "GroupGrant").objects.using(using)
    for name, granted in GROUPS.items():
        group, is_new = groups.get_or_create(name=name)
        before = set(given.filter(group=name).values_list("permission", flat=True)) if not is_new else set()
        new = [full_name for full_name in granted if full_name not in before]
        group.permissions.add(*(_permission(permissions, full_name) for full_name in new))
        grants = [given.model(group=name, permission=full_name) for full_name in new]
        given.bulk_create(grants, ignore_conflicts=True)


def _permission(permissions: Any, full_name: str) -> Any:
    app, _, codename = full_name.partition(".")
    return permissions.get(content_type__app_label=app, codename=codename)


def last_app() -> AppConfig:
    return apps.get_app_config(LAST_APP)
