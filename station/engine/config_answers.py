"""What the configuration screens ask: settings, scanners, strategies, and the history of each row."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

from config.describe import Described, described, value_of, value_text
from config.settings import origins
from station.domain.instruments import Hours
from station.domain.specs import ConfigRow, ScannerSpec, StrategySpec
from station.engine.desired import SCANNER, STRATEGY, SWITCH
from station.engine.editing import fields_of, written
from station.engine.engine import Engine
from station.engine.tuning import SETTING
from station.journal.shapes import decimal_text
from station.link.screens import (
    Change,
    ChangeLine,
    RowStory,
    ScannerLine,
    ScannerRoom,
    SettingLine,
    SettingsRoom,
    StrategyLine,
    StrategyRoom,
    SwitchLine,
    VersionLine,
)
from station.scanners.room import ScannerCounts
from station.strategy import Pass, Verdict

PARTS: Final = 13
"""Half hours of a whole session."""
ELSEWHERE: Final = "ELSEWHERE"
Rows = Mapping[str, ConfigRow]


async def settings_document(engine: Engine) -> SettingsRoom:
    """The `settings` document. Secrets are told as set or not set."""
    rows = await _rows(engine, SETTING)
    named = origins()
    return SettingsRoom(tuple(_setting(engine, row, rows.get(row.key), named) for row in described()))


def _setting(engine: Engine, row: Described, stored: ConfigRow | None, named: Mapping[str, str]) -> SettingLine:
    desk = engine.settings
    value = value_text(value_of(desk.value, row.key))
    running = value_text(
        value_of(engine.rooms.tuned.settings if row.live else engine.outside.settings, row.key)
    )
    held = desk.held.get(row.key)
    edited = stored is not None and json.loads(stored.body)["value"] is not None
    source = held or ("the database" if edited else named.get(row.key, "default"))
    return SettingLine(
        row.key, row.section, value, row.default, row.kind, row.limit, source,
        row.editable and held is None, row.live, running if running != value else "", _change(stored),
    )  # fmt: skip


async def scanner_room(engine: Engine) -> ScannerRoom:
    """The `scanner_room` document."""
    rows, switches = await _rows(engine, SCANNER), await _rows(engine, SWITCH)
    room = engine.rooms.scanners
    known = {spec.name for spec in room.specs}
    first, last = _session(engine)
    return ScannerRoom(
        tuple(
            _scanner(engine, spec, rows.get(spec.name), first, last, here=spec.name in known)
            for spec in engine.desired.value.scanners
        ),
        tuple(
            SwitchLine(name, bool(json.loads(row.body)["on"]), _change(row)) for name, row in switches.items()
        ),
        dict(room.rejections),
    )


def _session(engine: Engine) -> tuple[int, int]:
    """Open and close of the regular session that is shown, UTC ns."""
    span = engine.outside.calendar.on(Hours.REGULAR, engine.session.day)
    return (
        (span.open_ns, span.close_ns) if span is not None else (engine.session.open_ns, engine.session.close_ns)
    )


def _scanner(
    engine: Engine, spec: ScannerSpec, row: ConfigRow | None, first_ns: int, last_ns: int, *, here: bool
) -> ScannerLine:
    room = engine.rooms.scanners
    counts = room.counts.get(spec.name) or ScannerCounts()
    have, need = room.warmth(spec.name) if here else (0, 0)
    last = counts.last
    return ScannerLine(
        spec.name, spec.family, spec.instrument, spec.timeframe.value, spec.side, spec.enabled,
        room.status(spec.name) if here else ELSEWHERE, spec.effective_cooldown_s, have, need,
        counts.evaluated, counts.fired, counts.published, dict(counts.rejected),
        last.bar_close_ns if last else 0, last.side.value if last else "", last.score if last else 0,
        _spark(counts.times, first_ns, last_ns), _change(row),
    )  # fmt: skip


def _spark(times: Iterable[int], first_ns: int, last_ns: int) -> tuple[int, ...]:
    parts = [0] * PARTS
    for at_ns in times:
        if first_ns < at_ns <= last_ns:
            parts[min((at_ns - 1 - first_ns) * PARTS // (last_ns - first_ns), PARTS - 1)] += 1
    return tuple(parts) if any(parts) else ()


async def strategy_room(engine: Engine) -> StrategyRoom:
    """The `strategy_room` document."""
    rows = await _rows(engine, STRATEGY)
    verdicts = {verdict.spec.strategy_id: verdict for verdict in engine.rooms.hunt.last}
    specs = sorted(engine.desired.value.strategies, key=lambda spec: (spec.priority, spec.strategy_id))
    return StrategyRoom(
        tuple(
            _strategy(engine, spec, rows.get(spec.strategy_id), verdicts.get(spec.strategy_id))
            for spec in specs
        ),
        engine.rooms.hunt.hunts,
    )


def _strategy(
    engine: Engine, spec: StrategySpec, row: ConfigRow | None, verdict: Verdict | None
) -> StrategyLine:
    since = engine.day_start()
    mine = [
        t
        for t in engine.rooms.ledger.trades.values()
        if t.strategy == spec.strategy_id and t.opened_ns >= since and t.entry_filled
    ]
    net = sum((t.net_pnl for t in mine if t.net_pnl is not None), Decimal(0))
    books = {book.strategy: book for book in engine.rooms.controls.controls.strategies}
    book = books.get(spec.strategy_id)
    word, why, at_ns = _told(spec, verdict)
    return StrategyLine(
        spec.strategy_id, spec.symbol, spec.enabled, spec.priority, spec.autonomy, spec.hunter, word, why,
        at_ns, len(mine), decimal_text(net),
        book.paused if book is not None and book.version == spec.version else "", _change(row),
    )  # fmt: skip


def _told(spec: StrategySpec, verdict: Verdict | None) -> tuple[str, str, int]:
    if not spec.enabled:
        return "OFF", "", 0
    if verdict is None:
        return "WAIT", "no signal yet", 0
    at_ns = verdict.decisions[-1].at_ns if verdict.decisions else 0
    if isinstance(verdict, Pass):
        return "MATCH", ", ".join(signal.firing.scanner for signal in verdict.signals), at_ns
    word = "WAIT" if verdict.stage in ("pool", "match", "window") else "BLOCK"
    return word, f"{verdict.stage}: {verdict.reason}", at_ns


async def row_document(engine: Engine, args: Mapping[str, str]) -> RowStory:
    """The `config_row` document."""
    kind, key = args.get("kind", ""), args.get("key", "")
    rows = await engine.outside.stores.config.history(kind, key)
    bodies = _values_of(engine, key, rows) if kind == SETTING else [{}, *(json.loads(row.body) for row in rows)]
    fields = fields_of(engine, kind, key)
    defaults = {field.name: field.default for field in fields}
    lines = [
        VersionLine(row.version, row.changed_ns, row.changed_by, row.origin, _changes(before, after, defaults))
        for row, before, after in zip(rows, bodies, bodies[1:], strict=False)
    ]
    newest = await engine.outside.stores.config.row(kind, key)
    return RowStory(kind, key, fields, tuple(reversed(lines)), _change(newest))


def _values_of(engine: Engine, key: str, rows: Sequence[ConfigRow]) -> list[dict[str, Any]]:
    """What the file says of a setting, then what each version of it did; given back it is the file again."""
    if not rows:
        return []
    in_file = {"value": value_text(value_of(engine.settings.base, key))}
    stored = [json.loads(row.body)["value"] for row in rows]
    return [in_file, *(in_file if value is None else {"value": value_text(value)} for value in stored)]


def _changes(
    before: Mapping[str, Any], after: Mapping[str, Any], defaults: Mapping[str, str]
) -> tuple[ChangeLine, ...]:
    """What one version changed of the one before; a first one has nothing to compare with."""
    if not before:
        return ()
    names = [*before, *(name for name in after if name not in before)]
    return tuple(
        ChangeLine(name, _written(before, name, defaults), _written(after, name, defaults))
        for name in names
        if before.get(name) != after.get(name)
    )


def _written(body: Mapping[str, Any], name: str, defaults: Mapping[str, str]) -> str | None:
    return written(body[name]) if body.get(name) is not None else defaults.get(name)


def _change(row: ConfigRow | None) -> Change:
    return Change() if row is None else Change(row.version, row.origin, row.changed_by, row.changed_ns)


async def _rows(engine: Engine, kind: str) -> Rows:
    return {row.key: row for row in await engine.outside.stores.config.rows(kind)}
