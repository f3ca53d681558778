"""Pictures: refused by their header when they are bombs, turned upright, made fit for models."""

import io
import math
import warnings

import pillow_heif
from PIL import Image, ImageOps, UnidentifiedImageError

from conversations.reading.findings import Findings, Unreadable

PIXELS_MAX = 100_000_000  # of a picture that is unpacked; larger ones are bombs or maps
JPEG_PIXELS_MAX = 250_000_000  # JPEG is unpacked at an eighth if need be; phones take 200 megapixels
SIDE_MAX = 1568  # pixels: Anthropic scales what is larger down to this, and charges for it the same
SHOWN_BYTES_MAX = 3_500_000  # Anthropic takes 5 MB of base64, which is four bytes of three
PNG_BYTES_MAX = 1_500_000  # a drawing stays sharp as PNG; a photo in PNG is smaller as JPEG
QUALITY = 85
PIXELS_PER_TOKEN = 750  # https://platform.claude.com/docs/en/build-with-claude/vision
AS_THEY_ARE = {"JPEG": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp"}  # all vendors take these
ORIENTATION = 0x0112  # EXIF: how the camera was held
FORMATS = ("JPEG", "PNG", "GIF", "WEBP", "TIFF", "BMP", "AVIF", "HEIF")

warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # our own limits below decide
pillow_heif.register_heif_opener()


def read(mime: str, content: bytes) -> Findings:
    """A picture as models are shown it. Raises Unreadable."""
    Image.MAX_IMAGE_PIXELS = None
    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as image:
            return _prepared(image, mime, content)
    except MemoryError:
        raise Unreadable("too_large_picture") from None
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, EOFError, ArithmeticError, LookupError):
        raise Unreadable("damaged") from None


def _prepared(image: Image.Image, mime: str, content: bytes) -> Findings:
    width, height = image.size
    if width * height > (JPEG_PIXELS_MAX if image.format == "JPEG" else PIXELS_MAX) or not width * height:
        raise Unreadable("too_large_picture")
    fits = max(width, height) <= SIDE_MAX and len(content) <= SHOWN_BYTES_MAX
    upright = image.getexif().get(ORIENTATION, 1) == 1
    still = not getattr(image, "is_animated", False)
    if fits and upright and still and image.format in AS_THEY_ARE:
        image.load()  # whole? a cut one raises here
        return Findings(AS_THEY_ARE[image.format], tokens=_tokens(width, height))
    image.draft("RGB", (SIDE_MAX, SIDE_MAX))
    image.load()
    looks = ImageOps.exif_transpose(image)
    assert looks is not None, "exif_transpose gives None only in place"
    looks.thumbnail((SIDE_MAX, SIDE_MAX), Image.Resampling.LANCZOS, reducing_gap=2.0)
    shown, picture = _encoded(looks, image.format or "")
    return Findings(mime, shown=shown, picture=picture, tokens=_tokens(*looks.size))


def _encoded(image: Image.Image, was: str) -> tuple[str, bytes]:
    """A drawing as PNG while that is small, everything else as JPEG on white."""
    flat = image.convert(
        "RGBA" if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info else "RGB"
    )
    if was not in ("JPEG", "HEIF", "AVIF"):
        png = io.BytesIO()
        flat.save(png, "PNG")
        if png.tell() <= PNG_BYTES_MAX:
            return "image/png", png.getvalue()
    if flat.mode == "RGBA":
        white = Image.new("RGB", flat.size, "white")
        white.paste(flat, mask=flat.getchannel("A"))
        flat = white
    jpeg = io.BytesIO()
    flat.save(jpeg, "JPEG", quality=QUALITY)
    return "image/jpeg", jpeg.getvalue()


def _tokens(width: int, height: int) -> int:
    return math.ceil(width * height / PIXELS_PER_TOKEN)
