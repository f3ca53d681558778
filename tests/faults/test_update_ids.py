"""What the inbox makes of update ids that fall, come again or cannot be stored."""

from typing import Any

import pytest

from config.aio import in_db
from telegram_bot.models import Update
from tests.faults import books
from tests.faults.conftest import Stage
from tests.faults.model import answer_to
from tests.waiting import eventually

pytestmark = pytest.mark.processes

ANN, BEA, CID = 400_001, 400_002, 400_003
UNSTORABLE = [
    {"update_id": "seven", "message": {}},
    {"mess\0age": {}},  # a NUL in a name
    {"mess\ud800age": {}},
    {"update_id": 2**63},  # no bigint; the last, since the next id is counted from it
]


def message(person: int, number: int, text: str) -> dict[str, Any]:
    who = {"id": person, "first_name": "P", "is_bot": False}
    chat = {"id": person, "type": "private", "first_name": "P"}
    return {"message": {"message_id": number, "date": 1_790_000_000, "from": who, "chat": chat, "text": text}}


async def test_an_id_that_falls_after_a_quiet_time_is_taken_in(stage: Stage):
    await stage.bots.start().started()
    await stage.person(ANN).send(f"first {ANN}")
    await stage.person(ANN).wait_for(lambda reply: reply["text"] == answer_to(ANN), 30)
    stage.telegram.state.updates.interrupt()  # a long poll that ends without news, as after 25 s
    stage.person(BEA)
    stage.telegram.state.chats[BEA].opened = True
    await eventually(lambda: _polls_without_offset(stage), "a poll that confirms nothing", 30)
    stage.telegram.state.updates.push_raw({"update_id": 5} | message(BEA, 77, f"second {BEA}"))
    await stage.person(BEA).wait_for(lambda reply: reply["text"] == answer_to(BEA), 30)
    assert await in_db(Update.objects.filter(pk=5, handled_at__isnull=False).exists)()


async def _polls_without_offset(stage: Stage) -> bool:
    calls = [call for call in stage.telegram.calls if call.method == "getUpdates"]
    return stage.telegram.state.updates.is_polled and len(calls) >= 2 and not calls[-1].params.get("offset")


async def test_a_command_answered_before_a_kill_is_not_answered_again(stage: Stage):
    """Telegram never learns that it was taken in, so it comes again at the next start."""
    bot = await stage.bots.start().started()
    await eventually(lambda: _is_polled(stage), "a poll that waits", 30)
    stage.telegram.state.limits.fail("getUpdates", 502, times=10_000)
    await stage.person(CID).send("/help")
    await stage.person(CID).wait_for(lambda reply: "/balance" in reply["text"], 30)
    await books.at_rest()
    bot.kill()
    stage.telegram.state.limits.fail("getUpdates", 502, times=0)
    await stage.bots.start().started()
    await stage.person(CID).send(f"and {CID}")
    await stage.person(CID).wait_for(lambda reply: reply["text"] == answer_to(CID), 30)
    assert len(stage.person(CID).replies) == 2


async def _is_polled(stage: Stage) -> bool:
    return stage.telegram.state.updates.is_polled


async def test_an_update_that_cannot_be_stored_hides_no_other(stage: Stage):
    bot = await stage.bots.start().started()
    for update in UNSTORABLE:
        await stage.person(ANN).send(f"still {ANN}")
        stage.telegram.state.updates.push_raw(update)
    await eventually(lambda: _answers(stage, ANN), "an answer", 60)
    await books.at_rest()
    assert bot.process.poll() is None
    assert bot.said("telegram.no_updates")
    assert bot.said("update.unasked")
    accounts = await books.accounts_of([ANN])
    assert len(accounts[ANN].messages) == len(UNSTORABLE)


async def _answers(stage: Stage, person: int) -> bool:
    return any(answer_to(person) in reply.get("text", "") for reply in stage.person(person).replies)
