"""A conversation for a tool under test: a context whose shelf holds the files the test lays on it."""

from collections.abc import Callable, Sequence

from conversations.contracts import ToolContext, ToolFailed
from conversations.parts import File


class Shelf:
    """The files of one thread, with the ids f_1, f_2 … in the order in which they were given."""

    def __init__(self, files: Sequence[tuple[str, str, bytes]]) -> None:
        self._kept = {
            f"f_{place}": (File(f"f_{place}", name, mime, len(content)), content)
            for place, (name, mime, content) in enumerate(files, 1)
        }

    async def read(self, file_id: str) -> tuple[File, bytes]:
        if file_id not in self._kept:
            raise ToolFailed(
                f"There is no file {file_id!r}. Valid file ids: {', '.join(self._kept) or 'none'}."
            )
        return self._kept[file_id]

    async def listing(self) -> Sequence[File]:
        return [file for file, _ in self._kept.values()]


def context_with(
    *files: tuple[str, str, bytes], tell: Callable[[str], None] = lambda _line: None, language: str = "en"
) -> ToolContext:
    """What a tool is handed in a conversation with these files (name, media type, bytes)."""
    return ToolContext(user_id=1, thread_id=2, language=language, files=Shelf(files), tell=tell)
