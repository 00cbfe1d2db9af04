"""The configuration of a runtime directory that no engine has open: its rows, or the shipped defaults."""

from __future__ import annotations

from pathlib import Path

from config.files import ConfigError
from config.settings import Settings, with_changes
from station.domain.errors import BadInput
from station.domain.specs import ConfigRow, Desired
from station.engine.desired import parse, shipped
from station.engine.instruments import enlist_configured
from station.engine.tuning import pinned, stored_values
from station.store import viewed
from station.store.files import CONFIG

_ROWS = "SELECT kind, key, body, version, origin, changed_ns, changed_by FROM config_rows ORDER BY kind, seq"


def desired_of(runtime: Path) -> Desired:
    """What the configuration database says, or what would be seeded into it."""
    enlist_configured()
    return parse(_rows(runtime)) if (runtime / CONFIG).is_file() else shipped()


def settings_in(runtime: Path, base: Settings) -> Settings:
    """`base` with what was edited into the configuration database. Raises BadInput where they do not agree."""
    if not (runtime / CONFIG).is_file():
        return base
    try:
        return with_changes(base, stored_values(_rows(runtime), pinned({})))
    except ConfigError as bad:
        raise BadInput(str(bad)) from None


def _rows(runtime: Path) -> tuple[ConfigRow, ...]:
    with viewed(runtime / CONFIG) as connection:
        return tuple(ConfigRow(*row) for row in connection.execute(_ROWS))
