"""The settings in force while the station runs: the file's and the environment's, the database's over them.

An edit is checked as a whole with everything else that is set, stored with its version and who made it, and
given to the rooms that can take it at once; the other sections take theirs at the next start.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from datetime import date
from typing import Any, Final

from config.describe import described, parsed, value_of, value_text
from config.files import ConfigError
from config.settings import Settings, origins, with_changes
from station.domain.errors import BadInput, Refused
from station.domain.specs import ConfigRow
from station.engine import mapping
from station.engine.loosening import loosens, require_word
from station.risk import Limits
from station.store import ConfigRepository

SETTING: Final = "setting"
OUTSIDE: Final = "the environment"


class Tuned:
    """What the rooms read of the settings at every decision; `listeners` are told of new ones."""

    limits: Limits
    events: tuple[tuple[str, date, str], ...]

    def __init__(self, settings: Settings) -> None:
        self.listeners: list[Callable[[Settings], None]] = []
        self.take(settings)

    def take(self, settings: Settings) -> None:
        """Put these in force."""
        self.settings = settings
        self.limits = mapping.limits(settings)
        self.events = mapping.known_events(settings)
        for listener in self.listeners:
            listener(settings)

    def enabled(self, symbol: str) -> bool:
        """Whether the instrument may be traded at all."""
        return symbol not in self.settings.risk.disabled_instruments


def pinned(given: Mapping[str, object]) -> dict[str, str]:
    """Settings that the database cannot change, and what goes before it: the environment, or what the command
    line has `given`."""
    named = {key: name for key, name in origins().items() if name == OUTSIDE}
    return named | {key: "the command line" for key, value in given.items() if value is not None}


def stored_values(rows: Iterable[ConfigRow], held: Mapping[str, str]) -> dict[str, Any]:
    """The database's values by `section.key`, without those given back to the file and those pinned by
    something stronger."""
    values = {row.key: json.loads(row.body)["value"] for row in rows if row.kind == SETTING}
    return {key: value for key, value in values.items() if value is not None and key not in held}


async def with_stored(repository: ConfigRepository, base: Settings, held: Mapping[str, str]) -> Settings:
    """`base` with what the database holds. Raises BadInput, one line, where they do not go together."""
    try:
        return with_changes(base, stored_values(await repository.rows(SETTING), held))
    except ConfigError as bad:
        raise BadInput(str(bad)) from None


class SettingsDesk:
    """Reads, checks, stores and applies. `value` is what is set now, what waits for a start included."""

    def __init__(
        self, repository: ConfigRepository, base: Settings, value: Settings, held: Mapping[str, str],
        apply: Callable[[Settings], None],
    ) -> None:  # fmt: skip
        self._repository = repository
        self.base = base
        self.value = value
        self.held = held
        self._apply = apply

    async def edit(self, key: str, text: str, version: int, by: str, word: str = "") -> str:
        """Set one; returns the line that says what it was and is. Raises Refused: the old value stays."""
        row = next((row for row in described() if row.key == key), None)
        if row is None:
            raise BadInput(f"{key!r} is no setting: choose one of the screen's")
        self._may_edit(key, editable=row.editable)
        try:
            value = parsed(key, text)
            after = with_changes(self.base, await self._values() | {key: value}, "this edit")
        except ConfigError as bad:
            raise Refused("CONFIG_INVALID", f"{bad}; the old value stays") from None
        self._mean_it(key, after, word)
        return await self._store(key, value, after, version, by, live=row.live)

    async def revert(self, key: str, version: int, by: str, word: str = "") -> str:
        """Back to what the file says."""
        row = next((row for row in described() if row.key == key), None)
        if row is None or version == 0:
            raise Refused("CONFIG_NOT_EDITED", f"{key} is not edited: there is nothing to give back")
        values = await self._values()
        values.pop(key, None)
        try:
            after = with_changes(self.base, values)
        except ConfigError as bad:
            raise Refused("CONFIG_INVALID", f"{bad}; the old value stays") from None
        self._mean_it(key, after, word)
        return await self._store(key, None, after, version, by, live=row.live)

    async def _store(
        self, key: str, value: object, after: Settings, version: int, by: str, *, live: bool
    ) -> str:
        body = json.dumps({"value": value}, separators=(",", ":"))
        await self._repository.edit(SETTING, key, body, version=version, by=by)
        before, self.value = self.value, after
        if live:
            self._apply(after)
        was, now = value_text(value_of(before, key)), value_text(value_of(after, key))
        return f"{key}: {was} → {now}{'' if live else ', in force at the next start'}"

    def _mean_it(self, key: str, after: Settings, word: str) -> None:
        was, now = value_of(self.value, key), value_of(after, key)
        if loosens(key, was, now):
            what = f"{key}: {value_text(was)} → {value_text(now)}"
            require_word(self.value.station.environment, what, word)

    def _may_edit(self, key: str, *, editable: bool) -> None:
        if not editable:
            raise Refused("CONFIG_FIXED", f"{key} is not changed from inside: set it in the file")
        if key in self.held:
            where = self.held[key]
            raise Refused("CONFIG_PINNED", f"{key} is set by {where}, which goes before: change it there")

    async def _values(self) -> dict[str, Any]:
        return stored_values(await self._repository.rows(SETTING), self.held)


def check_setting(key: str, body: Mapping[str, Any]) -> None:
    """The least a stored setting must be. Raises BadInput."""
    if set(body) != {"value"} or key not in {row.key for row in described()}:
        raise BadInput(f'setting {key}: {json.dumps(body)} is not {{"value": …}} of a known setting')
