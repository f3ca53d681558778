"""The demo's Python: small programs it has at hand when a person asks for a sum or a plot. Pure."""

import re

from conversations.parts import ToolResult

PYTHON_TOOL = "execute_python"
EXPRESSION_MAX = 200  # characters
SUM = re.compile(
    r"\b(?:compute|calculate|evaluate|посчитай|вычисли|сколько будет)\w*\s+(?P<sum>[\d(][\d\s.+\-*/%^()]*)",
    re.IGNORECASE,
)
PLOT = re.compile(
    r"\b(?:plot|draw|chart|graph)\b.*\bsin|\b(?:нарисуй|построй|начерти|график)\w*.*\bсинус", re.IGNORECASE
)
SINE = '''"""Two turns of a sine, by matplotlib where it is there, else pixel by pixel."""

import math
import struct
import zlib

try:
    import matplotlib.pyplot as plt
except ImportError:
    plt = None

if plt:
    xs = [4 * math.pi * n / 400 for n in range(401)]
    plt.plot(xs, [math.sin(x) for x in xs])
    plt.title("sin x")
    plt.grid(True)
    plt.savefig("sine.png", dpi=150)
else:
    width, height = 800, 400
    rows = [bytearray(b"\\xff" * width * 3) for _ in range(height)]

    def dot(x, y, colour):
        if 0 <= x < width and 0 <= y < height:
            rows[y][3 * x : 3 * x + 3] = bytes(colour)

    for x in range(width):
        dot(x, height // 2, (160, 160, 160))
    for y in range(height):
        dot(width // 2, y, (160, 160, 160))
    for step in range(width * 8):
        x = step / 8
        y = height / 2 - math.sin(4 * math.pi * x / width) * height * 0.42
        for across in (-1, 0, 1):
            for down in (-1, 0, 1):
                dot(round(x) + across, round(y) + down, (31, 119, 180))

    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = zlib.compress(b"".join(b"\\0" + bytes(row) for row in rows))
    with open("sine.png", "wb") as file:
        file.write(b"\\x89PNG\\r\\n\\x1a\\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b""))
print("sin x from 0 to 4π is in sine.png")
'''
BEFORE = {"en": "I run a small program for that.", "ru": "Запускаю для этого маленькую программу."}
THINKING = {
    "en": "This is better computed than guessed: a few lines of Python.",
    "ru": "Это лучше вычислить, чем угадать: несколько строк на Python.",
}
PLOTTED = {
    "en": "That is the sine over two turns, drawn by the program just now.",
    "ru": "Это синус на двух периодах; программа нарисовала его только что.",
}
COMPUTED = {"en": "The program says:", "ru": "Программа говорит:"}
FAILED = {"en": "The program did not come to its end:", "ru": "Программа не дошла до конца:"}
PRINTED = re.compile(r"stdout:\n(?P<text>.*?)(?:\n\n|\Z)", re.DOTALL)
SHOWN_MAX = 1_500  # characters of what a program said


def program(question: str) -> str:
    """The program a question asks for, or nothing."""
    if PLOT.search(question):
        return SINE
    if found := SUM.search(question):
        return f"print({found['sum'].strip(' .').replace('^', '**')[:EXPRESSION_MAX]})\n"
    return ""


def told(question: str, result: ToolResult, language: str) -> str:
    """What to say when the program has come back."""
    if result.is_error:
        return f"{FAILED[language]}\n\n```\n{result.text[:SHOWN_MAX]}\n```"
    if PLOT.search(question):
        return PLOTTED[language]
    printed = PRINTED.search(result.text)
    said = printed["text"] if printed else result.text
    return f"{COMPUTED[language]}\n\n```\n{said[:SHOWN_MAX]}\n```"
