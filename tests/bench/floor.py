"""The floor: the smallest bot that streams Claude into a draft. No storage, no history, no money.

`python -m tests.bench.floor` with TELEGRAM_BOT_TOKEN, TELEGRAM_API_URL, ANTHROPIC_API_KEY and ANTHROPIC_BASE_URL.
"""

import os
import time

import uvloop
from aiogram import Bot, Dispatcher
from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.client.telegram import TelegramAPIServer
from aiogram.types import Message
from anthropic import AsyncAnthropic

FRAME_SECONDS = 1.0


async def main() -> None:
    session = AiohttpSession(api=TelegramAPIServer.from_base(os.environ["TELEGRAM_API_URL"]))
    bot = Bot(os.environ["TELEGRAM_BOT_TOKEN"], session=session)
    claude = AsyncAnthropic(
        api_key=os.environ["ANTHROPIC_API_KEY"], base_url=os.environ["ANTHROPIC_BASE_URL"]
    )
    dispatcher = Dispatcher()

    @dispatcher.message()
    async def answer(message: Message) -> None:
        text, shown_at = "", 0.0
        asked = [{"role": "user", "content": message.text or ""}]
        async with claude.messages.stream(
            model=os.environ["DEFAULT_MODEL"], max_tokens=16_000, messages=asked
        ) as stream:
            async for delta in stream.text_stream:
                text += delta
                if time.monotonic() - shown_at >= FRAME_SECONDS:
                    shown_at = time.monotonic()
                    await bot.send_message_draft(message.chat.id, draft_id=message.message_id, text=text)
        await bot.send_message(message.chat.id, text)

    await dispatcher.start_polling(bot, handle_signals=True)


if __name__ == "__main__":
    uvloop.run(main())
