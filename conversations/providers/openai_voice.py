"""Speech to text by OpenAI: gpt-transcribe, which takes Telegram's own ogg."""

import functools
import math

import httpx2
import openai
from django.conf import settings
from openai import AsyncOpenAI

from conversations.hearing import Heard, NotHeard, Recording, Transcriber

MODEL = "gpt-transcribe"  # every older one is switched off on 2027-02-26 (openai.types.AudioModel)
CONNECT_SECONDS = 5.0
SECONDS_MAX = 60.0  # 25 minutes of speech take about 20
BYTES_MAX = 25 * 1024 * 1024  # https://platform.openai.com/docs/guides/speech-to-text
SPEECH_SECONDS_MAX = 1_500
# The API tells formats by the name's ending, and knows no .oga.
ENDINGS = {
    "audio/ogg": "ogg",
    "audio/mpeg": "mp3",
    "audio/mp4": "m4a",
    "audio/x-m4a": "m4a",
    "audio/wav": "wav",
    "audio/x-wav": "wav",
    "audio/flac": "flac",
    "audio/webm": "webm",
    "video/webm": "webm",
    "video/mp4": "mp4",
}


def hears() -> bool:
    """Is there a key to call the API with? A compatible server has models of its own, and no ears."""
    return bool(settings.OPENAI_API_KEY) and not settings.OPENAI_COMPATIBLE


@functools.cache
def client() -> AsyncOpenAI:
    """The one HTTP client; nothing of a request is kept on it."""
    return AsyncOpenAI(
        api_key=settings.OPENAI_API_KEY,
        base_url=settings.OPENAI_BASE_URL,
        timeout=httpx2.Timeout(SECONDS_MAX, connect=CONNECT_SECONDS),
        max_retries=2,  # with the SDK's own pauses; nothing has been heard yet when it fails
    )


async def listen(recording: Recording) -> Heard:
    """The words of a recording. Raises NotHeard."""
    ending = ENDINGS.get(recording.mime, "ogg")
    try:
        heard = await client().audio.transcriptions.create(
            model=MODEL,
            file=(f"recording.{ending}", recording.content, recording.mime),
            languages=[recording.language] if recording.language else openai.omit,
        )
    except (openai.AuthenticationError, openai.PermissionDeniedError, openai.NotFoundError) as error:
        raise NotHeard("key", type(error).__name__) from error
    except (openai.BadRequestError, openai.UnprocessableEntityError) as error:
        raise NotHeard("damaged", str(error)[:200]) from error
    except openai.APIError as error:
        raise NotHeard("busy", type(error).__name__) from error
    usage = heard.usage
    counted = math.ceil(usage.seconds) if usage is not None and usage.type == "duration" else 0
    return Heard(heard.text.strip(), counted)


TRANSCRIBER = Transcriber(MODEL, BYTES_MAX, SPEECH_SECONDS_MAX, frozenset(ENDINGS), listen)
