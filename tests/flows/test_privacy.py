"""A person and what is kept of them: to see it, to take it along, to have it erased."""

import csv
import io
import json
import zipfile
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.core.files.storage import default_storage
from django.utils import timezone

from accounts.forgetting import forgotten_hash
from accounts.models import User
from accounts.money import dollars
from accounts.services import set_preference
from accounts.spreadsheets import cell
from billing.models import BalanceOperation
from conversations.events import Event, tool_call_event
from conversations.models import Chat, Message, Thread, Turn, UserFile
from conversations.parts import Text, ToolResult, text_of
from conversations.parts import ToolCall as Call
from telegram_bot import exports, keeping
from telegram_bot.dispatcher import Roles
from telegram_bot.export_contents import Archive, safe_name
from telegram_bot.models import Export, Update
from telegram_bot.playground.people import Person
from telegram_bot.playground.server import Playground
from tests.fakes.anthropic import AnthropicStandIn
from tests.fakes.anthropic_script import Hold, Use, Words
from tests.flows import books
from tests.flows.buttons import changed, press, words_on
from tests.flows.conftest import running
from tests.people import ANNA, BORIS
from tools.models import ToolCall
from tools.services import write_tool_calls

SECRET = "the treasure lies under the old oak"


@pytest.fixture(autouse=True)
def media(settings, tmp_path: Path) -> Path:
    """A storage of the test's own."""
    settings.MEDIA_ROOT = tmp_path
    return tmp_path


def stored(media: Path) -> list[str]:
    return [str(path.relative_to(media)) for path in media.rglob("*") if path.is_file()]


async def talk(person: Person, claude: AnthropicStandIn) -> None:
    """A conversation with a secret in it, a tool call and a file."""
    claude.say(Use("render_latex", {"latex": r"\text{oak}"}))
    claude.say(Words(f"I will remember: {SECRET}."))
    before = len(await books.turns())
    await person.send(f"Remember this: {SECRET}")
    await person.wait_for(lambda message: message.get("text", "").startswith("I will remember"))
    await books.all_done(before + 1)


# /privacy ----------------------------------------------------------------------------------------


async def test_privacy_says_what_is_kept_and_names_who_sees_it(starling: Roles, anna: Person):
    await anna.send("/privacy")
    reply = await anna.wait_for(lambda message: "What is kept" in message["text"])
    assert "Your conversations and their files: until you erase them." in reply["text"]
    assert "as it came: 7 days" in reply["text"]
    assert "Anthropic" in reply["text"]


# /export -----------------------------------------------------------------------------------------


@books.asynchronous
def gather_all() -> int:
    """What a worker does."""
    return sum(exports.gather(export_id) for export_id in exports.requested())


async def exported(person: Person, telegram: Playground) -> zipfile.ZipFile:
    await person.send("/export")
    promised = await person.wait_for(lambda message: "gathering everything" in message["text"])
    await books.eventually(gather_all, "a gathered export")
    sent = await person.wait_for(lambda message: "document" in message, after=promised["message_id"])
    content = telegram.state.files.get(sent["document"]["file_id"]).body
    return zipfile.ZipFile(io.BytesIO(content))


async def test_an_export_has_everything_and_nothing_is_left_of_it(
    starling: Roles, claude: AnthropicStandIn, anna: Person, telegram: Playground, media: Path
):
    await talk(anna, claude)
    archive = await exported(anna, telegram)
    about = json.loads(archive.read("you.json"))
    assert about["person"]["first_name"] == "Anna"
    assert {"language", "receipts", "retention", "instructions"} <= about["settings"].keys()
    (conversation,) = about["conversations"]
    said = json.loads(archive.read(f"conversations/{conversation['number']}.json"))
    assert [message["by"] for message in said["messages"]] == ["you", "model", "tool", "model"]
    assert SECRET in archive.read(f"conversations/{conversation['number']}.html").decode()
    assert "luggage" not in json.dumps(said)
    (picture,) = [name for name in archive.namelist() if name.startswith("files/")]
    assert archive.read(picture).startswith(b"\x89PNG")
    rows = list(csv.DictReader(io.StringIO(archive.read("operations.csv").decode("utf-8-sig"))))
    assert [row["kind"] for row in rows] == ["grant", "usage", "usage"]
    assert sum(Decimal(row["amount"]) for row in rows) == Decimal(about["balance"])
    await anna.wait_for(lambda message: "open index.html" in message.get("text", ""))
    await books.eventually(no_open_export, "a closed export")
    assert not [name for name in stored(media) if name.startswith("exports/")]


