"""The smallest files that have a header: only the sizes in them matter."""

import struct

OGG = b"OggS" + b"\0" * 40


def png(width: int, height: int, padding: int = 0) -> bytes:
    head = struct.pack(">I4sIIBBBBB", 13, b"IHDR", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + head + b"\0" * padding


def gif(width: int, height: int) -> bytes:
    return b"GIF89a" + struct.pack("<HH", width, height) + b"\0" * 10


def jpeg(width: int, height: int) -> bytes:
    exif = b"\xff\xe1\x00\x08Exif\0\0"
    fill = b"\xff"
    table = b"\xff\xc4\x00\x04\0\0"  # a Huffman table's marker lies among the frames' markers
    frame = b"\xff\xc2\x00\x11\x08" + struct.pack(">HH", height, width) + b"\x03" + b"\0" * 9
    return b"\xff\xd8" + exif + fill + table + frame
