"""Configuration rows as fields that a trader edits, and the edits themselves."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from station.domain.errors import BadInput, Refused
from station.domain.specs import ScannerSpec, StrategySpec
from station.domain.specs_parse import (
    AUTONOMY,
    ENTRY_POLICIES,
    EXPIRIES,
    HUNTERS,
    SHIELDS,
    SIDES,
    VEERA_RULES,
    parse_strategy,
    spec_row,
)
from station.engine.desired import SCANNER, STRATEGY, SWITCH, shipped_rows
from station.engine.engine import Engine
from station.engine.loosening import field_changes, require_word
from station.engine.tuning import SETTING
from station.link.messages import Ack, CopyStrategy, EditConfig, RevertConfig
from station.link.screens import FieldLine

TEXT: Final = "text"
TEXTS: Final = "list"
WHOLE: Final = "whole number"
NUMBER: Final = "number"
FLAG: Final = "on or off"
NUMBERS: Final = "name=number …"


class FieldKind(NamedTuple):
    """How a field is written, and what it may be, in words."""

    kind: str
    limit: str = ""


def _choice(*names: str) -> FieldKind:
    return FieldKind(" | ".join(names))


_GLOBS: Final = FieldKind(TEXTS, "globs over scanner names")
STRATEGY_FIELDS: Final[dict[str, FieldKind]] = {
    "enabled": FieldKind(FLAG), "priority": FieldKind(WHOLE, "1 to 1000"), "autonomy": _choice(*AUTONOMY),
    "symbol": FieldKind(TEXT, "a symbol of the catalogue"), "call_patterns": _GLOBS, "put_patterns": _GLOBS,
    "context_patterns": _GLOBS,
    "hunter": _choice(*HUNTERS), "window_s": FieldKind(WHOLE, "1 to 86400"),
    "veera": FieldKind(TEXTS, ", ".join(VEERA_RULES)), "min_confidence": FieldKind(WHOLE, "50 to 100"),
    "max_signals_day": FieldKind(WHOLE, "0 to 1000"), "schedule": FieldKind(TEXT, "cron in ET, or empty"),
    "expiry": _choice(*EXPIRIES), "delta_call": FieldKind(NUMBER, "0.01 to 0.99"),
    "delta_put": FieldKind(NUMBER, "0.01 to 0.99"), "entry_policy": _choice(*ENTRY_POLICIES),
    "entry_cap_pct": FieldKind(NUMBER, "0 to 100"), "entry_timeout_s": FieldKind(WHOLE, "1 to 3600"),
    "target_pct": FieldKind(NUMBER, "0.1 to 1000"),
    "ladder": FieldKind(TEXT, "P1:0.5 P2:0.25 P3:0.25, percents, or empty"),
    "stop_pct": FieldKind(NUMBER, "0 to 99"), "shield": _choice(*SHIELDS), "opposite_exit": FieldKind(FLAG),
    "wealth_plan": FieldKind(TEXT, "the name of a plan"),
    "position_size_pct": FieldKind(NUMBER, "0 to 100, 0 the common limit"),
    "day_loss_pct": FieldKind(NUMBER, "0 to 100, 0 the common limit"),
    "drawdown_pct": FieldKind(NUMBER, "0 to 100, 0 the common limit"),
}  # fmt: skip
SCANNER_FIELDS: Final[dict[str, FieldKind]] = {
    "enabled": FieldKind(FLAG), "cooldown_s": FieldKind(WHOLE, "0 to 604800, empty: the timeframe's"),
    "side": _choice(*SIDES), "params": FieldKind(NUMBERS, "of the family; others keep their default"),
    "email": FieldKind(FLAG), "telegram": FieldKind(FLAG),
}  # fmt: skip
BARE_SCANNER: Final = {"enabled": True, "cooldown_s": None, "params": {}, "email": False, "telegram": False}
_FLAGS: Final = {"on": True, "true": True, "yes": True, "off": False, "false": False, "no": False}
_FIELDS: Final = {STRATEGY: STRATEGY_FIELDS, SCANNER: SCANNER_FIELDS}


def fields_of(engine: Engine, kind: str, key: str) -> tuple[FieldLine, ...]:
    """The fields of a row as it stands; none of one that nobody knows."""
    desired = engine.desired.value
    specs: dict[tuple[str, str], ScannerSpec | StrategySpec] = {
        (STRATEGY, spec.strategy_id): spec for spec in desired.strategies
    }
    specs |= {(SCANNER, spec.name): spec for spec in desired.scanners}
    found = specs.get((kind, key))
    return () if found is None else field_lines(found)


def field_lines(spec: StrategySpec | ScannerSpec) -> tuple[FieldLine, ...]:
    """Every field that can be edited, in the order of the screen."""
    strategy = isinstance(spec, StrategySpec)
    row = spec_row(spec)
    bare = spec_row(StrategySpec("x", "SPX", (), ())) if strategy else {**row, **BARE_SCANNER}
    return tuple(
        FieldLine(name, written(row[name]), written(bare.get(name, "")), kind.kind, kind.limit)
        for name, kind in (STRATEGY_FIELDS if strategy else SCANNER_FIELDS).items()
    )


def written(value: object) -> str:
    """A field's value as it is typed."""
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, Mapping):
        return " ".join(f"{name}={number:g}" for name, number in value.items())
    if isinstance(value, list | tuple):
        return " ".join(map(str, value))
    return "" if value is None else str(value)