@books.asynchronous
def no_open_export() -> bool:
    return not Export.objects.exclude(state=Export.State.CLOSED).exists()


async def test_an_export_holds_nothing_of_anybody_else(
    starling: Roles, claude: AnthropicStandIn, anna: Person, boris: Person, telegram: Playground
):
    await talk(boris, claude)
    archive = await exported(anna, telegram)
    assert not [name for name in archive.namelist() if archive.read(name).find(b"oak") >= 0]
    assert json.loads(archive.read("you.json"))["conversations"] == []


async def test_an_export_outlives_the_bot_that_promised_it(
    telegram: Playground, claude: AnthropicStandIn, anna: Person, transactional_db: None
):
    async with running():
        await anna.send("/export")
        await anna.wait_for(lambda message: "gathering everything" in message["text"])
        await anna.send("/export")
        await anna.wait_for(lambda message: "already" in message["text"])
    await gather_all()
    async with running():
        await anna.wait_for(lambda message: "document" in message)


async def test_an_export_that_kills_its_worker_every_time_is_given_up_in_words(starling: Roles, anna: Person):
    await anna.send("/export")
    await anna.wait_for(lambda message: "gathering everything" in message["text"])
    await books.asynchronous(lambda: Export.objects.update(attempts=exports.ATTEMPTS_MAX))()
    assert await gather_all() == 0
    await anna.wait_for(lambda message: "could not gather" in message["text"])
    await books.eventually(no_open_export, "a closed export")


def test_more_than_one_message_takes_comes_in_several_zips():
    archive = Archive()
    for number in range(3):
        archive.add(f"{number}.bin", bytes(20_000_000))
    archive.add("huge.bin", bytes(45_000_001))
    names = []
    for piece in archive.finish():
        with piece, zipfile.ZipFile(piece) as opened:
            names.append(opened.namelist())
    assert names == [["0.bin", "1.bin"], ["2.bin", "left-out.txt"]]


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("=HYPERLINK(1)", "'=HYPERLINK(1)"),
        ("+1+cmd", "'+1+cmd"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("-2+3", "'-2+3"),
        ("\t=1", "'\t=1"),
        ("-0.0021", "-0.0021"),
        ("a=b", "a=b"),
        (None, ""),
    ],
)
def test_a_cell_never_begins_a_formula(value: Any, shown: str):
    assert cell(value) == shown


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "..\\..\\x", "/abs", "a\x00b", ".htaccess", "x" * 300, "\u202egpj.exe", ""]
)
def test_a_files_own_name_cannot_leave_its_folder(name: str):
    safe = safe_name(name)
    assert 1 <= len(safe) <= 80
    assert not set(safe) & set("/\\\0\u202e")
    assert not safe.startswith(".")


# /delete -----------------------------------------------------------------------------------------


async def erase(person: Person) -> dict[str, Any]:
    last = person.messages[-1]["message_id"] if person.messages else 0
    await person.send("/delete")
    asked = await person.wait_for(lambda message: words_on(message), after=last)
    await press(person, asked, "Erase everything")
    return await changed(person, asked)


@books.asynchronous
def everything_stored() -> str:
    """Every text of every table that may hold somebody's words, put together."""
    tables: list[Any] = [
        User,
        Chat,
        Thread,
        Message,
        Turn,
        UserFile,
        ToolCall,
        Update,
        Export,
        BalanceOperation,
    ]
    return "\n".join(str(row) for table in tables for row in table.objects.values())


