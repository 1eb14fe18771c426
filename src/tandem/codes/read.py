"""Read the QR and bar codes in a picture that somebody sent. The picture is hostile until read.

Size is checked before anything is decoded, the pixels that the header claims before they are made,
and only formats whose decoders are needed are opened. The largest picture takes about a second of
work and 200 MB: a server reads pictures outside its event loop, and few at once.
"""

import io
import struct
import zlib
from typing import Final

import zxingcpp
from PIL import Image

from tandem.codes.errors import UnreadableImage

MAX_BYTES: Final = 10 * 1024 * 1024
MAX_PIXELS: Final = 25_000_000
"""More than a phone's camera makes; decoding takes up to 8 bytes for each."""

_FORMATS = ("PNG", "JPEG", "GIF", "WEBP", "BMP")
# What Pillow's decoders raise on bytes that lie, and its warnings where warnings are errors.
_DECODER_FAULTS = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    LookupError,
    TypeError,
    ArithmeticError,
    MemoryError,
    Warning,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
)


def read_image(data: bytes) -> list[str]:
    """The texts of all QR codes and Code 128 bar codes in a picture, each once; none: `[]`.

    Raises `UnreadableImage` for more than 10 MB or 25 million pixels, for a truncated file and for
    anything that is not a PNG, JPEG, GIF, WebP or BMP.
    """
    if len(data) > MAX_BYTES:
        raise UnreadableImage(f"it has {len(data)} bytes, more than {MAX_BYTES}")
    # Made here: an object of zxing-cpp that lives until the process ends is reported as a leak.
    symbols = zxingcpp.BarcodeFormats(
        [zxingcpp.BarcodeFormat.QRCode, zxingcpp.BarcodeFormat.Code128]
    )
    found = zxingcpp.read_barcodes(_grey(data), formats=symbols, text_mode=zxingcpp.TextMode.Plain)
    return list(dict.fromkeys(barcode.text for barcode in found))


def _grey(data: bytes) -> Image.Image:
    """The first frame in shades of grey, on white where it is transparent."""
    try:
        with Image.open(io.BytesIO(data), formats=_FORMATS) as image:
            width, height = image.size
            if width * height > MAX_PIXELS:
                raise UnreadableImage(f"{width} x {height} pixels are more than {MAX_PIXELS}")
            image.load()
            if not image.has_transparency_data:
                return image.convert("L")
            # In shades of grey at once: four times less memory than putting colours together.
            clear = image if image.mode in {"RGBA", "LA"} else image.convert("RGBA")
            flat = Image.new("L", image.size, 255)
            flat.paste(clear.convert("L"), mask=clear.getchannel("A"))
            return flat
    except _DECODER_FAULTS as error:
        raise UnreadableImage("it is not a whole picture of a kind read here") from error
