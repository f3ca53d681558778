"""What the people of a crowd do, one thing after the other, and what each of them waits for."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from config.aio import in_db
from conversations.models import Turn
from telegram_bot.playground import contents
from telegram_bot.playground.members import Member
from telegram_bot.playground.people import Person, Speaker
from telegram_bot.playground.shapes import Upload
from tests.crowd.model import echo, mark
from tests.flows.shown import words
from tests.input import made
from tests.waiting import eventually

Json = dict[str, Any]

ANSWER_SECONDS = 120.0  # for as long somebody waits: a shared machine may be slow, a lost answer never comes
BOT = "@starling_bot"
CLAUDE = "Haiku"
COMMANDS = ("/balance", "/settings", "/help", "/model", "/threads", "/instructions", "/privacy")
PHOTO = Upload("photo.jpg", "image/jpeg", made.picture())
ALBUM = [Upload(f"{n}.jpg", "image/jpeg", made.picture(size=(200 + n, 200))) for n in range(3)]


@dataclass
class Done:
    """One thing somebody did, and what came of it."""

    what: str
    key: str
    chat: int
    seconds: float | None  # to the whole answer; None when it never came
    messages: list[int]  # Telegram's numbers of the questions
    answers: int  # how many answers bear its mark


@dataclass
class Somebody:
    """One person in one chat: `place` is their private chat or their seat in a group."""

    place: Speaker
    number: int
    random: random.Random
    topic: int | None = None
    done: list[Done] = field(default_factory=list)
    _count: int = 0

    @property
    def in_group(self) -> bool:
        return isinstance(self.place, Member)

    def key(self) -> str:
        self._count += 1
        return f"{self.number}.{self._count}"

    def called(self, words_: str) -> str:
        """In a group the bot is called by its name."""
        return f"{BOT} {words_}" if self.in_group else words_

    async def live(self, until: float, pause: tuple[float, float]) -> None:
        """Do one thing after the other until that moment of time.monotonic()."""
        acts = GROUP_ACTS if self.in_group else PRIVATE_ACTS
        await asyncio.sleep(self.random.uniform(0, pause[1]))
        while time.monotonic() < until:
            what, act = self.random.choice(acts)
            await self.do(what, act)
            await asyncio.sleep(self.random.uniform(*pause))

    async def choose_claude(self) -> None:
        """/model, and the button of the stand-in's model."""
        await self.place.send("/model")
        listed = await self.place.wait_for(lambda m: bool(_button(m, CLAUDE)), ANSWER_SECONDS)
        await self.place.press(listed["message_id"], _button(listed, CLAUDE))
        await self.place.wait_until(
            lambda: self.place.answers[0] if self.place.answers else None, ANSWER_SECONDS
        )

    async def do(self, what: str, act: "Act") -> None:
        began, key = time.monotonic(), self.key()
        done = Done(what, key, self.place.room.id, None, [], 1)
        self.done.append(done)
        try:
            await act(self, done)
        except AssertionError:
            return
        done.seconds = time.monotonic() - began

    # What they wait for ----------------------------------------------------------------------------

    async def answered(self, key: str, *, times: int = 1) -> Json:
        """The newest of the bot's messages that bear this mark, once there are so many of them."""

        def found() -> Json | None:
            bearing = [reply for reply in self.place.replies if echo(key) in words(reply)]
            whole = [reply for reply in bearing if not _is_growing(reply)]
            return whole[-1] if len(whole) >= times else None

        return await self.place.wait_until(found, ANSWER_SECONDS)

    async def ask(self, text: str) -> Json:
        return await self.place.send(self.called(text), topic=self.topic)


Act = Callable[[Somebody, Done], Awaitable[None]]


def _is_growing(reply: Json) -> bool:
    """Has this message of a group its Stop button still?"""
    rows = reply.get("reply_markup", {}).get("inline_keyboard", [])
    return any(button["text"] == "Stop" for row in rows for button in row)


def _asks(manner: str) -> Act:
    async def act(who: Somebody, done: Done) -> None:
        done.messages.append((await who.ask(f"Tell me {mark(done.key, manner)}"))["message_id"])
        await who.answered(done.key)

    return act


def _shares(make: Callable[[str], Json]) -> Act:
    async def act(who: Somebody, done: Done) -> None:
        done.messages.append((await who.place.share(make(mark(done.key))))["message_id"])
        await who.answered(done.key)

    return act