async def test_delete_says_what_goes_and_what_stays_and_waits_for_a_yes(
    starling: Roles, claude: AnthropicStandIn, anna: Person
):
    await talk(anna, claude)
    last = anna.messages[-1]["message_id"]
    await anna.send("/delete")
    asked = await anna.wait_for(lambda message: words_on(message), after=last)
    balance = f"your balance of {dollars(await books.balance_of(ANNA))}"
    for words in ("every conversation", "This stays:", "payments", balance, "/refund"):
        assert words in asked["text"]
    await press(anna, asked, "Keep everything")
    assert "Nothing was erased" in (await changed(anna, asked))["text"]
    assert SECRET in await everything_stored()


async def test_nothing_a_person_said_or_is_called_stays_but_the_money(
    starling: Roles, claude: AnthropicStandIn, anna: Person, media: Path
):
    await talk(anna, claude)
    await books.asynchronous(lambda: set_preference(User.objects.get().pk, instructions=SECRET))()
    spent = await books.charges_of(ANNA)
    assert stored(media)
    done = await erase(anna)
    assert "erased" in done["text"]
    left = await everything_stored()
    assert SECRET not in left
    assert "Anna" not in left
    assert str(ANNA) not in left
    assert stored(media) == []
    assert await kept() == (spent, forgotten_hash(ANNA))
    assert await books.mismatches() == []


@books.asynchronous
def kept() -> tuple[list[Any], str]:
    user = User.objects.get()
    charged = user.operations.filter(kind__in=BalanceOperation.CHARGES).order_by("pk")
    return [-operation.amount for operation in charged], user.forgotten_as


async def test_who_comes_back_gets_no_second_starting_credit_and_stays_blocked(
    starling: Roles, claude: AnthropicStandIn, anna: Person
):
    await anna.send("/start")
    await anna.wait_for(lambda message: "$1.00" in message["text"])
    await books.asynchronous(lambda: User.objects.update(blocked_at=timezone.now(), blocked_reason="spam"))()
    await erase(anna)
    last = anna.messages[-1]["message_id"]
    await anna.send("/start")
    await anna.wait_for(lambda message: "$0.00" in message["text"], after=last)
    back = await books.asynchronous(lambda: User.objects.get(telegram_id=ANNA))()
    assert (back.returned, back.blocked_reason) == (True, "spam")
    assert await books.mismatches() == []


async def test_an_answer_under_way_is_stopped_and_charged_before_it_is_erased(
    starling: Roles, claude: AnthropicStandIn, anna: Person
):
    claude.say(Words("Half an answer"), Hold())
    await anna.send("Go")
    await anna.wait_until(lambda: anna.draft if anna.draft and anna.draft["text"] else None)
    await erase(anna)
    charged, _ = await kept()
    assert len(charged) == 1
    assert await books.turns() == []
    assert await books.mismatches() == []


async def test_the_button_pressed_again_erases_nobody_new(
    starling: Roles, claude: AnthropicStandIn, anna: Person
):
    await anna.send("/delete")
    asked = await anna.wait_for(lambda message: words_on(message))
    data = asked["reply_markup"]["inline_keyboard"][0][0]["callback_data"]
    await press(anna, asked, "Erase everything")
    await changed(anna, asked)
    await anna.press(asked["message_id"], data)
    await anna.wait_until(lambda: anna.answers[1] if len(anna.answers) > 1 else None)
    assert await books.asynchronous(User.objects.count)() == 1


