"""deliver_file: a file of the conversation to the person, where the answer stands."""

from typing import Annotated, Literal

from django.utils.translation import gettext_lazy as _
from pydantic import Field

from conversations.contracts import ToolContext, ToolFailed, ToolOutput
from conversations.parts import Delivery
from tools.base import tool

UPLOAD_BYTES_MAX = 50 * 1024 * 1024  # https://core.telegram.org/bots/api#sending-files
CAPTION_MAX = 1000  # characters; Telegram takes 1,024 UTF-16 code units, longer ones become a message


@tool(label=_("Sending a file"), icon="📎", seconds_max=30)
async def deliver_file(
    context: ToolContext,
    file_id: Annotated[str, Field(description="A file of this conversation, e.g. f_7k2q.")],
    caption: Annotated[
        str, Field(max_length=CAPTION_MAX, description="Words below the file, in Markdown.")
    ] = "",
    mode: Annotated[
        Literal["auto", "photo", "document"],
        Field(
            description="auto shows pictures, sound and video as such; document keeps every byte as it is."
        ),
    ] = "auto",
) -> ToolOutput:
    """Send a file of this conversation to the person, below the words you have said so far.

    Use it for files that a tool made or fetched and did not send, or that the person wants again.
    Look with preview_file first when you have not seen what is in it. mode="document" for pictures whose
    full quality matters. It is free. Tools that say a file was sent have sent it: do not send it twice.
    """
    file, content = await context.files.read(file_id)
    if not content:
        raise ToolFailed(f"{file_id} ({file.name}) is empty; Telegram sends no empty files.")
    if len(content) > UPLOAD_BYTES_MAX:
        raise ToolFailed(
            f"{file_id} ({file.name}) has {len(content)} bytes; Telegram takes {UPLOAD_BYTES_MAX}. "
            "Make it smaller or split it."
        )
    if mode == "photo" and not file.mime.startswith("image/"):
        raise ToolFailed(f"{file_id} is {file.mime}, no picture. Use mode auto or document.")
    return ToolOutput(
        f"{file_id} ({file.name}) is on its way to the person.", deliver=(Delivery(file, caption, mode),)
    )
