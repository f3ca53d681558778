"""How the admin looks and where its menu leads. Apps are named, not imported: settings read this."""

from typing import Any

from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import reverse_lazy


def _item(title: str, icon: str, model: str) -> dict[str, Any]:
    """A line of the menu: a model's list, for those who may see it."""
    app, name = model.split(".")

    def may_see(request: HttpRequest) -> bool:
        return request.user.has_perm(f"{app}.view_{name}")

    return {
        "title": title,
        "icon": icon,
        "link": reverse_lazy(f"admin:{app}_{name}_changelist"),
        "permission": may_see,
    }


def _bird(_request: HttpRequest) -> str:
    return static("starling/bird.svg")


def _styles(_request: HttpRequest) -> str:
    return static("starling/admin.css")


UNFOLD: dict[str, Any] = {
    "SITE_TITLE": "Starling",
    "SITE_HEADER": "Starling",
    "SITE_URL": None,
    "SITE_ICON": _bird,
    "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": _bird}],
    "STYLES": [_styles],
    "SHOW_VIEW_ON_SITE": False,
    "LOGIN": {"form": "accounts.login.LoginForm"},
    "DASHBOARD_CALLBACK": "telegram_bot.front_page.front_page",
    "COLORS": {
        # The bird's blue.
        "primary": {
            "50": "oklch(97% .014 262)",
            "100": "oklch(94% .03 262)",
            "200": "oklch(89% .06 262)",
            "300": "oklch(82% .1 264)",
            "400": "oklch(72% .15 266)",
            "500": "oklch(63% .19 268)",
            "600": "oklch(55% .21 270)",
            "700": "oklch(48% .2 271)",
            "800": "oklch(41% .17 271)",
            "900": "oklch(36% .13 271)",
            "950": "oklch(27% .09 272)",
        },
    },
    "SIDEBAR": {
        "show_search": False,
        "show_all_applications": False,
        "navigation": [
            {
                "items": [
                    {"title": "Overview", "icon": "monitoring", "link": reverse_lazy("admin:index")},
                    _item("People", "group", "accounts.user"),
                    _item("Bans", "block", "accounts.ban"),
                ]
            },
            {
                "title": "Conversations",
                "separator": True,
                "items": [
                    _item("Threads", "forum", "conversations.thread"),
                    _item("Turns", "reply", "conversations.turn"),
                    _item("Messages", "chat", "conversations.message"),
                    _item("Files", "attach_file", "conversations.userfile"),
                    _item("Tool calls", "build", "tools.toolcall"),
                    _item("Long runs", "hourglass", "tools.longrun"),
                    _item("Chats", "chat_bubble", "conversations.chat"),
                ],
            },
            {
                "title": "Money",
                "separator": True,
                "items": [
                    _item("Payments", "payments", "billing.payment"),
                    _item("Operations", "receipt_long", "billing.balanceoperation"),
                    _item("Absorbed costs", "money_off", "billing.absorbedcost"),
                    _item("Holds", "lock_clock", "billing.hold"),
                    _item("Prices", "sell", "billing.price"),
                    _item("Proposed prices", "price_check", "billing.priceproposal"),
                    _item("Star rates", "star", "billing.starrate"),
                    _item("Unmatched Stars", "help", "billing.unmatchedtransaction"),
                    _item("Vouchers", "confirmation_number", "billing.voucher"),
                ],
            },
            {
                "title": "To everybody",
                "separator": True,
                "items": [
                    _item("Announcements", "campaign", "telegram_bot.announcement"),
                    _item("Deliveries", "outgoing_mail", "telegram_bot.delivery"),
                ],
            },
            {
                "title": "Under the hood",
                "separator": True,
                "items": [
                    _item("Updates", "inbox", "telegram_bot.update"),
                    _item("Dead events", "report", "conversations.deadevent"),
                ],
            },
            {
                "title": "Staff",
                "separator": True,
                "items": [
                    _item("Staff", "badge", "accounts.staff"),
                    _item("Groups", "shield_person", "auth.group"),
                    _item("Audit trail", "history", "admin.logentry"),
                ],
            },
        ],
    },
}
