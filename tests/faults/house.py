"""A copy of the house with more tools in its catalog: dropping a file in is all a tool takes."""

import shutil
from pathlib import Path

from tests.faults.bots import ROOT

LINKED = ("accounts", "billing", "config", "conversations", "telegram_bot", "templates", "locale")


def house_with(folder: Path, *tools: Path) -> Path:
    """The folder to start processes in, and their PYTHONPATH."""
    folder.mkdir()
    for name in LINKED:
        (folder / name).symlink_to(ROOT / name)
    shutil.copy(ROOT / "manage.py", folder)  # a link would lead Python back to where it points
    shutil.copytree(ROOT / "tools", folder / "tools", ignore=shutil.ignore_patterns("__pycache__"))
    for tool in tools:
        shutil.copy(tool, folder / "tools" / "catalog")
    return folder
