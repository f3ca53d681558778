"""Formulas by the LaTeX of the machine, where there is one: `latex`, then `dvipng`.

Its guard is not a filter of words but what TeX may do: no shell, no file outside its own empty
directory and the TeX tree (openin_any, openout_any = p), an empty environment, and limits on
processor time, memory and file size.
"""

import asyncio
import contextlib
import os
import re
import shutil
import signal
import tempfile
from pathlib import Path

from conversations.contracts import ToolFailed

SECONDS_MAX = 10  # for both programs together; a formula takes 0.3 to 1.8
LIMITS = "ulimit -t 10 -v 1048576 -f 20480 -c 0"  # seconds, KiB of memory, blocks of 512 bytes, no core
PNG_MAX = 10 * 1024 * 1024  # bytes; Telegram's largest photo
LATEX_ARGUMENTS = ("-no-shell-escape", "-interaction=nonstopmode", "-halt-on-error")
# "tight" with a border of 20 pixels: white around the formula, so that it reads on dark chats.
DVIPNG_ARGUMENTS = ("-T", "tight", "-bd", "20", "-l", "1", "--nogs", "-o", "formula.png")
DOCUMENT = r"""\documentclass[12pt]{article}
\usepackage[utf8]{inputenc}
\IfFileExists{t2aenc.def}{\usepackage[T2A,T1]{fontenc}}{\usepackage[T1]{fontenc}}
\usepackage{amsmath,amssymb}
\IfFileExists{mhchem.sty}{\usepackage[version=4]{mhchem}}{}
\usepackage{xcolor}
\pagestyle{empty}
\begin{document}
\[
%s
\]
\end{document}
"""


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
        return _picture(folder)


def _write(folder: Path, formula: str) -> None:
    Path(folder, "formula.tex").write_text(DOCUMENT % formula)


def _picture(folder: Path) -> bytes:
    picture = Path(folder, "formula.png")
    if not picture.exists() or picture.stat().st_size > PNG_MAX:
        raise ToolFailed("The formula is too large for a picture. Make it shorter or simpler.")
    return picture.read_bytes()


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