def typed(kind: str, text: str) -> Any:
    """What was typed as the row's own value; what cannot be read is left for the row's check to refuse."""
    text = text.strip()
    try:
        if kind == FLAG:
            return _FLAGS.get(text.lower(), text)
        if kind == WHOLE:
            return int(text) if text else None
        if kind == NUMBER:
            return float(text)
        if kind == TEXTS:
            return text.replace(",", " ").split()
        if kind == NUMBERS:
            pairs = [pair.split("=") for pair in text.replace(",", " ").split()]
            return {name: float(number) for name, number in pairs}
    except ValueError:
        return text
    return text


async def edit_config(engine: Engine, command: EditConfig | CopyStrategy | RevertConfig) -> Ack:
    """Carry an edit out and tell it in the alert log. Raises Refused or BadInput; then nothing has changed."""
    by = command.by or "operator"
    if isinstance(command, CopyStrategy):
        line = await _copy(engine, command, by)
    elif isinstance(command, RevertConfig):
        line = await _revert(engine, command, by)
    elif command.kind == SETTING:
        line = await engine.settings.edit(command.key, command.value, command.version, by, command.word)
    else:
        line = await _edit(engine, command, by)
    await engine.rooms.desk.alert("info", f"{line} (by {by})")
    return Ack(True, line)


async def _edit(engine: Engine, command: EditConfig, by: str) -> str:
    kind, key, name = command.kind, command.key, command.field
    body = await _body(engine, kind, key)
    known = FieldKind(FLAG) if kind == SWITCH else _FIELDS[kind].get(name)
    if known is None:
        raise BadInput(f"{kind} {key} has no field {name!r}: use one of {', '.join(_FIELDS[kind])}")
    name = "on" if kind == SWITCH else name
    default = next((field.default for field in fields_of(engine, kind, key) if field.name == name), "")
    before = written(body.get(name)) or default
    stood = dict(body)
    _set(body, name, typed(known.kind, command.value))
    _mean_it(engine, kind, stood, body, command.word)
    await engine.desired.edit(kind, key, _text(body), command.version, by)
    what = key if kind == SWITCH else f"{key} {name}"
    return f"{kind} {what}: {before or '(empty)'} → {written(body.get(name)) or default or '(empty)'}"


def _mean_it(engine: Engine, kind: str, stood: Mapping[str, Any], body: Mapping[str, Any], word: str) -> None:
    """Raises Refused for a strategy's limit that is loosened in live trading without the word for it."""
    if kind != STRATEGY:
        return
    before, after = spec_row(parse_strategy(stood)), spec_row(parse_strategy(body))
    loosened = field_changes(before, after)
    if loosened:
        environment = engine.outside.settings.station.environment
        name = loosened[0]
        what = f"strategy {before['strategy_id']} {name}: {before[name]} → {after[name]}"
        require_word(environment, what, word)


def _set(body: dict[str, Any], name: str, value: Any) -> None:
    if name == "cooldown_s" and value is None:
        body.pop(name, None)
    elif isinstance(value, float):
        body[name] = int(value) if value.is_integer() else value
    else:
        body[name] = value


async def _copy(engine: Engine, command: CopyStrategy, by: str) -> str:
    body = await _body(engine, STRATEGY, command.strategy_id)
    if await engine.outside.stores.config.row(STRATEGY, command.to) is not None:
        raise Refused("CONFIG_EXISTS", f"there is a strategy {command.to} already: choose another name")
    body |= {"strategy_id": command.to, "enabled": False}
    parse_strategy(body)
    await engine.desired.edit(STRATEGY, command.to, _text(body), 0, by)
    return f"strategy {command.to}: a copy of {command.strategy_id}, off"


async def _revert(engine: Engine, command: RevertConfig, by: str) -> str:
    if command.kind == SETTING:
        return await engine.settings.revert(command.key, command.version, by, command.word)
    stood = await _body(engine, command.kind, command.key)
    shipped = (body for *row, body in shipped_rows() if row == [command.kind, command.key])
    _mean_it(engine, command.kind, stood, json.loads(next(shipped, "{}")) or stood, command.word)
    await engine.desired.revert(command.kind, command.key, command.version, by)
    return f"{command.kind} {command.key}: the shipped default again"


async def _body(engine: Engine, kind: str, key: str) -> dict[str, Any]:
    """The row as it stands. Raises BadInput where there is none."""
    row = await engine.outside.stores.config.row(kind, key) if kind in (STRATEGY, SCANNER, SWITCH) else None
    if row is None:
        raise BadInput(f"there is no {kind} {key!r} to edit: choose one of the screen's")
    return json.loads(row.body)


def _text(body: Mapping[str, Any]) -> str:
    return json.dumps(body, sort_keys=True, separators=(",", ":"))