async def photo(who: Somebody, done: Done) -> None:
    caption = who.called(f"What is it? {mark(done.key)}")
    done.messages.append((await who.place.send_file(PHOTO, caption=caption, topic=who.topic))["message_id"])
    await who.answered(done.key)


async def album(who: Somebody, done: Done) -> None:
    caption = who.called(f"Which is best? {mark(done.key)}")
    sent = await who.place.send_album(ALBUM, caption=caption, under=who.random.randrange(3), topic=who.topic)
    done.messages += [message["message_id"] for message in sent]
    await who.answered(done.key)


async def voice(who: Somebody, done: Done) -> None:
    spoken = Upload("v.ogg", "audio/ogg", made.OGG)
    sent = await who.place.send_file(spoken, kind="voice", duration=3, caption=mark(done.key))
    done.messages.append(sent["message_id"])
    await who.answered(done.key)


async def document(who: Somebody, done: Done) -> None:
    text = Upload("notes.txt", "text/plain", f"Notes.\n{mark(done.key)}\n".encode())
    caption = who.called("Sum this up") if who.in_group else ""
    sent = await who.place.send_file(text, kind="document", caption=caption, topic=who.topic)
    done.messages.append(sent["message_id"])
    await who.answered(done.key)


async def sticker(who: Somebody, done: Done) -> None:
    still = Upload("s.webp", "image/webp", made.picture("WEBP", (128, 128)))
    named = {"emoji": "🐦", "set_name": mark(done.key)}
    done.messages.append((await who.place.send_file(still, kind="sticker", **named))["message_id"])
    await who.answered(done.key)


async def paste(who: Somebody, done: Done) -> None:
    """A text longer than Telegram's messages arrives in pieces, and is one question."""
    before = {message["message_id"] for message in who.place.messages}
    await who.place.send("word " * 900 + mark(done.key))
    mine = [m["message_id"] for m in who.place.messages if m["from"]["id"] == who.place.id]
    done.messages += sorted(set(mine) - before)
    await who.answered(done.key)


async def reply(who: Somebody, done: Done) -> None:
    """An answer to the bot's last message, or a question where there is none."""
    here = [reply for reply in who.place.replies if reply.get("message_thread_id") == who.topic]
    said = [reply for reply in here if "text" in reply and not _is_growing(reply)]
    text = f"And this? {mark(done.key)}"
    if said:
        sent = await who.place.send(text, reply_to=said[-1]["message_id"], topic=who.topic)
    else:
        sent = await who.ask(text)
    done.messages.append(sent["message_id"])
    await who.answered(done.key)


async def edit(who: Somebody, done: Done) -> None:
    """A question asked, answered, changed, and answered anew."""
    asked = await who.ask(f"Tell me {mark(done.key)}")
    done.messages.append(asked["message_id"])
    await who.answered(done.key)
    anew = who.key()
    await who.place.edit(asked["message_id"], who.called(f"Rather {mark(anew)}"))
    await who.answered(anew)


async def edit_earlier(who: Somebody, done: Done) -> None:
    """An older question changed: the model is told with the next one."""
    first = await who.ask(f"Tell me {mark(done.key)}")
    await who.answered(done.key)
    second = await who.ask(f"And {mark(who.key())}")
    await who.answered(f"{who.number}.{who._count}")
    await who.place.edit(first["message_id"], who.called("I never asked"))
    third = await who.ask(f"Well? {mark(who.key())}")
    await who.answered(f"{who.number}.{who._count}")
    done.messages += [message["message_id"] for message in (first, second, third)]
    done.answers = 2  # the note about the edit says what it read before


async def stop(who: Somebody, done: Done) -> None:
    """A long answer, stopped when its first words are seen; they stay."""
    done.messages.append((await who.ask(f"Everything {mark(done.key, 'slow')}"))["message_id"])
    if isinstance(who.place, Person):
        person = who.place

        def seen() -> dict[str, Any] | None:
            """Growing, or whole already: a chat that Telegram has banned shows no draft."""
            shown = [person.draft or {}, *person.replies]
            return next((one for one in shown if echo(done.key) in words(one)), None)

        await person.wait_until(seen, ANSWER_SECONDS)
        await (person.stop() if person.draft and who.random.random() < 0.5 else person.send("/stop"))
    else:
        growing = await who.place.wait_for(lambda m: echo(done.key) in words(m), ANSWER_SECONDS)
        if pressed := _button(growing, "Stop"):
            await who.place.press(growing["message_id"], pressed)
    await who.answered(done.key)


