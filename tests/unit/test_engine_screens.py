"""What the screens beside the floor ask and edit, answered by a whole station at work."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import TypeVar

import msgspec
import pytest

from config.settings import Settings
from station.domain.clock import MINUTE
from station.domain.errors import BadInput, Refused
from station.domain.specs import StrategySpec
from station.domain.specs_parse import parse_strategy, spec_row
from station.engine.commands import Commander
from station.engine.editing import FLAG, STRATEGY_FIELDS, TEXTS, WHOLE, field_lines, typed, written
from station.engine.stopped import settings_in
from station.link import Ack, Alerts, Command, CopyStrategy, Data, EditConfig, Feed, Query, RevertConfig
from station.link.messages import READ_ONLY_COMMANDS
from station.link.screens import (
    ChangeLine,
    RowStory,
    ScannerRoom,
    SettingLine,
    SettingsRoom,
    Signals,
    SignalStory,
    StrategyRoom,
)
from tests.lab import Lab, assert_sound, play

T = TypeVar("T")


class Shell:
    """Commands to the engine of a lab, as a screen sends them."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._commander = Commander(lab.run.engine, lambda _why: None, lab.run._doors.lag)  # pyright: ignore[reportPrivateUsage]

    async def ask(self, shape: type[T], name: str, **args: str) -> T:
        reply = await self._lab.during(self._commander.handle(Query(name, args)))
        assert isinstance(reply, Data)
        return msgspec.json.decode(reply.json, type=shape)

    async def tell(self, command: Command) -> str:
        reply = await self._lab.during(self._commander.handle(command))
        assert isinstance(reply, Ack) and reply.ok
        return reply.text

    async def setting(self, key: str) -> SettingLine:
        return next(row for row in (await self.ask(SettingsRoom, "settings")).rows if row.key == key)

    async def set(self, key: str, value: str) -> str:
        version = (await self.setting(key)).change.version
        return await self.tell(EditConfig("setting", key, value, version, by="tester"))


# --- signals -------------------------------------------------------------------------------------------


async def _signals(tmp_path: Path) -> None:
    async with Lab(tmp_path) as lab:
        trade = await lab.until_holding()
        shell = Shell(lab)
        found = await shell.ask(Signals, "signals")
        assert found.day == "2026-11-18" and found.days[-1] == found.day and "SPX" in found.symbols
        assert sum(found.counts.values()) == len(await lab.run.engine.outside.stores.lifecycle.signals())
        assert [row.at_ns for row in found.rows] == sorted((row.at_ns for row in found.rows), reverse=True)
        line = next(row for row in found.rows if row.trade_id == trade.id)
        assert trade.contract is not None and line.contract == trade.contract.label
        assert line.bar_ns <= line.at_ns <= line.ordered_ns <= line.filled_ns
        assert (line.order_state, line.strategy) == ("FILLED", trade.strategy)
        assert Decimal(line.filled) == trade.entry_filled
        measured = {lap.name for lap in found.laps if lap.laps and lap.p50_ms is not None}
        assert measured >= {"signal → wire", "fill → protect"}

        puts = await shell.ask(Signals, "signals", side="PUT", state="EXECUTED")
        assert {(row.side, row.state) for row in puts.rows} <= {("PUT", "EXECUTED")}
        spy = await shell.ask(Signals, "signals", symbol="spy")
        assert {row.instrument for row in spy.rows} == {"SPY"} and sum(spy.counts.values()) == len(spy.rows)
        assert (await shell.ask(Signals, "signals", day="2026-11-17")).rows == ()

        story = await shell.ask(SignalStory, "signal", id=line.id)
        assert {order.purpose for order in story.orders} >= {"entry", "target"}
        assert story.fills[0].order_ref == line.order_ref and story.provenance
        assert {step.stage for step in story.steps} >= {"match", "risk"}
        await lab.until("10:10")
        later = await shell.ask(Signals, "signals")
        over = [row for row in later.rows if lab.run.engine.outside.clock.now() - row.at_ns >= 15 * MINUTE]
        assert over and not any(row.state == "GENERATED" for row in over), "nothing waits past its time"
        assert later.counts["EXPIRED"] == sum(row.state == "EXPIRED" for row in later.rows)
        expired = await shell.ask(Signals, "signals", state="EXPIRED")
        assert [row.id for row in expired.rows] == [row.id for row in later.rows if row.state == "EXPIRED"]
        for wrong in ({"day": "soon"}, {"side": "UP"}, {"state": "DONE"}):
            with pytest.raises(BadInput, match=next(iter(wrong))):
                await shell.ask(Signals, "signals", **wrong)
        with pytest.raises(BadInput, match="no signal"):
            await shell.ask(SignalStory, "signal", id="nobody")


