"""The models this house can ask: every module beside this one that has `MODELS` is a provider.

A provider is one file; nothing here names any of them. Importing a provider loads its vendor's SDK,
so processes that never ask a model (web, worker) do not call these functions.
"""

import functools
import importlib
import pkgutil
from types import ModuleType

from conversations.contracts import Model
from conversations.hearing import Transcriber


@functools.cache
def beside() -> tuple[ModuleType, ...]:
    """Every module beside this one, in the order of their names."""
    return tuple(
        importlib.import_module(f"{__name__}.{info.name}") for info in pkgutil.iter_modules(__path__)
    )


def modules() -> tuple[ModuleType, ...]:
    """Those that offer models."""
    return tuple(module for module in beside() if hasattr(module, "MODELS"))


@functools.cache
def models() -> dict[str, Model]:
    """Every model by its id. Raises ValueError when two providers offer the same id."""
    collected: dict[str, Model] = {}
    for module in modules():
        for model in module.MODELS:
            if model.id in collected:
                raise ValueError(f"two providers offer the model {model.id!r}")
            collected[model.id] = model
    return collected


def available() -> dict[str, Model]:
    """The models that can be asked now: those of the providers whose credentials are set."""
    return {model.id: models()[model.id] for module in modules() if module.ready() for model in module.MODELS}


def transcriber() -> Transcriber | None:
    """Who listens to recordings now: the first module named …_voice that `hears()`; None when nobody does.

    The others are not loaded for it: a worker that listens needs no chat model's SDK.
    """
    names = (info.name for info in pkgutil.iter_modules(__path__) if info.name.endswith("_voice"))
    listeners = (importlib.import_module(f"{__name__}.{name}") for name in names)
    return next((module.TRANSCRIBER for module in listeners if module.hears()), None)