async def broken(who: Somebody, done: Done) -> None:
    """The model breaks off; the Retry button asks again."""
    asked = (await who.ask(f"Tell me {mark(done.key, 'cut')}"))["message_id"]
    done.messages.append(asked)
    sentence = await who.place.wait_for(lambda m: bool(_button(m, "Try again")), ANSWER_SECONDS, after=asked)
    await who.place.press(sentence["message_id"], _button(sentence, "Try again"))
    await who.answered(done.key)


async def retry(who: Somebody, done: Done) -> None:
    """/retry: the last question is answered once more."""
    done.messages.append((await who.ask(f"Tell me {mark(done.key)}"))["message_id"])
    await who.answered(done.key)
    await _at_rest(done.chat)
    done.answers = 2
    await who.place.send("/retry")
    await who.answered(done.key, times=2)


async def interject(who: Somebody, done: Done) -> None:
    """More is said while the answer is under way: it is taken in, or asked next, and never lost."""
    first = await who.ask(f"Draw {mark(done.key, 'formula')}")
    second, later = who.key(), who.random.uniform(0.2, 1.5)
    await asyncio.sleep(later)
    more = await who.ask(f"And also {mark(second)}")
    done.messages += [first["message_id"], more["message_id"]]
    await who.answered(second)
    await who.answered(done.key)


async def command(who: Somebody, done: Done) -> None:
    done.answers = 0
    before = len(who.place.replies)
    asked = who.random.choice(COMMANDS)
    await who.place.send(asked)
    await who.place.wait_until(
        lambda: who.place.replies[-1] if len(who.place.replies) > before else None, ANSWER_SECONDS
    )


async def new(who: Somebody, done: Done) -> None:
    done.answers = 0
    before = len(who.place.replies)
    await who.place.send("/new")
    await who.place.wait_until(
        lambda: who.place.replies[-1] if len(who.place.replies) > before else None, ANSWER_SECONDS
    )


async def forward(who: Somebody, done: Done) -> None:
    """A message of one's own sent on: its words are asked again."""
    first = await who.ask(f"Tell me {mark(done.key)}")
    await who.answered(done.key)
    again = await who.place.forward(first["message_id"])
    done.messages += [first["message_id"], again["message_id"]]
    done.answers = 2
    await who.answered(done.key, times=2)


async def _at_rest(chat: int) -> None:
    """Until no turn of this chat runs any more: what is asked again must have ended."""

    @in_db
    def look() -> bool:
        running = Turn.objects.filter(state=Turn.State.RUNNING, thread__chat__telegram_id=chat)
        return not running.exists()

    await eventually(look, "the end of its turn", ANSWER_SECONDS)


def _button(message: Json, words_: str) -> str:
    rows = message.get("reply_markup", {}).get("inline_keyboard", [])
    found = [button["callback_data"] for row in rows for button in row if words_ in button["text"]]
    return str(found[0]) if found else ""


# Each with its name in the table; what is listed twice is done twice as often.
PRIVATE_ACTS: list[tuple[str, Act]] = [
    ("text", _asks("plain")), ("text", _asks("plain")), ("text", _asks("plain")), ("text", _asks("plain")),
    ("table", _asks("table")), ("formula", _asks("formula")), ("long answer", _asks("long")),
    ("photo", photo), ("album", album), ("voice", voice), ("voice", voice), ("document", document),
    ("sticker", sticker), ("paste", paste), ("reply", reply), ("reply", reply), ("forward", forward),
    ("contact", _shares(lambda key: contents.contact("+4712345", key, ""))),
    ("poll", _shares(lambda key: contents.poll(key, ["Yes", "No"]))),
    ("edit", edit), ("edit", edit), ("earlier edit", edit_earlier), ("stop", stop), ("stop", stop),
    ("broken off, Retry", broken), ("/retry", retry), ("interjection", interject), ("interjection", interject),
    ("command", command), ("command", command), ("/new", new),
]  # fmt: skip
GROUP_ACTS: list[tuple[str, Act]] = [
    ("group: mention", _asks("plain")), ("group: mention", _asks("plain")), ("group: table", _asks("table")),
    ("group: reply", reply), ("group: photo", photo), ("group: album", album), ("group: stop", stop),
    ("group: formula", _asks("formula")), ("group: document", document),
]  # fmt: skip
