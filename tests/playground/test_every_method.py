"""aiogram's own Bot calls every method there is, and its types accept every answer."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final

import pytest
from aiogram import Bot
from aiogram.methods import Response
from aiogram.types import (
    BotCommand,
    BotCommandScopeChat,
    BufferedInputFile,
    EphemeralMessageParameters,
    InlineKeyboardButton,
    InlineKeyboardMarkup,
    InlineQueryResultArticle,
    InputMediaPhoto,
    InputRichMessage,
    InputTextMessageContent,
    LabeledPrice,
    LinkPreviewOptions,
    MenuButtonDefault,
    Message,
    MessageEntity,
    ReplyParameters,
    Update,
)

from telegram_bot.playground import Person, Playground
from telegram_bot.playground.methods import METHODS
from telegram_bot.playground.shapes import Upload
from tests.playground.conftest import ANNA
from tests.playground.pictures import OGG, gif, png
from tests.playground.unknown import unknown

FIVE = [LabeledPrice(label="Stars", amount=5)]

GROUP, GUESTS = -1001, -1002
Try = Callable[[Bot, Person, int, int], Awaitable[Any]]


def file(body: bytes, name: str) -> BufferedInputFile:
    return BufferedInputFile(body, name)


def buttons() -> InlineKeyboardMarkup:
    return InlineKeyboardMarkup(inline_keyboard=[[InlineKeyboardButton(text="Go", callback_data="go")]])


async def download(bot: Bot, anna: Person, _: int, __: int) -> Any:
    sent = await anna.send_file(Upload("a.txt", "text/plain", b"x"))
    return await bot.get_file(sent["document"]["file_id"])


async def press(bot: Bot, anna: Person, text: int, _: int) -> Any:
    return await bot.answer_callback_query(await anna.press(text, "go"), text="ok")


async def bought(bot: Bot, anna: Person) -> str:
    bill = await bot.send_invoice(ANNA, "Stars", "Five", "order", "XTR", FIVE, provider_token="")
    return anna.complete(anna.invoice(bill.message_id)).id


async def check_out(bot: Bot, anna: Person, _: int, __: int) -> Any:
    bill = await bot.send_invoice(ANNA, "Stars", "Five", "order", "XTR", FIVE, provider_token="")
    paying = asyncio.create_task(anna.pay(bill.message_id))
    asked: list[Update] = []
    while not asked:
        asked = [update for update in await bot.get_updates(timeout=1) if update.pre_checkout_query]
    assert asked[0].pre_checkout_query
    answered = await asked[0].pre_checkout_query.answer(ok=True).as_(bot)
    assert (await paying)["ok"]
    return answered


async def give_back(bot: Bot, anna: Person, _: int, __: int) -> Any:
    return await bot.refund_star_payment(ANNA, await bought(bot, anna))


async def lists(bot: Bot, anna: Person, _: int, __: int) -> Any:
    charge = await bought(bot, anna)
    anna.refund_elsewhere(charge)
    anna.charge_back(charge)
    return await bot.get_star_transactions()


async def end_subscription(bot: Bot, anna: Person, _: int, __: int) -> Any:
    url = await bot.create_invoice_link(
        "Stars", "Five", "order", "XTR", FIVE, provider_token="", subscription_period=2_592_000
    )
    return await bot.edit_user_star_subscription(ANNA, anna.complete(anna.invoice(url)).id, is_canceled=True)


async def rename(bot: Bot, *_: Any) -> Any:
    topic = await bot.create_forum_topic(GROUP, "News")
    return await bot.edit_forum_topic(GROUP, topic.message_thread_id, name="Old news")


async def be_a_guest(bot: Bot, *_: Any) -> Any:
    (update,) = [update for update in await bot.get_updates() if update.guest_message]
    assert update.guest_message is not None
    words = InputTextMessageContent(message_text="Thinking…")
    article = InlineQueryResultArticle(id="1", title="Answer", input_message_content=words)
    return await update.guest_message.answer_guest_query(article)


async def whisper(bot: Bot) -> Message:
    who = EphemeralMessageParameters(receiver_user_id=ANNA)
    return await bot.send_message(GROUP, "psst", ephemeral_message_parameters=who)


async def rewhisper(bot: Bot, *_: Any) -> Any:
    sent = await whisper(bot)
    return await bot.edit_ephemeral_message_text(GROUP, ANNA, sent.ephemeral_message_id, text="hush")


async def unwhisper(bot: Bot, *_: Any) -> Any:
    return await bot.delete_ephemeral_message(GROUP, ANNA, (await whisper(bot)).ephemeral_message_id)


# Each gets the bot, Anna, the id of a text of the bot's and the id of a photo of the bot's.
TRIES: Final[dict[str, Try]] = {
    "getChatMember": lambda bot, *_: bot.get_chat_member(ANNA, ANNA),
    "getChatAdministrators": lambda bot, *_: bot.get_chat_administrators(GROUP),
    "createForumTopic": lambda bot, *_: bot.create_forum_topic(GROUP, "News"),
    "editForumTopic": rename,
    "answerGuestQuery": be_a_guest,
    "editEphemeralMessageText": rewhisper,
    "deleteEphemeralMessage": unwhisper,
    "getMe": lambda bot, *_: bot.get_me(),
    "getUpdates": lambda bot, *_: bot.get_updates(),
    "setWebhook": lambda bot, *_: bot.set_webhook("https://127.0.0.1:9/", certificate=file(b"x", "c.pem")),
    "deleteWebhook": lambda bot, *_: bot.delete_webhook(),
    "getWebhookInfo": lambda bot, *_: bot.get_webhook_info(),
    "sendMessage": lambda bot, _, text, __: bot.send_message(
        ANNA,
        "bold",
        entities=[MessageEntity(type="bold", offset=0, length=4)],
        link_preview_options=LinkPreviewOptions(is_disabled=True),
        reply_parameters=ReplyParameters(message_id=text),
        reply_markup=buttons(),
        message_effect_id="5104841245755180586",
        protect_content=True,
    ),
    "sendMessageDraft": lambda bot, *_: bot.send_message_draft(ANNA, 1, text="x", can_stop=True),
    "sendRichMessage": lambda bot, *_: bot.send_rich_message(ANNA, InputRichMessage(markdown="# x")),
    "sendRichMessageDraft": lambda bot, *_: bot.send_rich_message_draft(ANNA, 1, InputRichMessage(html="x")),
    "editMessageText": lambda bot, _, text, __: bot.edit_message_text("new", chat_id=ANNA, message_id=text),
    "editMessageCaption": lambda bot, _, __, photo: bot.edit_message_caption(
        chat_id=ANNA, message_id=photo, caption="new"
    ),
    "editMessageReplyMarkup": lambda bot, _, text, __: bot.edit_message_reply_markup(
        chat_id=ANNA, message_id=text
    ),
    "deleteMessage": lambda bot, _, text, __: bot.delete_message(ANNA, text),
    "deleteMessages": lambda bot, _, text, photo: bot.delete_messages(ANNA, [text, photo]),
    "sendChatAction": lambda bot, *_: bot.send_chat_action(ANNA, "typing"),
    "sendPhoto": lambda bot, *_: bot.send_photo(ANNA, file(png(9, 9), "a.png"), has_spoiler=True),
    "sendDocument": lambda bot, *_: bot.send_document(ANNA, file(b"x", "a.txt"), caption="x"),
    "sendAnimation": lambda bot, *_: bot.send_animation(ANNA, file(gif(9, 9), "a.gif")),
    "sendVoice": lambda bot, *_: bot.send_voice(ANNA, file(OGG, "a.ogg")),
    "sendAudio": lambda bot, *_: bot.send_audio(ANNA, file(b"x", "a.mp3")),
    "sendVideo": lambda bot, *_: bot.send_video(ANNA, file(b"x", "a.mp4")),
    "sendMediaGroup": lambda bot, *_: bot.send_media_group(
        ANNA, [InputMediaPhoto(media=file(png(9, 9), "a.png"))] * 2
    ),
    "getFile": download,
    "answerCallbackQuery": press,
    "setMyCommands": lambda bot, *_: bot.set_my_commands(
        [BotCommand(command="new", description="New")], scope=BotCommandScopeChat(chat_id=ANNA)
    ),
    "getMyCommands": lambda bot, *_: bot.get_my_commands(language_code="en"),
    "deleteMyCommands": lambda bot, *_: bot.delete_my_commands(),
    "setMyName": lambda bot, *_: bot.set_my_name("Starling"),
    "getMyName": lambda bot, *_: bot.get_my_name(),
    "setMyDescription": lambda bot, *_: bot.set_my_description("Answers."),
    "getMyDescription": lambda bot, *_: bot.get_my_description(),
    "setMyShortDescription": lambda bot, *_: bot.set_my_short_description("Answers."),
    "getMyShortDescription": lambda bot, *_: bot.get_my_short_description(),
    "setChatMenuButton": lambda bot, *_: bot.set_chat_menu_button(menu_button=MenuButtonDefault()),
    "getChatMenuButton": lambda bot, *_: bot.get_chat_menu_button(),
    "sendInvoice": lambda bot, *_: bot.send_invoice(
        ANNA, "Stars", "Five", "order", "XTR", FIVE, provider_token=""
    ),
    "createInvoiceLink": lambda bot, *_: bot.create_invoice_link(
        "Stars", "Five", "order", "XTR", FIVE, provider_token="", subscription_period=2_592_000
    ),
    "answerPreCheckoutQuery": check_out,
    "refundStarPayment": give_back,
    "getStarTransactions": lists,
    "getMyStarBalance": lambda bot, *_: bot.get_my_star_balance(),
    "editUserStarSubscription": end_subscription,
}


def test_every_method_there_is_has_a_try():
    assert {entry.name for entry in METHODS.values()} == TRIES.keys()


@pytest.mark.parametrize("name", TRIES)
async def test_aiogram_takes_the_answer_of(name: str, telegram: Playground, bot: Bot, anna: Person):
    telegram.group(GROUP, "Forum", anna, is_forum=True, bot="administrator")
    await telegram.group(GUESTS, "Strangers", anna, bot="never").member(ANNA).send("@starling_bot hello")
    text = await bot.send_message(ANNA, "text", reply_markup=buttons())
    photo = await bot.send_photo(ANNA, file(png(9, 9), "a.png"), caption="old")
    result = await TRIES[name](bot, anna, text.message_id, photo.message_id)
    assert telegram.calls[-1].method == name
    for item in result if isinstance(result, list) else [result]:
        assert not unknown(item)


async def test_aiogram_knows_every_field_of_every_update(bot: Bot, anna: Person):
    sent = await anna.send("/start https://a.b")
    await anna.send("a reply", reply_to=sent["message_id"])
    await anna.edit(sent["message_id"], "edited")
    await anna.send_file(Upload("a.png", "image/png", png(9, 9)), caption="look")
    await anna.press((await bot.send_message(ANNA, "x", reply_markup=buttons())).message_id, "go")
    await bot.send_message_draft(ANNA, 1, text="x", can_stop=True)
    await anna.stop()
    await anna.block()
    await anna.block(blocked=False)
    url = await bot.create_invoice_link(
        "Stars", "Five", "order", "XTR", FIVE, provider_token="", subscription_period=2_592_000
    )
    charge = anna.complete(anna.invoice(url)).id
    anna.renew(charge)
    anna.change_subscription(charge, "canceled")
    anna.refund_elsewhere(charge)
    updates = await bot.get_updates()
    kinds = [update.event_type for update in updates]
    assert kinds == [
        "message",
        "message",
        "edited_message",
        "message",
        "callback_query",
        "stopped_message_generation",
        "my_chat_member",
        "my_chat_member",
        "message",
        "message",
        "subscription",
        "message",
    ]
    for update in updates:
        assert not unknown(update)


def test_the_search_for_unknown_fields_finds_one():
    message = {"message_id": 1, "date": 1, "chat": {"id": 1, "type": "private", "colour": "red"}}
    answer = Response[list[Update]].model_validate(
        {"ok": True, "result": [{"update_id": 1, "message": message}]}
    )
    assert answer.result is not None
    assert unknown(answer.result[0]) == ["message.chat.colour"]
