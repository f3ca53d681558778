"""System checks of the catalog: a tool that cannot be offered is found before a person asks for it."""

from collections.abc import Sequence
from typing import Any

from django.core.checks import CheckMessage, Error, register

from tools.catalog import tools


@register()
def the_catalog_can_be_read(**_options: Any) -> Sequence[CheckMessage]:
    """Every module of the catalog imports, and no two tools share a name."""
    try:
        tools()
    except (ImportError, RuntimeError, TypeError, ValueError) as error:
        return [
            Error(
                f"The tools cannot be read: {error}",
                hint="See docs/adding-a-tool.md.",
                id="starling.E101",
            )
        ]
    return []
