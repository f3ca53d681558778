"""The smallest loop with a tool: ask Claude, do nothing, ask again. `python -m tests.bench.tool_floor TOOL ROUNDS`."""

import asyncio
import sys
from typing import Any

from anthropic import AsyncAnthropic

MODEL = "claude-haiku-5-5"


async def nothing() -> str:
    return "Nothing."


async def main(name: str, rounds: int) -> None:
    claude = AsyncAnthropic()  # its key and address are in the environment
    tool: Any = {
        "name": name,
        "description": "Do nothing.",
        "input_schema": {"type": "object", "properties": {}},
    }
    for _ in range(rounds):
        messages: list[Any] = [{"role": "user", "content": name}]
        while True:
            async with claude.messages.stream(
                model=MODEL, max_tokens=1000, messages=messages, tools=[tool]
            ) as stream:
                said = await stream.get_final_message()
            calls = [block for block in said.content if block.type == "tool_use"]
            if not calls:
                break
            results = [
                {"type": "tool_result", "tool_use_id": call.id, "content": await nothing()} for call in calls
            ]
            blocks = [block.to_dict() for block in said.content]
            messages += [{"role": "assistant", "content": blocks}, {"role": "user", "content": results}]


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