def test_each_signal_is_told_with_what_it_led_to(tmp_path: Path) -> None:
    play(lambda: _signals(tmp_path))


# --- settings ------------------------------------------------------------------------------------------


async def _edits(tmp_path: Path) -> None:
    async with Lab(tmp_path) as lab:
        shell = Shell(lab)
        first = await shell.setting("risk.max_positions")
        assert (first.value, first.source, first.live, first.change.version) == ("3", "the file", True, 0)
        assert "3 → 2" in await shell.set("risk.max_positions", "2")
        assert lab.rooms.tuned.limits.max_positions == 2
        assert lab.rooms.judgement._limits().max_positions == 2  # pyright: ignore[reportPrivateUsage]
        edited = await shell.setting("risk.max_positions")
        assert (edited.value, edited.source, edited.change.by) == ("2", "the database", "tester")

        for key, value, said in (
            ("risk.max_positions", "0", "must be at least 1"),
            ("risk.stop_min_pct", "16", "may not be over stop_max_pct"),
            ("risk.one_per_instrument", "perhaps", "must be on or off"),
            ("protection.late_mode", "sleep", "late_mode"),
            ("risk.entry_windows", "{", "is no JSON"),
        ):
            with pytest.raises(Refused, match="the old value stays") as refusal:
                await shell.set(key, value)
            assert said in str(refusal.value)
        for key in ("broker.port", "station.environment", "secrets.rest_key"):
            with pytest.raises(Refused, match="not changed from inside"):
                await shell.set(key, "7")
        with pytest.raises(Refused, match="the command line"):
            await shell.set("paper.seed", "8")
        with pytest.raises(BadInput, match="is no setting"):
            await shell.tell(EditConfig("setting", "risk.luck", "1", 0))
        with pytest.raises(Refused, match="read it again"):
            await shell.tell(EditConfig("setting", "risk.max_positions", "1", 0))
        assert lab.rooms.tuned.limits.max_positions == 2

        assert "at the next start" in await shell.set("market.latency_alert_p95_ms", "300")
        waiting = await shell.setting("market.latency_alert_p95_ms")
        assert (waiting.value, waiting.waiting) == ("300", "200")
        await shell.set("risk.disabled_instruments", "ES, NQ")
        assert not lab.rooms.tuned.enabled("ES") and lab.rooms.tuned.enabled("SPX")
        assert any("max_positions: 3 → 2" in body for body in lab.events("alert"))
    assert settings_in(tmp_path, Settings()).risk.max_positions == 2, "a stopped directory tells them too"
    async with Lab(tmp_path) as lab:
        shell = Shell(lab)
        assert lab.rooms.tuned.limits.max_positions == 2, "edits outlive the process"
        assert (await shell.setting("market.latency_alert_p95_ms")).waiting == ""
        assert lab.rooms.market.limits.latency_p95_ms == 300
        version = (await shell.setting("risk.max_positions")).change.version
        await shell.tell(RevertConfig("setting", "risk.max_positions", version, by="tester"))
        assert lab.rooms.tuned.limits.max_positions == 3
        assert (await shell.setting("risk.max_positions")).source == "the file"
        story = await shell.ask(RowStory, "config_row", kind="setting", key="risk.max_positions")
        assert [row.version for row in story.versions] == [2, 1]
        told = [(one.changes[0].before, one.changes[0].after) for one in story.versions]
        assert told == [("2", "3"), ("3", "2")], (
            "the first tells what the file said, a reverted one what it says"
        )
    assert_sound(tmp_path)


def test_a_setting_is_checked_stored_with_its_author_and_in_force_at_once(tmp_path: Path) -> None:
    play(lambda: _edits(tmp_path))


