"""TA-Lib's functions over arrays: the one door to it."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any, Final


def _load_talib() -> Any:
    """TA-Lib without pandas, which it imports only to wrap its functions for frames: 0.2 s of start-up and
    70 MiB that arrays have no use for. A process that already has pandas keeps it."""
    modules: dict[str, Any] = sys.modules
    if "pandas" in modules:
        return import_module("talib")
    modules["pandas"] = None
    try:
        return import_module("talib")
    finally:
        del modules["pandas"]


_talib: Final = _load_talib()


def plain(name: str) -> Any:
    """TA-Lib's own function of that name, without the wrapper that looks for frames at every call."""
    wrapped = getattr(_talib, name)
    return getattr(wrapped, "__wrapped__", wrapped)


__all__ = ["plain"]
