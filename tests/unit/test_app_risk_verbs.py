"""Risk as a user meets it: preflight, why, the KILL file, gates against hands, limits that outlive restarts."""

# pyright: reportPrivateUsage=false

from __future__ import annotations

import asyncio
import json
from argparse import Namespace
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from app import main
from station.clock import WallClock
from station.domain.errors import BadInput, Refused
from station.domain.trade import TradeState
from station.engine import killfile, verbs
from station.engine.commands import KILLED, KILLED_FLAT
from station.engine.lease import Lease
from station.link import Ack, Data, Floor, LinkServer, Reply
from station.link.messages import CloseTrade, Command, Gate, Kill, KillRelease, Query
from station.risk import RULES, StrategyTerms
from tests.lab import Lab, assert_sound, play
from tests.sessions import paper
from tests.unit.test_app_verbs import document, refused, vigil

OPTION = {"symbol": "SPX", "expiry": "20261118", "strike": "6900", "right": "C", "qty": 5, "limit": "6.20"}


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A stopped runtime directory with two closed trades."""
    runtime = tmp_path_factory.mktemp("risked")
    paper(runtime, 3, "--until", "10:01")
    return runtime


def written(folder: Path, content: object) -> str:
    file = folder / "proposal.json"
    file.write_text(content if isinstance(content, str) else json.dumps(content))
    return str(file)


async def ask(lab: Lab, command: Command) -> Any:
    reply = await lab.run._doors.handle(command)
    return json.loads(reply.json) if isinstance(reply, Data) else reply


# --- preflight -----------------------------------------------------------------------------------------


def test_preflight_of_a_stopped_directory_judges_what_is_known(lived: Path, tmp_path: Path) -> None:
    file = written(tmp_path, OPTION | {"strategy": "5MIN_TREND", "confidence": 70})
    found = document("preflight", "--proposal", file, "--runtime", str(lived))
    assert set(found) == {
        "v", "source", "at_utc", "gate", "kill", "note", "proposal", "approved", "fits", "bound_by", "verdicts",
        "portfolio",
    }  # fmt: skip
    assert [row["rule"] for row in found["verdicts"]] == [name for name, _ in RULES]
    assert set(found["verdicts"][0]) == {"rule", "passed", "code", "value", "limit", "reason"}
    codes = {row["code"] for row in found["verdicts"] if not row["passed"]}
    assert {"LINK_DOWN", "NO_QUOTE", "POSITION_SIZE"} <= codes
    assert (found["source"], found["approved"], found["fits"], found["bound_by"]) == (
        "stopped", False, 1, "position size",
    )  # fmt: skip
    known = {row["rule"]: row["passed"] for row in found["verdicts"]}
    assert known["session"] and known["daily loss"] and known["drawdown"]
    assert found["portfolio"]["positions"] == 2
    assert {row["name"] for row in found["portfolio"]["exposure"]["underlying"]} == {"SPX", "SPY"}


def test_preflight_for_people_is_a_line_a_rule(lived: Path, tmp_path: Path) -> None:
    done = vigil("preflight", "--proposal", written(tmp_path, OPTION), "--runtime", str(lived))
    assert done.returncode == 0
    assert done.stdout.startswith("BUY 5 SPXW 20261118 6900C at 2026-11-18T")
    assert "NO position size" in done.stdout and "ok market gate" in done.stdout


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("{", "is no JSON"), ("[1]", "is a list, not a JSON object"), ("[" * 5000, "is no JSON"),
        (OPTION | {"qty": 0}, "qty = 0 must be a number over 0"), (OPTION | {"color": 1}, "color = 1"),
        (OPTION | {"strategy": "NOBODY"}, "strategy = 'NOBODY' is not configured"),
        (" " * 70_000, "longer than 65536 bytes"),
    ],
)  # fmt: skip
def test_a_bad_proposal_is_one_line_and_exit_two(
    content: object, says: str, lived: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = main(["preflight", "--proposal", written(tmp_path, content), "--runtime", str(lived)])
    said = capsys.readouterr()
    assert (code, said.out, len(said.err.splitlines())) == (2, "", 1)
    assert says in said.err


def test_no_file_and_no_directory_are_one_line_each(lived: Path, tmp_path: Path) -> None:
    refused(
        vigil("preflight", "--proposal", str(tmp_path / "none"), "--runtime", str(lived)), 2, "cannot be read"
    )
    file = written(tmp_path, OPTION)
    refused(vigil("preflight", "--proposal", file, "--runtime", str(tmp_path)), 2, "holds no lifecycle.db")
    refused(vigil("preflight"), 2, "--proposal")
    (tmp_path / "proposal.json").write_bytes(b"\xff\xfe")
    refused(vigil("preflight", "--proposal", file, "--runtime", str(lived)), 2, "is not UTF-8")


def test_a_running_engine_answers_with_its_own_quotes_and_book(tmp_path: Path) -> None:
    async def story() -> None:
        async with Lab(tmp_path) as lab:
            await lab.until_holding()
            await lab.until("09:44:30")
            hypothetical = await ask(lab, Query("risk", {"symbol": "SPX"}))
            assert hypothetical["approved"], [row for row in hypothetical["verdicts"] if not row["passed"]]
            assert hypothetical["note"].startswith("hypothetical: one contract")
            assert hypothetical["portfolio"]["positions"] == 1
            book = hypothetical["portfolio"]
            assert book["greeks"]["delta_index"] < 0 and book["greeks"]["theta_usd_day"] < 0
            assert Decimal(book["stress"]["pnl"]) > 0
            assert 0 < Decimal(book["var_95"]) <= Decimal(book["value"])
            assert [row["name"] for row in book["exposure"]["strategy"]] == ["SPY_TREND"]
            again = await ask(lab, Query("risk", {"symbol": "SPY"}))
            assert "ONE_PER_INSTRUMENT" in {row["code"] for row in again["verdicts"]}
            written_out = json.dumps(OPTION | {"strategy": "5MIN_TREND", "confidence": 80})
            assert (await ask(lab, Query("risk", {"proposal": written_out})))["fits"] == 1
            with pytest.raises(BadInput, match="qty"):
                await ask(lab, Query("risk", {"proposal": '{"symbol": "SPX"}'}))
            with pytest.raises(BadInput, match="give a symbol"):
                await ask(lab, Query("risk", {"symbol": "DAX"}))
            with pytest.raises(BadInput, match="CALL or PUT"):
                await ask(lab, Query("risk", {"side": "BOTH"}))
            stock = await ask(lab, Query("risk", {"proposal": '{"symbol": "ZZZZ", "qty": 1, "limit": 10}'}))
            assert {"INSTRUMENT_DISABLED", "FEED_STALE"} <= {row["code"] for row in stock["verdicts"]}

    play(story)


# --- why -----------------------------------------------------------------------------------------------


def test_why_tells_what_fired_matched_and_was_blocked(lived: Path) -> None:
    found = document("why", "--runtime", str(lived))
    assert set(found) == {"v", "symbol", "session", "from_utc", "to_utc", "fired", "matched", "blocked"}
    assert found["session"] == "2026-11-18"
    assert {row["strategy"] for row in found["matched"]} >= {"SPY_TREND", "5MIN_TREND", "MACD_TREND"}
    refusal = next(row for row in found["blocked"] if row["stage"] == "risk")
    assert refusal["reason"].startswith("one per instrument")
    assert set(refusal) == {"ts_utc", "trade", "strategy", "symbol", "stage", "reason", "value", "limit"}
    assert {row["trade"] for row in found["fired"] if row["trade"]} == {
        row["trade"] for row in found["matched"]
    }


def test_why_says_where_each_strategy_left_a_signal_that_did_not_trade(lived: Path) -> None:
    found = document("why", "--runtime", str(lived))
    untraded = {row["scanner"] for row in found["fired"] if row["trade"] is None}
    left = [row for row in found["blocked"] if row["trade"] is None and row["strategy"]]
    assert left, "seed 3 leaves signals to veera, windows or caps before 10:01"
    for row in left:
        assert any(scanner in row["reason"] for scanner in untraded), row
        assert row["stage"] in ("schedule", "match", "window", "veera", "hunter", "caps")
        assert row["limit"]
    nobodys = [row for row in found["blocked"] if row["trade"] is None and row["strategy"] is None]
    assert all("no strategy trades" in row["reason"] for row in nobodys)


def test_why_can_be_asked_of_a_symbol_and_a_minute(lived: Path) -> None:
    spy = document("why", "--symbol", "SPY", "--at", "09:40", "--runtime", str(lived))
    assert [row["strategy"] for row in spy["matched"]] == ["SPY_TREND"]
    assert {row["instrument"] for row in spy["fired"]} == {"SPY"}
    assert spy["from_utc"] == "2026-11-18T14:35:00.000000Z"
    assert document("why", "--at", "09:31", "--runtime", str(lived))["matched"] == []
    assert document("why", "--symbol", "NONE", "--runtime", str(lived))["fired"] == []
    done = vigil("why", "--at", "10:00", "--symbol", "SPX", "--runtime", str(lived))
    assert "HOURLY_TREND" in done.stdout and "one per instrument" in done.stdout
    refused(vigil("why", "--at", "25:00", "--runtime", str(lived)), 2, "HH:MM")


def test_why_of_no_run_is_one_line(tmp_path: Path) -> None:
    refused(vigil("why", "--runtime", str(tmp_path)), 2, "holds no lifecycle.db")


# --- the KILL file -------------------------------------------------------------------------------------


def test_the_file_is_read_for_one_word(tmp_path: Path) -> None:
    assert killfile.asked(tmp_path) is None
    file = tmp_path / killfile.NAME
    stops, flattens = (
        (b"", b"please stop", b"\xff\xfe", b"x" * 5000 + b" flatten"),
        (b"FLATTEN!\n", b"now, flatten"),
    )
    for content in (*stops, *flattens):
        file.write_bytes(content)
        assert killfile.asked(tmp_path) is (content in flattens)
    file.unlink()
    file.symlink_to(tmp_path / "nowhere")
    assert killfile.asked(tmp_path) is False
    file.unlink()
    file.mkdir()
    assert killfile.asked(tmp_path) is False


def test_a_kill_file_stops_entries_flattens_on_its_word_and_holds_the_release(tmp_path: Path) -> None:
    async def story() -> None:
        async with Lab(tmp_path) as lab:
            trade = await lab.until_holding()
            file = tmp_path / killfile.NAME
            file.touch()
            await lab.while_time_stands(lambda: lab.rooms.controls.controls.kill.on)
            kill = lab.rooms.controls.controls.kill
            assert (kill.by, kill.flatten) == ("signal file", False)
            assert lab.exits(trade)
            with pytest.raises(Refused, match="remove it first"):
                await ask(lab, KillRelease(word="RELEASE", by="test"))
            file.write_text("flatten")
            await lab.while_time_stands(lambda: lab.rooms.controls.controls.kill.flatten)
            await lab.until_true(lambda: lab.is_over(trade.id))
            assert lab.rooms.ledger.trades[trade.id].cause == "kill"
            file.unlink()
            reply = await lab.during(ask(lab, KillRelease(word="RELEASE", by="test")))
            assert isinstance(reply, Ack) and reply.ok
            await lab.step(60)
            assert not lab.rooms.controls.controls.kill.on
        assert_sound(tmp_path)

    play(story)


def test_a_kill_file_from_before_the_start_lets_nothing_begin(tmp_path: Path) -> None:
    async def story() -> None:
        (tmp_path / killfile.NAME).write_text("stop\n")
        async with Lab(tmp_path) as lab:
            await lab.until("09:46")
            assert lab.rooms.controls.controls.kill.on
            assert lab.entered() == []
            assert {trade.state for trade in lab.trades()} == {TradeState.FAILED}

    play(story)


# --- gates, hands and restarts --------------------------------------------------------------------------


def test_a_closed_gate_stops_a_closing_hand_and_a_reducing_one_lets_it_through(tmp_path: Path) -> None:
    async def story() -> None:
        async with Lab(tmp_path) as lab:
            trade = await lab.until_holding()
            await ask(lab, Gate(state="closed", by="test"))
            with pytest.raises(Refused, match=r"the gate is CLOSED .*: set the gate to reducing"):
                await ask(lab, CloseTrade(trade_id=trade.id, by="test"))
            assert lab.exits(trade)
            await ask(lab, Gate(state="reducing", by="test"))
            await ask(lab, CloseTrade(trade_id=trade.id, by="test"))
            await lab.until_true(lambda: lab.is_over(trade.id))
            assert lab.rooms.ledger.trades[trade.id].cause == "manual"
            await lab.until("09:46")
            assert len(lab.entered()) == 1
            later = next(trade for trade in lab.trades() if trade.state is TradeState.FAILED)
            assert later.cause == "GATE_REDUCING"
        assert_sound(tmp_path)

    play(story)


def test_a_restart_resets_no_switch_no_loss_and_no_safeguard(tmp_path: Path) -> None:
    async def before() -> Any:
        async with Lab(tmp_path) as lab:
            trade = await lab.until_holding()
            await lab.until_true(lambda: lab.is_over(trade.id))
            controls = lab.rooms.controls
            for _ in range(3):
                await controls.note_override()
            with pytest.raises(Refused, match="3 today, the limit is 3"):
                await controls.note_override()
            lost = lab.rooms.ledger.trades[trade.id]
            await controls.note_result(lost, StrategyTerms(1, drawdown_pct=Decimal("0.0001")))
            await ask(lab, Gate(state="reducing", by="test"))
            await controls.quarantine("ES", "by test")
            await ask(lab, Kill(by="test"))
            return controls.controls

    async def after() -> Any:
        async with Lab(tmp_path) as lab:
            await lab.step(5)
            assert lab.run.engine.progress.phase == "trading"
            return lab.rooms.controls.controls

    held = play(before)
    assert (held.kill.on, held.day.overrides, held.day.baseline) == (True, 3, Decimal("35000"))
    assert [book.strategy for book in held.strategies] == ["5MIN_TREND", "SPY_TREND"]
    again = play(after)
    assert (again.gate, again.kill, again.quarantined) == (held.gate, held.kill, held.quarantined)
    assert (replace(again.day, peak=held.day.peak), again.strategies) == (held.day, held.strategies)
    assert again.day.peak >= held.day.peak


def test_a_strategy_at_its_drawdown_is_paused_in_the_running_station_and_after_a_restart(
    tmp_path: Path,
) -> None:
    async def before() -> str:
        async with Lab(tmp_path) as lab:
            await lab.until_true(lambda: lab.run.engine.progress.phase == "trading")
            controls = lab.rooms.controls
            trade = await lab.until_holding()
            await lab.until_true(lambda: lab.is_over(trade.id))
            done = lab.rooms.ledger.trades[trade.id]
            await controls.note_result(replace(done, net_pnl=Decimal(-9000)), StrategyTerms(1))
            assert "paused" in "".join(lab.events("alert"))
            return controls.controls.book_of("SPY_TREND", 1).paused

    async def after() -> None:
        async with Lab(tmp_path) as lab:
            await lab.until("10:00:30")
            refusals = [t for t in lab.trades() if t.strategy == "SPY_TREND" and t.state is TradeState.FAILED]
            assert [trade.cause for trade in refusals] == ["STRATEGY_PAUSED"]

    assert "from its peak" in play(before)
    play(after)


@pytest.mark.parametrize(("flatten", "does"), [(False, "protective exits stay"), (True, "is being closed")])
async def test_a_kill_from_a_shell_says_that_the_switch_is_on(tmp_path: Path, flatten: bool, does: str) -> None:
    async def handle(command: Command) -> Reply:
        assert isinstance(command, Kill) and command.flatten is flatten
        return Ack(True, KILLED_FLAT if flatten else KILLED)

    lease = Lease(tmp_path)
    lease.acquire("DU1")
    server = LinkServer(tmp_path / verbs.SOCKET, handle, Floor, clock=WallClock())
    await server.start()
    try:
        words = Namespace(runtime=tmp_path, release=False, flatten=flatten)
        told = await asyncio.to_thread(verbs.kill, words)
        assert told.text.startswith("kill switch ON: ") and told.text.endswith(does) and told.code == 0
    finally:
        await server.stop()
        lease.release()