async def _live(tmp_path: Path) -> None:
    async with Lab(tmp_path) as lab:
        shell, rooms = Shell(lab), lab.rooms
        await shell.set("execution.entry_timeout_s", "45")
        await shell.set("execution.what_if", "off")
        await shell.set("options.max_spread_pct", "1.5")
        await shell.set("risk.contracts_per_order", "4")
        await shell.set("signals.positions_day", "7")
        await shell.set("protection.grace_s", "60")
        await shell.set("protection.day_shield_loss_usd", "123")
        await shell.set("protection.rapid_shield_pct", "30")
        private = (
            rooms.desk._entries._terms.what_if, rooms.options._limits.max_spread_pct,  # pyright: ignore[reportPrivateUsage]
            rooms.submitter._caps.contracts, rooms.hunter.caps.positions,  # pyright: ignore[reportPrivateUsage]
            rooms.protection._settings.grace_s, rooms.judgement._day_shield_usd,  # pyright: ignore[reportPrivateUsage]
        )  # fmt: skip
        assert private == (False, Decimal("1.5"), Decimal(4), 7, 60, Decimal(123))


def floor_of(lab: Lab) -> tuple[Feed, Alerts]:
    """What the scanner feed and the alert log show."""
    floor = lab.run._doors.view.floor()  # pyright: ignore[reportPrivateUsage]
    assert floor.feed is not None and floor.alerts is not None
    return floor.feed, floor.alerts


async def _restarted(tmp_path: Path) -> None:
    async with Lab(tmp_path) as lab:
        await lab.until("10:00")
        room = await Shell(lab).ask(ScannerRoom, "scanner_room")
        before = {row.name: row for row in room.rows if row.published}
        feed, told = floor_of(lab)
        published = [row.scanner for row in feed.rows if not row.gate]
        hunts = lab.run._doors.view.floor().strategies  # pyright: ignore[reportPrivateUsage]
        specs = {spec.strategy_id: spec for spec in lab.run.engine.desired.value.strategies}
        assert hunts is not None
        waiting = [row for row in hunts.rows if row.waits]
        assert waiting and all(row.verdict == "WAIT" and not row.matched for row in waiting)
        for row in waiting:
            assert row.waits.split()[0] == specs[row.strategy].call_patterns[0]
            assert specs[row.strategy].put_patterns[-1] in row.waits
    assert before and told.rows
    async with Lab(tmp_path) as lab:
        after = {row.name: row for row in (await Shell(lab).ask(ScannerRoom, "scanner_room")).rows}
        for name, row in before.items():
            assert after[name].published == row.published == sum(after[name].spark)
            assert 0 < after[name].last_ns <= row.last_ns, "the last one may have been refused"
        known, again = floor_of(lab)
        assert known.published == sum(row.published for row in before.values())
        assert [row.scanner for row in known.rows] == published
        assert again.rows[-len(told.rows) :] == told.rows


def test_a_restart_forgets_no_firing_and_no_alert_of_the_day(tmp_path: Path) -> None:
    play(lambda: _restarted(tmp_path))


def test_every_live_section_reaches_its_room(tmp_path: Path) -> None:
    play(lambda: _live(tmp_path))


# --- scanners and strategies ---------------------------------------------------------------------------