def test_in_groups_their_words_go_and_the_conversation_starts_afresh(db: None, media: Path):
    anna, boris = User.objects.create(telegram_id=ANNA), User.objects.create(telegram_id=BORIS)
    group = Chat.objects.create(telegram_id=-500, kind="supergroup", title="Friends")
    thread = Thread.objects.create(chat=group, system="", tools="[]", title="Oaks")
    for seq, (person, words) in enumerate(((anna, SECRET), (boris, "I said this")), start=1):
        done = {"state": Turn.State.DONE, "finished_at": timezone.now()}
        turn = Turn.objects.create(thread=thread, user=person, model="demo", **done)
        both = {"thread": thread, "turn": turn, "chat": group}
        Message.objects.create(**both, role="user", author=person, parts=(Text(words),), seq=2 * seq)
        Message.objects.create(**both, role="assistant", parts=(Text(f"Yes: {words}"),), seq=2 * seq + 1)
    name = default_storage.save("files/x.txt", io.BytesIO(b"old"))
    UserFile.objects.create(
        thread=thread, user=anna, short_id="f_1", name="x", mime="text/plain", size=3, stored=name
    )
    keeping.erase_person(ANNA)
    said = [text_of(row.parts) for row in Message.objects.order_by("seq")]
    assert said == ["…", "…", "I said this", "Yes: I said this"]
    thread.refresh_from_db()
    assert (thread.is_current, thread.title) == (False, "…")
    assert stored(media) == []


def test_a_tool_call_written_down_after_its_person_was_erased_has_no_words(db: None):
    user = User.objects.create(telegram_id=ANNA)
    payload = tool_call_event(
        user_id=user.pk,
        thread_id=1,
        turn_id=1,
        call=Call("c", "web_fetch", {"url": SECRET}),
        result=ToolResult("c", "web_fetch", SECRET, is_error=True),
        status="failed",
        seconds=1.0,
        cost=Decimal(0),
    )
    keeping.erase_person(ANNA)
    write_tool_calls([Event("tool_call", payload)])
    row = ToolCall.objects.get()
    assert (row.arguments, row.result, row.error) == ("", "", "")


# Retention ---------------------------------------------------------------------------------------


def old_thread(chat: Chat, user: User, *, days: int, current: bool) -> Thread:
    thread = Thread.objects.create(chat=chat, is_current=current, system="", tools="[]", title=f"{days} days")
    Message.objects.create(thread=thread, chat=chat, author=user, role="user", parts=(Text("hm"),), seq=1)
    Thread.objects.filter(pk=thread.pk).update(spoken_on=timezone.now().date() - timedelta(days=days))
    return thread


def test_quiet_conversations_are_erased_whole_and_the_others_stay_whole(db: None, media: Path):
    user = User.objects.create(telegram_id=ANNA, retention=7)
    chat = Chat.objects.create(telegram_id=ANNA, kind="private")
    old, fresh = old_thread(chat, user, days=8, current=False), old_thread(chat, user, days=6, current=True)
    name = default_storage.save("files/x.txt", io.BytesIO(b"old"))
    UserFile.objects.create(
        thread=old, user=user, short_id="f_1", name="x", mime="text/plain", size=3, stored=name
    )
    ToolCall.objects.create(
        id="00000000-0000-7000-8000-000000000001",
        user=user,
        thread=old,
        call_id="c",
        name="x",
        arguments=SECRET,
        status="done",
        started_at=timezone.now(),
    )
    assert keeping.erase_quiet_threads() == 1
    assert list(Thread.objects.all()) == [fresh]
    assert stored(media) == []
    assert ToolCall.objects.get().arguments == ""
    assert keeping.erase_quiet_threads() == 0


def test_a_conversation_that_is_being_answered_or_waits_is_not_touched(db: None):
    user = User.objects.create(telegram_id=ANNA, retention=7)
    chat = Chat.objects.create(telegram_id=ANNA, kind="private")
    running = old_thread(chat, user, days=30, current=False)
    Turn.objects.create(thread=running, user=user, model="demo")
    waiting = old_thread(chat, user, days=30, current=True)
    Message.objects.create(thread=waiting, chat=chat, author=user, role="user", parts=(Text("and?"),))
    assert keeping.erase_quiet_threads() == 0


def test_who_keeps_everything_and_groups_are_left_alone(db: None):
    keeper = User.objects.create(telegram_id=ANNA)
    other = User.objects.create(telegram_id=BORIS, retention=7)
    old_thread(Chat.objects.create(telegram_id=ANNA, kind="private"), keeper, days=400, current=True)
    old_thread(Chat.objects.create(telegram_id=-500, kind="supergroup"), other, days=400, current=True)
    assert keeping.erase_quiet_threads() == 0
