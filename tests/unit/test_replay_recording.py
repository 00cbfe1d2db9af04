"""A recorded session: written off the hot path, read back, and played again to the last bit."""

from __future__ import annotations

import asyncio
import math
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from station.brokers.replay import Recorder, SessionTape, read_recording
from station.brokers.replay.records import Answered, Began, Dropped, decode_line, encode_line
from station.calendars import at_et, load_calendar
from station.clock import Activity, VirtualClock
from station.domain.broker import (
    CommissionReport,
    DepthReport,
    ExecutionReport,
    FarmReport,
    GreeksReport,
    HaltReport,
    LinkReport,
    NoticeReport,
    OrderNotice,
    OrderStatus,
    QuoteReport,
    TickReport,
)
from station.domain.errors import BadInput
from station.domain.instruments import INSTRUMENTS, Right, Timeframe, option_contract
from station.domain.market import Bar, Greeks, Quote, Tick
from station.domain.orders import Action, Execution, OrderState
from station.engine.launch import settings_for
from station.engine.options import RunOptions
from station.engine.simulated import SimulatedRun
from station.series import Bars
from tests.lab import CACHE, DAY, SEED, play

CALL = option_contract(INSTRUMENTS["SPX"], "20261118", Decimal("5940"), Right.CALL)
AT = at_et(DAY, "09:31")
REPORTS = (
    OrderStatus("V1-A-1-buy-1", OrderState.SUBMITTED, Decimal(0), Decimal(2), AT, 7, 8, "", Decimal("1.05")),
    OrderNotice("V1-A-1-buy-1", 201, "rejected", AT),
    ExecutionReport(
        Execution("0001.01", "V1-A-1-buy-1", "DU1000001", CALL, Action.BUY, Decimal(2), Decimal("1.05"), AT)
    ),
    CommissionReport("0001.01", Decimal("1.30"), AT),
    QuoteReport(Quote(CALL, Decimal("1.05"), None, 10, 0, AT, Decimal("1.10"), 5, 6)),
    TickReport(Tick("SPX", AT, 5940.123456789, 0.1)),
    GreeksReport(Greeks(CALL, 0.16, 0.3, 0.01, -2.0, 3.5, 5940.1, AT)),
    DepthReport(CALL, ((Decimal("1.05"), 3),), ((Decimal("1.10"), 4),), AT),
    HaltReport("SPX", True, AT),
    LinkReport(False, AT, False, "lost"),
    FarmReport("usfarm", True, AT),
    NoticeReport(10197, "competing session", AT, "SPX"),
)


@pytest.mark.parametrize("report", REPORTS, ids=lambda report: type(report).__name__)
def test_every_report_comes_back_as_it_was(report) -> None:
    line = encode_line(AT + 1, report)
    assert line.endswith(b"\n") and line.count(b"\n") == 1
    assert decode_line(line) == (AT + 1, report)


def test_the_lines_of_the_recorder_itself_come_back_too() -> None:
    told = Answered("SPX", Timeframe.M5, (Bar(AT, 0.1, 0.3, 0.1, 0.2, 1e17),))
    for body in (Began(1, "2026-11-18", "paper"), told, Dropped(3)):
        assert decode_line(encode_line(AT, body)) == (AT, body)


class Desk:
    """A recorder on a clock of its own."""

    def __init__(self, folder: Path, **options: object) -> None:
        self.clock = VirtualClock(AT)
        self.ended: list[str] = []
        self.activity = Activity(ordered=False)
        self.recorder = Recorder(
            folder, DAY, "paper", self.clock, self.activity, on_end=self.ended.append, **options
        )  # type: ignore[arg-type]

    def lines(self) -> list[object]:
        return [decode_line(line)[1] for line in self.recorder.path.read_bytes().splitlines()]


async def test_quotes_and_greeks_are_left_out_unless_the_whole_is_wanted(tmp_path: Path) -> None:
    plain, whole = Desk(tmp_path / "a"), Desk(tmp_path / "b", whole=True)
    heard: list[object] = []
    for desk in (plain, whole):
        sink = desk.recorder.tee(heard.append)
        for report in REPORTS:
            sink(report)
        await desk.recorder.flush()
    assert heard == [*REPORTS, *REPORTS]
    bulky = (QuoteReport, GreeksReport, DepthReport)
    assert plain.lines()[1:] == [report for report in REPORTS if not isinstance(report, bulky)]
    assert whole.lines()[1:] == list(REPORTS)
    assert plain.recorder.path.stat().st_mode & 0o777 == 0o600
    assert plain.recorder.path.parent.stat().st_mode & 0o777 == 0o700