async def _rows(tmp_path: Path) -> None:
    async with Lab(tmp_path) as lab:
        await lab.until("10:00")
        shell, desired = Shell(lab), lab.run.engine.desired
        room = await shell.ask(ScannerRoom, "scanner_room")
        assert [row.name for row in room.rows] == [spec.name for spec in desired.value.scanners]
        assert room.rejected == lab.rooms.scanners.rejections
        fired = next(row for row in room.rows if row.published)
        assert sum(fired.spark) == fired.fired and fired.last_ns and fired.status == "READY"
        assert {switch.name: switch.on for switch in room.switches}["es_only_mode"] is False

        version = fired.change.version
        said = await shell.tell(EditConfig("scanner", fired.name, "off", version, "enabled", "tester"))
        assert said.endswith("enabled: on → off")
        assert lab.rooms.scanners.status(fired.name) == "DISABLED"
        said = await shell.tell(EditConfig("scanner", fired.name, "77", version + 1, "cooldown_s"))
        spec = next(s for s in desired.value.scanners if s.name == fired.name)
        assert spec.effective_cooldown_s == 77 and not spec.enabled
        with pytest.raises(BadInput, match="cooldown_s"):
            await shell.tell(EditConfig("scanner", fired.name, "-1", version + 2, "cooldown_s"))
        await shell.tell(RevertConfig("scanner", fired.name, version + 2, "tester"))
        assert lab.rooms.scanners.status(fired.name) == "READY"
        switch = next(one for one in room.switches if one.name == "es_only_mode")
        await shell.tell(EditConfig("switch", "es_only_mode", "on", switch.change.version))
        assert desired.value.switches.es_only_mode

        strategies = await shell.ask(StrategyRoom, "strategy_room")
        first = strategies.rows[0]
        assert strategies.hunts == lab.rooms.hunt.hunts and first.verdict
        await shell.tell(CopyStrategy(first.strategy_id, "MY_OWN", "tester"))
        copy = next(s for s in desired.value.strategies if s.strategy_id == "MY_OWN")
        assert not copy.enabled and copy.version == 1
        with pytest.raises(Refused, match="already"):
            await shell.tell(CopyStrategy(first.strategy_id, "MY_OWN"))
        with pytest.raises(BadInput, match="letters, digits"):
            await shell.tell(CopyStrategy(first.strategy_id, "my own"))
        await shell.tell(EditConfig("strategy", "MY_OWN", "31.5", 1, "target_pct", "tester"))
        await shell.tell(EditConfig("strategy", "MY_OWN", "propose", 2, "autonomy", "tester"))
        with pytest.raises(BadInput, match="fate"):
            await shell.tell(EditConfig("strategy", "MY_OWN", "1", 3, "fate"))
        story = await shell.ask(RowStory, "config_row", kind="strategy", key="MY_OWN")
        assert story.versions[0].changes == (ChangeLine("autonomy", "auto", "propose"),)
        assert [row.by for row in story.versions] == ["tester"] * 3
        assert {field.name: field.value for field in story.fields}["target_pct"] == "31.5"
    assert_sound(tmp_path)


def test_scanners_and_strategies_are_edited_field_by_field(tmp_path: Path) -> None:
    play(lambda: _rows(tmp_path))


def test_who_only_looks_edits_nothing() -> None:
    assert not {EditConfig, CopyStrategy, RevertConfig} & set(READ_ONLY_COMMANDS)


# --- small pure things ---------------------------------------------------------------------------------


def test_every_field_of_a_strategy_can_be_edited() -> None:
    assert set(STRATEGY_FIELDS) == set(StrategySpec.__dataclass_fields__) - {"strategy_id", "version"}


def test_what_is_shown_of_a_field_can_be_typed_back() -> None:
    spec = StrategySpec(
        "X", "SPX", ("SPX_*",), (), veera=("adx_5m",), schedule="0 10 * * *", stop_pct=Decimal("7.5")
    )
    row = {**spec_row(spec)}
    for line in field_lines(spec):
        row[line.name] = typed(line.kind, line.value)
    assert parse_strategy(row) == spec


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (FLAG, " Yes ", True), (FLAG, "maybe", "maybe"), (WHOLE, "12", 12), (WHOLE, "1.5", "1.5"),
        (TEXTS, "A_*, B_*", ["A_*", "B_*"]), ("name=number …", "fast=9 slow=21", {"fast": 9.0, "slow": 21.0}),
        ("name=number …", "fast", "fast"), ("auto | observe", "auto", "auto"),
    ],
)  # fmt: skip
def test_text_becomes_the_rows_own_value(kind: str, text: str, value: object) -> None:
    assert typed(kind, text) == value


def test_values_are_written_as_they_are_typed() -> None:
    assert [written(one) for one in (True, None, ("a", "b"), {"fast": 9.0}, 7)] == [
        "on",
        "",
        "a b",
        "fast=9",
        "7",
    ]


@pytest.mark.parametrize("name", [name for name, kind in STRATEGY_FIELDS.items() if " to " in kind.limit])
def test_the_bounds_that_are_told_are_the_bounds(name: str) -> None:
    kind = STRATEGY_FIELDS[name]
    words = kind.limit.split(" ")
    low, high = Decimal(words[0]), Decimal(words[2].rstrip(","))
    base = spec_row(StrategySpec("X", "SPX", ("SPX_*",), ()))
    number = int if kind[0] == WHOLE else float
    for edge in (low, high):
        parse_strategy(base | {name: number(edge)})
    for beyond in (low - 1, high + 1):
        with pytest.raises(BadInput, match=name):
            parse_strategy(base | {name: number(beyond)})
