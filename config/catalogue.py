"""The shipped rows: instruments, scanners, strategies and keys, as plain dicts checked for shape.

What a value may be is the station's to judge when it seeds its database; here a row has the columns it needs,
each of its kind, and no other, and a complaint names file, line and key.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final, cast

from config.files import CONFIG_DIR, ConfigError, line_of, read_text, read_toml

SCANNERS_FILE: Final = CONFIG_DIR / "scanners.toml"
INSTRUMENTS_FILE: Final = CONFIG_DIR / "instruments.toml"
STRATEGIES_FILE: Final = CONFIG_DIR / "strategies.toml"
KEYS_FILE: Final = CONFIG_DIR / "keys.toml"

TAKEN_KEYS: Final = {
    "f12": "is the kill switch and cannot be moved or shared",
    "ctrl+m": "arrives as enter in a terminal",
    "ctrl+i": "arrives as tab in a terminal",
    "ctrl+h": "arrives as backspace in a terminal",
    "ctrl+q": "would end the screen unasked",
    "ctrl+z": "would suspend the screen",
    "enter": "confirms what is picked",
    "escape": "leaves a dialog",
}

_TEXT, _TEXTS, _FLAG, _WHOLE, _NUMBER, _NUMBERS = (
    "a text",
    "a list of texts",
    "true or false",
    "a whole number",
    "a number",
    "a table of numbers",
)

_SCANNER: Final = {
    "name": _TEXT, "family": _TEXT, "instrument": _TEXT, "timeframe": _TEXT, "side": _TEXT, "params": _NUMBERS,
    "cooldown_s": _WHOLE, "enabled": _FLAG, "email": _FLAG, "telegram": _FLAG,
}  # fmt: skip
_SCANNER_NEEDS: Final = ("name", "family", "instrument", "timeframe", "side")

_STRATEGY: Final = {
    "strategy_id": _TEXT, "symbol": _TEXT, "call_patterns": _TEXTS, "put_patterns": _TEXTS,
    "context_patterns": _TEXTS, "window_s": _WHOLE, "veera": _TEXTS, "target_pct": _NUMBER, "shield": _TEXT,
    "wealth_plan": _TEXT, "hunter": _TEXT, "priority": _WHOLE, "enabled": _FLAG, "version": _WHOLE,
    "autonomy": _TEXT, "min_confidence": _WHOLE, "max_signals_day": _WHOLE, "entry_policy": _TEXT,
    "entry_cap_pct": _NUMBER, "entry_timeout_s": _WHOLE, "expiry": _TEXT, "delta_call": _NUMBER,
    "delta_put": _NUMBER, "opposite_exit": _FLAG, "schedule": _TEXT, "position_size_pct": _NUMBER,
    "day_loss_pct": _NUMBER, "drawdown_pct": _NUMBER, "stop_pct": _NUMBER,
    "ladder": _TEXT,
}  # fmt: skip
_STRATEGY_NEEDS: Final = ("strategy_id", "symbol", "call_patterns", "put_patterns")

_EQUITY: Final = {"symbol": _TEXT, "options": _FLAG, "strike_step": _NUMBER}
_EQUITY_SYMBOL: Final = re.compile(r"[A-Z][A-Z0-9.]{0,9}")

_SWITCHES: Final = {"es_only_mode": _FLAG, "email_all": _FLAG, "telegram_all": _FLAG}


def load_scanners(file: Path = SCANNERS_FILE) -> tuple[dict[str, Any], ...]:
    """The rows of a scanner catalogue, in its order, keyed by ScannerSpec's field names.

    Raises ConfigError with one line naming file, line and key.
    """
    return _rows(file, "scanner", "name", _SCANNER, _SCANNER_NEEDS, {"switches"})


def load_switches(file: Path = SCANNERS_FILE) -> dict[str, bool]:
    """The scanner master switches that the file sets. Raises ConfigError."""
    table = read_toml(file).get("switches", {})
    _check_row(file, "switches", table, _SWITCHES, ())
    return cast("dict[str, bool]", table)


def load_instruments(file: Path = INSTRUMENTS_FILE) -> tuple[dict[str, Any], ...]:
    """The equities beside the built-in catalogue, in the file's order: symbol, options, strike_step. Raises
    ConfigError."""
    rows = _rows(file, "equity", "symbol", _EQUITY, ("symbol",), set())
    for row in rows:
        wrong = ""
        if not _EQUITY_SYMBOL.fullmatch(row["symbol"]):
            wrong = "symbol must be upper case letters, as NVDA or BRK.B: correct it"
        elif row.get("strike_step", 1) <= 0:
            wrong = f"strike_step = {row['strike_step']} must be over 0: try 1"
        if wrong:
            line = line_of(read_text(file), row["symbol"])
            raise ConfigError(f"{file}:{line}: equity {row['symbol']}: {wrong}")
    return rows


def load_strategies(file: Path = STRATEGIES_FILE) -> tuple[dict[str, Any], ...]:
    """The rows of a strategy file, in its order, keyed by StrategySpec's field names. Raises ConfigError."""
    return _rows(file, "strategy", "strategy_id", _STRATEGY, _STRATEGY_NEEDS, set())


