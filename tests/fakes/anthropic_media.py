"""What the Messages API refuses of pictures and documents, and what it counts for them.

https://platform.claude.com/docs/en/build-with-claude/vision and …/pdf-support, November 2026.
"""

import base64
import binascii
import io
import math
from typing import Any

from PIL import Image
from pypdf import PdfReader
from pypdf.errors import PyPdfError

Block = dict[str, Any]

IMAGE_TYPES = {"image/jpeg": "JPEG", "image/png": "PNG", "image/gif": "GIF", "image/webp": "WEBP"}
IMAGE_BYTES_MAX = 5 * 1024 * 1024  # of the base64
SIDE_MAX, SIDE_MAX_OF_MANY, MANY = 8000, 2000, 20
MEDIA_MAX = 100
PAGES_MAX = 600
PIXELS_PER_TOKEN = 750
PAGE_TOKENS = 2_250  # the middle of what the API documents


class Refused(Exception):
    """The API says no, in its own words."""

    def __init__(self, message: str, *, status: int = 400, type: str = "invalid_request_error") -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.type = type


def check_image(block: Block, place: str) -> None:
    """Raise Refused for a picture the API would not take."""
    source = _source(block, place, "image", IMAGE_TYPES)
    if len(source["data"]) > IMAGE_BYTES_MAX:
        size = f"{len(source['data'])} bytes > {IMAGE_BYTES_MAX} bytes"
        raise Refused(f"{place}.image.source.base64: image exceeds 5 MB maximum: {size}")
    image = _image(block, place)
    declared = source["media_type"]
    if image.format != IMAGE_TYPES[declared]:
        raise Refused(
            f"{place}.image.source.base64.data: Image does not match the provided media type {declared}"
        )
    if max(image.size) > SIDE_MAX:
        raise Refused(
            f"{place}.image.source.base64.data: At least one of the image dimensions"
            " exceed max allowed size: 8000 pixels"
        )


def check_document(block: Block, place: str) -> None:
    """Raise Refused for a document the API would not take."""
    _source(block, place, "document", {"application/pdf": "PDF"})
    if _pages(block, place) > PAGES_MAX:
        raise Refused(f"{place}.document: A maximum of {PAGES_MAX} PDF pages may be provided.")


def check_count(messages: list[Block]) -> None:
    """Raise Refused for more pictures than one request takes, or many that are too large to be many."""
    blocks = [block for message in messages for block in message["content"] if isinstance(block, dict)]
    images = [block for block in blocks if block.get("type") == "image"]
    if len(images) > MEDIA_MAX:
        raise Refused(f"Too many images and documents: {len(images)} + 0 > {MEDIA_MAX}")
    if len(images) > MANY and any(max(_image(block, "").size) > SIDE_MAX_OF_MANY for block in images):
        raise Refused(
            "At least one of the image dimensions exceed max allowed size for many-image requests: 2000 pixels"
        )


def tokens_of_media(block: Block) -> int | None:
    """What a picture or a document counts; None for any other block."""
    if block["type"] == "image":
        width, height = _image(block, "").size
        return math.ceil(width * height / PIXELS_PER_TOKEN)
    if block["type"] == "document":
        return _pages(block, "") * PAGE_TOKENS
    return None


def _source(block: Block, place: str, kind: str, types: dict[str, str]) -> Block:
    source = block.get("source")
    if not isinstance(source, dict) or source.get("type") != "base64":
        raise Refused(f"{place}.{kind}.source: Input tag does not match any of the expected tags: 'base64'")
    if set(source) != {"type", "media_type", "data"}:
        raise Refused(f"{place}.{kind}.source.base64: Extra inputs are not permitted")
    if source["media_type"] not in types:
        known = ", ".join(f"'{name}'" for name in types)
        raise Refused(f"{place}.{kind}.source.base64.media_type: Input should be {known}")
    return source


def _bytes(block: Block, place: str) -> bytes:
    try:
        return base64.b64decode(block["source"]["data"], validate=True)
    except (binascii.Error, ValueError):
        raise Refused(f"{place}.source.base64: invalid base64 data") from None


def _image(block: Block, place: str) -> Image.Image:
    try:
        return Image.open(io.BytesIO(_bytes(block, place)))
    except OSError:
        raise Refused(f"{place}.image.source.base64.data: Could not process image") from None


def _pages(block: Block, place: str) -> int:
    try:
        reader = PdfReader(io.BytesIO(_bytes(block, place)))
        if reader.is_encrypted:
            raise Refused(f"{place}.document.source.base64: The PDF specified is password protected.")
        return len(reader.pages)
    except (PyPdfError, ValueError, KeyError):
        raise Refused(f"{place}.document.source.base64: The PDF specified was not valid.") from None
