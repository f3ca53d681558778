"""What an operator needs to know, in one go: `manage.py doctor`. Each finding is a sentence with what to do.

The checks run side by side, each within its seconds, and each says itself what it could not look at: the
doctor is for the day on which half of it is down.
"""

from telegram_bot.doctor.findings import Check, Finding, Mark, examined
from telegram_bot.doctor.here import CHECKS as HERE
from telegram_bot.doctor.outside import vendors
from telegram_bot.doctor.records import CHECKS as RECORDS
from telegram_bot.doctor.roles import CHECKS as ROLES
from telegram_bot.doctor.servers import CHECKS as SERVERS
from telegram_bot.doctor.telegram import CHECKS as TELEGRAM

__all__ = ["Check", "Finding", "Mark", "checks", "examined"]


def checks() -> tuple[Check, ...]:
    """Every check, in the order in which they are told."""
    return (*SERVERS, *TELEGRAM, *vendors(), *HERE, *ROLES, *RECORDS)
