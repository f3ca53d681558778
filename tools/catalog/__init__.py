"""The tools of every module beside this one. A new file here is a new tool; nothing else to edit."""

import functools
import pkgutil
from importlib import import_module
from types import MappingProxyType

from conversations.contracts import Tool


@functools.cache
def tools() -> MappingProxyType[str, Tool]:
    """Every tool by its name, in alphabetical order, so that requests begin with the same bytes.

    A module whose name begins with an underscore is a part of a tool, not a tool. Raises
    RuntimeError when two tools have one name.
    """
    found: dict[str, Tool] = {}
    for module in pkgutil.iter_modules(__path__):
        if module.name.startswith("_"):
            continue
        for tool in vars(import_module(f"{__name__}.{module.name}")).values():
            if not isinstance(tool, Tool):
                continue
            if found.setdefault(tool.name, tool) is not tool:
                raise RuntimeError(f"two tools are named {tool.name}; one of them is in {module.name}.py")
    return MappingProxyType(dict(sorted(found.items())))
