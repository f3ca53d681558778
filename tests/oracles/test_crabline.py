"""@openclaw/crabline, a stand-in for Telegram from another house, says yes and no where ours does.

crabline.toml lists each call over which they disagree, with the reason.
"""

import json
import tomllib
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from tests.oracles import npm
from tests.oracles.asking import ANNA, FORUM, GROUP, HERE, Asked, Asking

PROGRAM = npm.PACKAGES / "@openclaw/crabline/dist/src/bin/crabline.js"
TOKEN, ADMIN = "1000:playground", "let-me-in"
HELLO = {"text": "Hello", "fromId": ANNA, "fromName": "Anna"}
CHATS = (
    {"chatId": ANNA, "chatType": "private"},
    {"chatId": FORUM, "chatType": "supergroup", "isForum": True},
    {"chatId": GROUP, "chatType": "supergroup", "isForum": False},
)

pytestmark = pytest.mark.oracle


@pytest.fixture
async def theirs(http: aiohttp.ClientSession, tmp_path: Path) -> AsyncIterator[list[Asked]]:
    """Every shared call at crabline, with its answer."""
    npm.need()
    ready = tmp_path / "ready.json"
    with npm.started(
        str(PROGRAM), "--json", "serve", "telegram", "--ready-file", str(ready),
        home=tmp_path,
        ready=lambda: ready.read_text() if ready.exists() else "",
        env={"CRABLINE_BOT_TOKEN": TOKEN, "CRABLINE_ADMIN_TOKEN": ADMIN},
    ) as found:  # fmt: skip
        places = json.loads(found)["endpoints"]
        for chat in CHATS:
            body, headers = HELLO | chat, {"X-Crabline-Admin-Token": ADMIN}
            async with http.post(places["adminInboundUrl"], json=body, headers=headers) as answer:
                assert answer.ok, await answer.text()
        yield await Asking(http, f"{places['apiRoot']}/bot{TOKEN}").all()


async def test_crabline_says_yes_and_no_where_we_do_but_for_what_is_explained(
    ours: list[Asked], theirs: list[Asked]
) -> None:
    seen = {
        own.name: (own.outcome, other.outcome)
        for own, other in zip(ours, theirs, strict=True)
        if own.outcome != other.outcome
    }
    assert seen == explained()


def test_every_difference_is_explained_once_and_is_about_a_call_there_is() -> None:
    groups = tomllib.loads((HERE / "crabline.toml").read_text())["difference"]
    names = [name for group in groups for name in group["requests"]]
    assert len(names) == len(set(names)) == len(explained())
    assert all(len(group["why"]) > 20 for group in groups)


def explained() -> dict[str, tuple[str, str]]:
    """What crabline.toml lists: our outcome and theirs, by the name of the call."""
    groups = tomllib.loads((HERE / "crabline.toml").read_text())["difference"]
    return {name: (group["ours"], group["theirs"]) for group in groups for name in group["requests"]}
