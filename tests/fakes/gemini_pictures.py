"""The image model of the Gemini stand-in: what generateContent refuses of it, and the pictures it gives back."""

import base64
import io
from dataclasses import dataclass, field
from typing import Any

from PIL import Image

from tests.fakes.gemini_books import Bill, sign, tokens_of
from tests.fakes.gemini_rules import Refused, content_of, fields_of
from tests.fakes.gemini_script import Blocks, Hold, Json

MODELS = {"gemini-nano-banana-2.1"}
SOURCES_MAX = 14
OUTPUT_MAX = 32_768
WINDOW = 131_072
PICTURE_TOKENS = {
    "1K": 1_120,
    "2K": 1_680,
    "4K": 3_780,
}  # of the first the vendor says so, the others are resellers'
SOURCE_TOKENS = 1_120
THOUGHT_TOKENS = 310
SIDES = {"1K": 1024, "2K": 2048, "4K": 4096}
RATIOS = {
    *("1:1", "2:3", "3:2", "3:4", "4:3", "4:5", "5:4", "9:16", "16:9", "21:9"),
    *("1:4", "4:1", "1:8", "8:1"),
}
LEVELS = {"MINIMAL", "MEDIUM", "HIGH"}
READS = {"image/png", "image/jpeg", "image/webp", "image/heic", "image/heif"}
TOP = {"contents", "systemInstruction", "generationConfig", "safetySettings"}
GENERATION = {"responseModalities", "imageConfig", "maxOutputTokens", "thinkingConfig"}


@dataclass(frozen=True)
class Draws:
    """One answer of the image model; without a picture `finish` says why."""

    pictures: int = 1
    finish: str = "STOP"
    sketches: int = 0  # pictures of its thoughts: shown, marked, and part of the thoughts' tokens
    hold: Hold | None = None  # stands still before it answers
    usage: Json | None = field(default=None)  # instead of the true counts; {} for none


def checked(model: str, given: Any) -> Json:
    """The body in the API's own spelling. Raises Refused for the first thing that is wrong with it."""
    if model not in MODELS:
        raise Refused(f"models/{model} is not found for API version v1.", code=404, status="NOT_FOUND")
    body = fields_of(given, TOP | {"tools", "toolConfig"}, "")
    if body.get("tools") or body.get("toolConfig"):
        raise Refused("Function calling is not enabled for this model")
    config = body["generationConfig"] = fields_of(
        body.get("generationConfig", {}), GENERATION, "generation_config"
    )
    if not set(config.get("responseModalities", [])) <= {"TEXT", "IMAGE"}:
        raise Refused("Invalid value at 'generation_config.response_modalities'")
    if not 1 <= config.get("maxOutputTokens", 1) <= OUTPUT_MAX:
        raise Refused(f"maxOutputTokens: the supported range is from 1 to {OUTPUT_MAX + 1} (exclusive).")
    shape = fields_of(config.get("imageConfig", {}), {"aspectRatio", "imageSize"}, "image_config")
    if shape.get("aspectRatio", "1:1") not in RATIOS:
        raise Refused(f"Invalid aspect ratio {shape['aspectRatio']}.")
    if shape.get("imageSize", "1K") not in SIDES:  # a small k, too
        raise Refused(f"Image size {shape['imageSize']} is not supported by this model.")
    level = config.get("thinkingConfig", {}).get("thinkingLevel", "MEDIUM")
    if level not in LEVELS:
        raise Refused(f"Thinking level {level} is not supported for this model.")
    if not body.get("contents"):
        raise Refused("* GenerateContentRequest.contents: contents is not specified\n")
    body["contents"] = [content_of(content, f"contents[{n}]") for n, content in enumerate(body["contents"])]
    sources = [part["inlineData"] for part in _parts(body) if "inlineData" in part]
    if len(sources) > SOURCES_MAX:
        raise Refused(f"Too many images in the request: {len(sources)} > {SOURCES_MAX}.")
    for source in sources:
        if source["mimeType"] not in READS:
            raise Refused(f"Unsupported MIME type: {source['mimeType']}")
        if len(base64.b64decode(source["data"])) < 8:
            raise Refused("Unable to process input image. Please retry or report.")
    if not any(part.get("text", "").strip() for part in _parts(body)):
        raise Refused("The prompt is empty.")
    return body


def _parts(body: Json) -> list[Json]:
    return [part for content in body["contents"] for part in content["parts"]]


def bill_of(body: Json, draws: Draws | Blocks) -> Bill:
    parts = _parts(body)
    words = sum(tokens_of(part["text"]) for part in parts if "text" in part)
    sources = sum(SOURCE_TOKENS for part in parts if "inlineData" in part)
    if isinstance(draws, Blocks):
        return Bill(words + sources)
    size = body["generationConfig"].get("imageConfig", {}).get("imageSize", "1K")
    thoughts = THOUGHT_TOKENS * (1 + draws.sketches)
    return Bill(words + sources, candidates=PICTURE_TOKENS[size] * draws.pictures, thoughts=thoughts)


def answer(model: str, body: Json, draws: Draws | Blocks, bill: Bill, response_id: str) -> Json:
    """The whole response."""
    whole: Json = {"modelVersion": model, "responseId": response_id}
    if isinstance(draws, Blocks):
        usage = {"promptTokenCount": bill.prompt, "totalTokenCount": bill.prompt}
        return {**whole, "promptFeedback": {"blockReason": draws.reason}, "usageMetadata": usage}
    shape = body["generationConfig"].get("imageConfig", {})
    picture = {"inlineData": {"mimeType": "image/png", "data": base64.b64encode(png_of(shape)).decode()}}
    sketches = [{**picture, "thought": True} for _ in range(draws.sketches)]
    pictures = [
        {**picture, "thoughtSignature": sign(model, {"picture": number})} for number in range(draws.pictures)
    ]
    candidate: Json = {"finishReason": draws.finish, "index": 0}
    if sketches or pictures:
        candidate["content"] = {"parts": [*sketches, *pictures], "role": "model"}
    usage = _usage(body, bill) if draws.usage is None else draws.usage
    return {**whole, "candidates": [candidate]} | ({"usageMetadata": usage} if usage else {})


def _usage(body: Json, bill: Bill) -> Json:
    sources = sum(SOURCE_TOKENS for part in _parts(body) if "inlineData" in part)
    prompt = [{"modality": "TEXT", "tokenCount": bill.prompt - sources}]
    if sources:
        prompt.append({"modality": "IMAGE", "tokenCount": sources})
    usage: Json = {
        "promptTokenCount": bill.prompt,
        "totalTokenCount": bill.prompt + bill.candidates + bill.thoughts,
        "promptTokensDetails": prompt,
        "thoughtsTokenCount": bill.thoughts,
    }
    if bill.candidates:
        usage["candidatesTokenCount"] = bill.candidates
        usage["candidatesTokensDetails"] = [{"modality": "IMAGE", "tokenCount": bill.candidates}]
    return usage


def png_of(shape: Json) -> bytes:
    """A grey picture of the sides that were asked for."""
    across, down = (int(side) for side in shape.get("aspectRatio", "1:1").split(":"))
    side = SIDES[shape.get("imageSize", "1K")]
    stretch = (across / down) ** 0.5
    picture = io.BytesIO()
    size = (round(side * stretch / 32) * 32, round(side / stretch / 32) * 32)
    Image.new("L", size, "gray").save(picture, "PNG")
    return picture.getvalue()