def load_keys(file: Path = KEYS_FILE) -> dict[str, str]:
    """Key by action, those of a screen as `journal.note`; commas part alternatives. Raises ConfigError for one
    given twice in a table or not to be given."""
    content = read_toml(file)
    for other in content.keys() - {"keys", "screens"}:
        raise ConfigError(f"{file}:{line_of(read_text(file), other)}: table {other} is not known: remove it")
    found = _table_of_keys(file, "keys", content.get("keys", {}))
    screens = content.get("screens", {})
    if not isinstance(screens, dict):
        _check_row(file, "screens", screens, {}, ())
    for screen, keys in cast("dict[str, Any]", screens).items():
        table = _table_of_keys(file, f"screens.{screen}", keys)
        found |= {f"{screen}.{action}": value for action, value in table.items()}
    return found


def _table_of_keys(file: Path, title: str, keys: Any) -> dict[str, str]:
    _check_row(file, title, keys, dict.fromkeys(keys if isinstance(keys, dict) else (), _TEXT), ())
    owners: dict[str, str] = {}
    for action, value in cast("dict[str, str]", keys).items():
        for key in value.split(","):
            wrong = ""
            if key.lower() in TAKEN_KEYS or not key:
                wrong = TAKEN_KEYS.get(key.lower(), "is no key")
            elif key in owners:
                wrong = f"already means {owners[key]}"
            if wrong:
                line = line_of(read_text(file), f"[{title}]", action)
                raise ConfigError(f"{file}:{line}: {title}.{action} = {key!r} {wrong}: choose another key")
            owners[key] = action
    return cast("dict[str, str]", keys)


def _rows(
    file: Path, kind: str, identity: str, columns: dict[str, str], needs: tuple[str, ...], others: set[str]
) -> tuple[dict[str, Any], ...]:
    content = read_toml(file)
    for other in sorted(content.keys() - others - {kind}):
        raise ConfigError(
            f"{file}:{line_of(read_text(file), other)}: {other} is not known: write [[{kind}]] tables"
        )
    rows = content.get(kind, [])
    if not isinstance(rows, list):
        raise ConfigError(f"{file}:{line_of(read_text(file), kind)}: {kind} is one table: write [[{kind}]]")
    seen: set[str] = set()
    for row in cast("list[dict[str, Any]]", rows):
        name = str(row.get(identity, ""))
        _check_row(file, f"{kind} {name}".rstrip(), row, columns, needs)
        if name in seen:
            lines = read_text(file).splitlines()
            again = max(number for number, line in enumerate(lines, 1) if f'"{name}"' in line)
            raise ConfigError(f"{file}:{again}: {identity} = {name!r} is there twice: rename or remove one")
        seen.add(name)
    return tuple(cast("list[dict[str, Any]]", rows))


def _check_row(file: Path, title: str, row: Any, columns: dict[str, str], needs: tuple[str, ...]) -> None:
    name = title.split(" ")[-1]
    if not isinstance(row, dict):
        raise ConfigError(f"{file}:{line_of(read_text(file), name)}: {title} is no table: write [{title}]")
    for key, value in cast("dict[str, Any]", row).items():
        if key in columns and _is(columns[key], value):
            continue
        place = f"{file}:{line_of(read_text(file), name, key)}: {title}: {key}"
        if key not in columns:
            raise ConfigError(f"{place} is no setting: use one of {', '.join(columns)}")
        raise ConfigError(f"{place} = {value!r} must be {columns[key]}: correct it")
    for key in needs:
        if key not in row:
            raise ConfigError(f"{file}:{line_of(read_text(file), name)}: {title}: {key} is missing: add it")


def _is(kind: str, value: Any) -> bool:
    if kind == _TEXT:
        return isinstance(value, str)
    if kind == _TEXTS:
        return isinstance(value, list) and all(isinstance(item, str) for item in cast("list[Any]", value))
    if kind == _FLAG:
        return isinstance(value, bool)
    if kind == _WHOLE:
        return isinstance(value, int) and not isinstance(value, bool)
    if kind == _NUMBER:
        return isinstance(value, int | float) and not isinstance(value, bool)
    return isinstance(value, dict) and all(
        _is(_NUMBER, item) for item in cast("dict[str, Any]", value).values()
    )
