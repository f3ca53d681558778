"""kill -9 behind the commit of /delete: what was erased does not live on in Redis."""

import pytest
import redis as redis_client

from accounts.models import User
from config.aio import in_db
from conversations import tasks
from conversations.models import StaleCopy
from tests.fakes.anthropic_script import Says, Words
from tests.faults.conftest import Stage
from tests.faults.wire import Moment
from tests.flows.buttons import data_of, words_on

pytestmark = pytest.mark.processes

PERSON = 400_001
SECRET = "the old oak"


def keeps_the_secret(redis: redis_client.Redis) -> bool:
    lists = [key for key in redis.scan_iter("context:*") if redis.type(key) == b"list"]
    return any(SECRET.encode() in body for key in lists for body in redis.lrange(key, 0, -1))


async def test_a_bot_killed_behind_the_commit_that_erases_leaves_no_words_in_the_cache(
    stage: Stage, redis: redis_client.Redis
):
    stage.claude.script = lambda _body: Says((Words("I will remember."),))
    bot = await stage.bots.start().started()
    anna = stage.person(PERSON)
    await anna.send(f"Remember {SECRET}")
    await anna.wait_for(lambda reply: "remember" in reply["text"])
    await anna.send("/delete")
    asked = await anna.wait_for(lambda reply: words_on(reply))
    stage.wire.stop("erased", PERSON, Moment.AFTER)
    await anna.press(asked["message_id"], data_of(asked, "Erase everything"))
    await stage.wire.reached("erased", PERSON)
    bot.kill()
    stage.telegram.drop()
    await stage.wire.cut()
    assert not await in_db(User.objects.filter(telegram_id=PERSON).exists)()
    assert keeps_the_secret(redis), "the kill came too late to show anything"

    assert await in_db(tasks.drop_stale_copies)() == 2  # as beat does every minute: the thread and the person
    assert not keeps_the_secret(redis)
    assert await in_db(StaleCopy.objects.count)() == 0
