"""A person as Telegram describes them. Pure."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Profile:
    """What an update says of its sender."""

    telegram_id: int
    first_name: str = ""
    last_name: str = ""
    username: str = ""
    telegram_language: str = ""
    is_premium: bool = False
