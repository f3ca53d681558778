"""The tools of every module beside this one. A new file here is a new tool; nothing else to edit."""

import functools
import pkgutil
from collections.abc import Iterator
from importlib import import_module
from types import MappingProxyType, ModuleType

from conversations.contracts import Tool


@functools.cache
def tools() -> MappingProxyType[str, Tool]:
    """Every tool by its name, in alphabetical order, so that requests begin with the same bytes.

    A module whose name begins with an underscore is a part of a tool, not a tool. Raises
    RuntimeError when two tools have one name.
    """
    found: dict[str, Tool] = {}
    for module in _modules():
        for tool in _tools_of(module):
            if found.setdefault(tool.name, tool) is not tool:
                raise RuntimeError(f"two tools are named {tool.name}; one of them is in {module.__name__}")
    return MappingProxyType(dict(sorted(found.items())))


def offered() -> MappingProxyType[str, Tool]:
    """The tools that work on this machine, each as it is here.

    A module may say so by `here()`: it gives its tool, or None where what the tool needs is missing.
    """
    found = dict(tools())
    for module in _modules():
        if hasattr(module, "here"):
            here = module.here()
            found |= {tool.name: here for tool in _tools_of(module)}
    return MappingProxyType({name: tool for name, tool in found.items() if tool is not None})


def _modules() -> Iterator[ModuleType]:
    for module in pkgutil.iter_modules(__path__):
        if not module.name.startswith("_"):
            yield import_module(f"{__name__}.{module.name}")


def _tools_of(module: ModuleType) -> list[Tool]:
    return [value for value in vars(module).values() if isinstance(value, Tool)]
