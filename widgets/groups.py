"""The watchlist's groups: named, ordered, the trader's own; each is edited as one line of words."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from widgets.preferences import Group
from widgets.watch import EVERYTHING

if TYPE_CHECKING:
    from widgets.app import FloorApp

_NAME: Final = re.compile(r"[\w.+-]{1,12}")
_MOST: Final = 12


def line_of(group: Group) -> str:
    """`tech: NVDA QQQ SOFI`."""
    return f"{group.name}: {' '.join(group.symbols)}"


def group_of(line: str, watched: tuple[str, ...]) -> Group | str:
    """The group that a line means; without a symbol it is one to be forgotten. What is wrong, in words."""
    name, colon, rest = line.strip().partition(":")
    name = name.strip()
    if not colon or _NAME.fullmatch(name) is None:
        return "write a name of at most 12 letters, a colon, then symbols: tech: NVDA QQQ"
    if name.lower() == EVERYTHING:
        return f"{EVERYTHING} is everything that is watched: choose another name"
    symbols = tuple(dict.fromkeys(rest.upper().replace(",", " ").split()))
    unknown = [symbol for symbol in symbols if symbol not in watched]
    if unknown:
        return f"{unknown[0]} is not watched; there are {' '.join(watched)}"
    return Group(name, symbols)


def with_group(groups: tuple[Group, ...], group: Group) -> tuple[Group, ...]:
    """The groups with this one in its old place, or last; without it where it is empty."""
    if not group.symbols:
        return tuple(one for one in groups if one.name != group.name)
    if any(one.name == group.name for one in groups):
        return tuple(group if one.name == group.name else one for one in groups)
    return (*groups, group)


def after(groups: tuple[Group, ...], name: str, step: int) -> str:
    """The group next to `name`, around; empty for everything."""
    names = ("", *(group.name for group in groups))
    here = names.index(name) if name in names else 0
    return names[(here + step) % len(names)]


class Groups:
    """The trader's hand on them."""

    def __init__(self, app: FloorApp) -> None:
        self._app = app

    def step(self, step: int) -> None:
        known = self._app.manner.likes.groups
        if known:
            self._app.aim(group=after(known, self._app.sight.group, step))
        else:
            self._app.tell("there is one list so far: I makes a group of it")

    def edit(self) -> None:
        from widgets.asking import LineDialog

        app = self._app
        known, symbols = app.manner.likes.groups, app.symbols
        here = next((group for group in known if group.name == app.sight.group), None)

        def check(line: str) -> str:
            found = group_of(line, symbols)
            if isinstance(found, str):
                return found
            most = len(with_group(known, found)) > _MOST
            return f"{_MOST} groups are the most: empty one first" if most else ""

        def answered(line: str | None) -> None:
            found = group_of(line, symbols) if line is not None else ""
            if isinstance(found, Group):
                self._take(found)

        dialog = LineDialog(
            app.perf, "WATCHLIST GROUP", "Its name, a colon, and symbols in their order.",
            value=line_of(here) if here is not None else "", check=check,
            more=(f"watched: {' '.join(symbols)}", "Another name makes another group; no symbol forgets it."),
        )  # fmt: skip
        app.push_screen(dialog, answered)

    def _take(self, group: Group) -> None:
        app = self._app
        app.manner.keep(groups=with_group(app.manner.likes.groups, group))
        app.aim(group=group.name if group.symbols else "")
        app.repaint()
        app.tell(f"group {line_of(group)}" if group.symbols else f"group {group.name} is forgotten")
