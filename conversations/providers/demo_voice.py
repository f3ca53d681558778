"""The demo's ears: it says that it heard nothing, and needs no key and no network."""

from django.conf import settings

from conversations.hearing import Heard, Recording, Transcriber

BYTES_MAX = 25 * 1024 * 1024
SPEECH_SECONDS_MAX = 1_500
KINDS = frozenset(("audio/ogg", "audio/mpeg", "audio/mp4", "audio/wav", "video/mp4", "video/webm"))
WORDS = (
    "This is the demo's canned transcript of {seconds} seconds of sound: the demo cannot hear. "
    "With OPENAI_API_KEY set, your own words would stand here."
)


def hears() -> bool:
    """Where the demo answers and nobody better listens."""
    return settings.DEFAULT_MODEL == "demo" and not settings.OPENAI_API_KEY


async def listen(recording: Recording) -> Heard:
    return Heard(WORDS.format(seconds=recording.seconds), recording.seconds)


TRANSCRIBER = Transcriber("demo", BYTES_MAX, SPEECH_SECONDS_MAX, KINDS, listen)
