"""The trader's own keys over the shipped ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from station.domain.errors import BadInput
from widgets.actions import BY_NAME, CURSOR_KEYS, FORBIDDEN
from widgets.screen_keys import ABOVE, BY_FULL_NAME, KEYS_OF


def remapped(keys: Mapping[str, str]) -> dict[str, str]:
    """Textual's keymap for those of `keys` (action name → key) that are elsewhere than usual: it is laid over
    the bindings anew at every key. Raises BadInput for what cannot be moved, and for a key that would mean two
    things in one place, naming both."""
    for name, key in keys.items():
        action = BY_NAME.get(name) or BY_FULL_NAME.get(name)
        if action is None:
            raise BadInput(f"keys: no action is called {name!r}; there are {', '.join(_namesakes(name))}")
        if action.fixed:
            raise BadInput(f"keys: {name} stays on {action.shown}; it cannot be moved")
        if FORBIDDEN & set(key.split(",")):
            raise BadInput(f"keys: {name} cannot be put on {key}; choose another key")
    moved = {name: key for name, key in keys.items() if key != KEYS_OF[name]}
    for name, key in moved.items():
        if bad := CURSOR_KEYS & set(key.split(",")):
            raise BadInput(f"keys: {name} cannot be put on {min(bad)}: it moves cursors; choose another key")
    _refuse_clashes(KEYS_OF | dict(keys), moved)
    return {f"vigil.{name}": key for name, key in moved.items()}


def _namesakes(name: str) -> list[str]:
    """The names there are where this one would be."""
    scope = name.rpartition(".")[0]
    mates = [other for other in KEYS_OF if scope and other.startswith(f"{scope}.")]
    return mates or list(BY_NAME)


def _refuse_clashes(all_keys: Mapping[str, str], moved: Mapping[str, str]) -> None:
    """A screen's key goes before the station's, as shipped; one that was moved may hide none and be hidden by
    none."""
    owners: dict[tuple[str, str], str] = {}
    for name, keys in all_keys.items():
        for key in keys.split(","):
            other = owners.setdefault((_scope(name), key), name)
            if other != name:
                raise BadInput(_clash(key, other, name, moved))
    for (scope, key), name in owners.items():
        for above in _above(scope):
            other = owners.get((above, key))
            if other is not None and (name in moved or other in moved):
                raise BadInput(_clash(key, other, name, moved))


def _scope(name: str) -> str:
    return name.rpartition(".")[0]


def _above(scope: str) -> Iterator[str]:
    while scope:
        scope = ABOVE.get(scope, "")
        yield scope


def _clash(key: str, one: str, other: str, moved: Mapping[str, str]) -> str:
    first, second = (other, one) if one in moved and other not in moved else (one, other)
    return f"keys: {key} would mean both {first} and {second}: give {second} another key"
