"""The shipped table of underlyings: sector and beta by symbol."""

from __future__ import annotations

from math import isfinite
from pathlib import Path
from typing import Any, Final

from config.files import CONFIG_DIR, ConfigError, line_of, read_text, read_toml

EQUITIES_FILE: Final = CONFIG_DIR / "equities.toml"
_STEEPEST: Final = 20.0


def load_equities(file: Path = EQUITIES_FILE) -> tuple[tuple[str, str, float], ...]:
    """(symbol, sector, beta) of every row, by symbol. Raises ConfigError with one line naming file and line."""
    return tuple(sorted((symbol, *_row(file, symbol, row)) for symbol, row in read_toml(file).items()))


def _row(file: Path, symbol: str, row: Any) -> tuple[str, float]:
    def wrong(what: str) -> ConfigError:
        return ConfigError(f"{file}:{line_of(read_text(file), symbol)}: {symbol}{what}")

    if not isinstance(row, dict) or set(row) != {"sector", "beta"}:
        raise wrong(" must be a table of sector and beta: write both, and nothing else")
    sector, beta = row["sector"], row["beta"]
    if not isinstance(sector, str) or not sector.strip():
        raise wrong(f': sector = {sector!r} must be a text: write sector = "technology"')
    number = isinstance(beta, int | float) and not isinstance(beta, bool)
    if not number or not isfinite(beta) or abs(beta) > _STEEPEST:
        raise wrong(f": beta = {beta!r} must be a number from -20 to 20: write beta = 1.0")
    return sector.strip(), float(beta)