async def test_what_does_not_fit_is_dropped_and_the_file_says_so(tmp_path: Path) -> None:
    desk = Desk(tmp_path, held=3)
    for price in range(6):
        desk.recorder.note(TickReport(Tick("SPX", AT, float(price), 1.0)))
    await desk.recorder.flush()
    desk.recorder.note(TickReport(Tick("SPX", AT, 9.0, 1.0)))
    await desk.recorder.flush()
    kinds = [type(line).__name__ for line in desk.lines()]
    assert kinds == ["Began", "TickReport", "TickReport", "Dropped", "TickReport"]
    assert desk.lines()[3] == Dropped(4) and desk.recorder.dropped == 4
    assert read_recording(desk.recorder.path).dirt == {"dropped": 4}


async def test_a_disk_that_fails_ends_the_recording_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "recordings").write_text("in the way")
    desk = Desk(tmp_path)
    sink = desk.recorder.tee(lambda report: None)
    sink(REPORTS[5])
    await desk.recorder.flush()
    (said,) = desk.ended
    assert "trading goes on without it" in said and desk.recorder.trouble
    sink(REPORTS[5])
    await desk.recorder.run()
    await desk.recorder.flush()
    assert len(desk.ended) == 1 and desk.activity.outstanding == 0


async def test_a_write_that_is_cancelled_still_ends_before_the_next(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.recorder.note(REPORTS[5])
    first = asyncio.create_task(desk.recorder.flush())
    await asyncio.wait({first}, timeout=0)
    first.cancel()
    desk.recorder.note(REPORTS[8])
    await desk.recorder.flush()
    assert [type(line).__name__ for line in desk.lines()] == ["Began", "TickReport", "HaltReport"]


async def test_a_line_cut_by_a_kill_is_counted_and_a_broken_file_refused(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    for report in REPORTS:
        desk.recorder.note(report)
    await desk.recorder.flush()
    path = desk.recorder.path
    path.write_bytes(path.read_bytes()[:-20])
    assert read_recording(path).dirt == {"unreadable": 1}
    path.write_bytes(path.read_bytes() + b"\nnonsense\n" * 5)
    with pytest.raises(BadInput, match="lines cannot be read"):
        read_recording(path)
    for content in (b"", b'{"kind": "Tick"}\n', encode_line(AT, REPORTS[5])):
        path.write_bytes(content)
        with pytest.raises(BadInput, match=r"recording"):
            read_recording(path)


async def test_a_tape_needs_a_known_symbol_on_an_exchange_day(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.recorder.note(TickReport(Tick("ZZZ", AT, 1.0, 1.0)))
    await desk.recorder.flush()
    recording = read_recording(desk.recorder.path)
    with pytest.raises(BadInput, match="ticks of ZZZ: none of the catalogue"):
        SessionTape(recording, load_calendar())
    recording.day = date(2026, 11, 21)
    with pytest.raises(BadInput, match="no exchange day"):
        SessionTape(recording, load_calendar())


class Heard:
    """What one run of the station came to, of bars and firings."""

    def __init__(self) -> None:
        self.firings: list[object] = []
        self.bars: dict[tuple[str, Timeframe], Bars] = {}
        self.digest = ""


async def live(options: RunOptions, until: str) -> Heard:
    heard = Heard()
    run = await SimulatedRun.prepare(options, settings_for(options), lambda _: None)
    await run.open()
    await run.advance(run.engine.outside.clock.now())
    rooms = run.engine.rooms
    rooms.bars.listeners.append(
        lambda firing, gate: heard.firings.append((replace(firing, provenance=""), gate))
    )
    await run.advance(at_et(DAY, until))
    for symbol in rooms.market.symbols:
        for timeframe in Timeframe:
            try:
                heard.bars[symbol, timeframe] = rooms.market.series(symbol, timeframe).bars
            except BadInput:
                continue
    heard.digest = (await run._summary(0, 0.0))["digest"]
    await run.close()
    return heard


def test_half_an_hour_recorded_and_replayed_gives_the_same_bars_and_firings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def options(name: str, broker: str, *bars: Path) -> RunOptions:
        return RunOptions(
            runtime=tmp_path / name, broker=broker, seed=SEED, speed=0, day=DAY, bars=bars, cache_dir=CACHE
        )

    monkeypatch.setenv("VIGIL_MARKET__RECORD", "market")
    first = play(lambda: live(options("first", "paper"), "10:00"))
    monkeypatch.setenv("VIGIL_MARKET__RECORD", "off")
    unrecorded = play(lambda: live(options("unrecorded", "paper"), "10:00"))
    assert unrecorded.digest == first.digest, "recording changes nothing that the station does"
    file = tmp_path / "first" / "recordings" / f"{DAY}.jsonl"
    again = play(lambda: live(options("again", "replay", file), "10:00"))
    assert len(first.firings) > 20 and again.firings == first.firings
    assert first.bars.keys() == again.bars.keys() and len(first.bars) > 15
    for key, bars in first.bars.items():
        assert len(bars) > 10 and again.bars[key].same(bars), key
    assert not (tmp_path / "unrecorded" / "recordings").exists()
    assert math.isfinite(sum(bars.close.sum() for bars in again.bars.values()))
