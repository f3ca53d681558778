"""`manage.py playground`, as a person starts it."""

import asyncio
import signal
import socket
import sys
from pathlib import Path

import aiohttp
import pytest
from django.core.management import CommandError, call_command

ROOT = Path(__file__).resolve().parents[2]


def test_it_does_not_run_beside_a_real_bot(settings):
    settings.PLAYGROUND = False
    with pytest.raises(CommandError, match="does not run while TELEGRAM_BOT_TOKEN names a real bot"):
        call_command("playground")


def test_a_port_that_is_taken_is_named_in_a_sentence(settings):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        words = rf"cannot listen on port {port}: set PLAYGROUND_PORT to a free one\."
        with pytest.raises(CommandError, match=words):
            call_command("playground", port=port)


@pytest.mark.processes
async def test_it_serves_the_chat_page_and_ends_cleanly(settings, process_environment: dict[str, str]):
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "manage.py",
        "playground",
        "--port=0",
        cwd=ROOT,
        env=process_environment,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        async with asyncio.timeout(180):
            line = (await process.stdout.readline()).decode()
        url = line.removeprefix("The playground is at ").strip()
        async with aiohttp.ClientSession(url) as session:
            async with session.get("/") as response:
                assert "<html" in await response.text()
            async with session.get(f"/bot{settings.TELEGRAM_BOT_TOKEN}/getMe") as response:
                assert (await response.json())["result"]["is_bot"] is True
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(30):
            assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
