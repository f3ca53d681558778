"""Formulas by the LaTeX of the machine, where there is one: `latex`, then `dvipng`.

It knows every command and takes half a second, so it gets what the quick renderer refuses.

Its guard is not a filter of words but what TeX may do: no shell, no file outside its own empty
directory and the TeX tree (openin_any, openout_any = p), an empty environment, and limits on
processor time, memory and file size.
"""

import asyncio
import base64
import contextlib
import os
import re
import shutil
import signal
import struct
import tempfile
from pathlib import Path

import resvg_py

from conversations.contracts import ToolFailed

SECONDS_MAX = 10  # for both programs together; a formula takes 0.3 to 1.8
# Seconds of processor, KiB of memory, blocks of 512 bytes, no core. One by one: dash takes no more at once.
LIMITS = "ulimit -t 10 && ulimit -v 1048576 && ulimit -f 20480 && ulimit -c 0"
PADDING = 30  # pixels of white on every side
RATIO_MAX = 19.5  # Telegram refuses photos above 20
SIDE_MAX = 5000  # pixels: Telegram's photos have a width and a height of 10,000 together
PNG_MAX = 10 * 1024 * 1024  # bytes; Telegram's largest photo
LATEX_ARGUMENTS = ("-no-shell-escape", "-interaction=nonstopmode", "-halt-on-error")
DVIPNG_ARGUMENTS = ("-T", "tight", "-l", "1", "--nogs", "-o", "formula.png")
# A page so large that no formula is broken off; where a package is missing, TeX will say so.
DOCUMENT = r"""\documentclass[12pt]{article}
\usepackage[utf8]{inputenc}
%s
\usepackage{amsmath,amssymb,xcolor}
\IfFileExists{mathtools.sty}{\usepackage{mathtools}}{}
\IfFileExists{bm.sty}{\usepackage{bm}}{}
\IfFileExists{braket.sty}{\usepackage{braket}}{}
\IfFileExists{cancel.sty}{\usepackage{cancel}}{}
\IfFileExists{siunitx.sty}{\usepackage{siunitx}}{}
\IfFileExists{mhchem.sty}{\usepackage[version=4]{mhchem}}{}
\pagestyle{empty}
\setlength{\textwidth}{200cm}
\setlength{\textheight}{300cm}
\begin{document}
\[
%s
\]
\end{document}
"""
CYRILLIC = re.compile("[\u0400-\u04ff]")  # its fonts are an extra that many machines lack


def is_installed() -> bool:
    """Has this machine what it takes?"""
    return all(shutil.which(program) for program in ("latex", "dvipng"))


async def draw(formula: str, dpi: int) -> bytes:
    """A PNG of the formula. Raises ToolFailed with TeX's own complaint."""
    with tempfile.TemporaryDirectory(prefix="formula-") as name:
        folder = Path(name)
        _write(folder, formula)
        try:
            async with asyncio.timeout(SECONDS_MAX):
                log = await _run(folder, "latex", *LATEX_ARGUMENTS, "formula.tex")
                if "Output written on formula.dvi" not in log:
                    raise ToolFailed(
                        f"LaTeX refused the formula: {_complaint(log)}. Correct it and call again."
                    )
                await _run(folder, "dvipng", *DVIPNG_ARGUMENTS, "-D", str(dpi), "formula.dvi")
        except TimeoutError as error:
            raise ToolFailed("LaTeX took too long. Make the formula shorter or simpler.") from error
        return await asyncio.to_thread(_picture, folder)


def _write(folder: Path, formula: str) -> None:
    encoding = r"\usepackage[T2A]{fontenc}" if CYRILLIC.search(formula) else ""
    Path(folder, "formula.tex").write_text(DOCUMENT % (encoding, formula))


def _picture(folder: Path) -> bytes:
    picture = Path(folder, "formula.png")
    if not picture.exists() or picture.stat().st_size > PNG_MAX:
        raise ToolFailed("The formula is too large for a picture. Make it shorter or simpler.")
    content = picture.read_bytes()
    width, height = struct.unpack(">II", content[16:24])
    if max(width, height) == 1:
        raise ToolFailed("Nothing of the formula can be seen. Give one that shows something.")
    return _on_white(content, width, height)


def _on_white(png: bytes, width: int, height: int) -> bytes:
    """The picture with room around it: dvipng's own border is transparent, and chats may be dark."""
    outer_width = max(width + 2 * PADDING, (height + 2 * PADDING) / RATIO_MAX)
    outer_height = max(height + 2 * PADDING, outer_width / RATIO_MAX)
    if max(outer_width, outer_height) > SIDE_MAX:
        raise ToolFailed(
            f"The formula is {width} by {height} pixels large. Break it into lines, or lower dpi."
        )
    image = (
        f'<image x="{(outer_width - width) / 2}" y="{(outer_height - height) / 2}" width="{width}" '
        f'height="{height}" href="data:image/png;base64,{base64.b64encode(png).decode()}"/>'
    )
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{outer_width}" height="{outer_height}">{image}</svg>'
    )
    return bytes(resvg_py.svg_to_bytes(svg_string=svg, background="white", skip_system_fonts=True))


async def _run(folder: Path, program: str, *arguments: str) -> str:
    path = shutil.which(program)
    assert path is not None
    environment = {
        "PATH": os.path.dirname(path) + os.pathsep + "/usr/bin:/bin",
        "HOME": str(folder),
        "TEXMFOUTPUT": str(folder),
        "openin_any": "p",
        "openout_any": "p",
        "max_print_line": "1000",
        # No font is made here: that takes minutes, and processes.
        "MKTEXPK": "0",
        "MKTEXTFM": "0",
        "MKTEXMF": "0",
    }
    process = await asyncio.create_subprocess_exec(
        "/bin/sh",
        "-c",
        f'{LIMITS} && exec "$@"',
        "sh",
        path,
        *arguments,
        cwd=folder,
        env=environment,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        output, _ = await process.communicate()
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # whatever is left of it
    return output.decode(errors="replace")


def _complaint(log: str) -> str:
    """TeX's first error: its line and the command it stopped at."""
    found = re.search(
        r"^! (?P<fault>.*?)\.?$(?:.*?^l\.\d+ (?P<where>[^\n]*))?", log, re.MULTILINE | re.DOTALL
    )
    if found is None:
        return "it used too much memory or never ended"
    return f"{found['fault']} at {found['where']}" if found["where"] else found["fault"]
