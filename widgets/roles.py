"""The order of the screens, by what one sits there for."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

ROLES: Final[dict[str, tuple[str, ...]]] = {
    "trader": ("signals", "journal", "performance", "scanners", "tactics"),
    "risk": ("risk", "performance", "journal", "settings"),
    "operations": ("health", "jobs", "log", "settings", "scanners"),
    "compliance": ("journal", "log", "settings", "risk", "performance"),
}
"""The screens that come first; the others follow in the table's order."""


def ordered(names: Iterable[str], role: str) -> tuple[str, ...]:
    """`names` in the order of a role; the table's own where the role is unknown."""
    known = tuple(names)
    first = tuple(name for name in ROLES.get(role, ()) if name in known)
    return (*first, *(name for name in known if name not in first))
