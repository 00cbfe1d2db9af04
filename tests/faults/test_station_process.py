"""Processes that die, doubles, screens that stall, handlers that raise, and the kill switch in the middle of it
all: rows 53, 57, 58, 59 and 61."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Generator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from station.brokers.paper.faults import Fault
from station.calendars import at_et
from station.clock import WallClock
from station.domain.broker import ExecutionReport, TickReport
from station.domain.clock import MILLISECOND
from station.domain.market import Tick
from station.domain.orders import Action, Execution, OrderState, order_ref
from station.domain.ports import WealthState
from station.domain.trade import TradeState
from station.engine.lease import is_held
from station.link import Ack, Kill, KillRelease, LinkDown, Status, request
from station.link.codec import frame, raw
from station.link.messages import Attach, Call, Hello
from tests.crash import trial
from tests.faults.station_stage import RICH, Stage, ends_of, held, ours
from tests.lab import CACHE, DAY, Lab, assert_sound, paper_rows, play

AT_TARGET = ("WEALTH_UPDATED", "target")
RESTING = {"entry_policy": "mid"}
UNHURRIED = 4
"""At so much the target, fourteen minutes away, is not reached before a verb's process has even begun."""
IN_PARTS = {"symbol": "SPX", "entry_policy": "cap", "entry_cap_pct": 5}
PATIENCE_S = 180.0
"""Host seconds after which what never comes is failed; nothing asserts a time."""

# --- kill −9 ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "point",
    [
        "commit.before:trade.entry_submitted#1",
        "send.before:entry#1",
        "book.after:place#1",
        "commit.before:order.execution#1",
        "send.after:target#1",
        "commit.before:trade.closed#1",
        "commit.before:trade.wealth_updated#1",
    ],
)
def test_fault_53_kill_9_leaves_the_same_state_after_restart(tmp_path: Path, point: str) -> None:
    """Around intent, send, acknowledgement, fill, protect and close; `tests.crash` does it at random points."""
    assert trial(tmp_path, point, until="09:56") == []


# --- a second engine -------------------------------------------------------------------------------------


class Engine:
    """An engine of its own process in a runtime directory, and the command line against it."""

    def __init__(self, runtime: Path, root: Path) -> None:
        self.runtime = runtime
        self._app = [sys.executable, str(root / "app.py")]
        self._children: list[subprocess.Popen[str]] = []

    def command(self, *words: str) -> list[str]:
        return [*self._app, *words, "--runtime", str(self.runtime)]

    def run(self, speed: float) -> subprocess.Popen[str]:
        words = ("run", "--broker", "paper", "--seed", "3", "--date", DAY.isoformat(), "--speed", f"{speed:g}")
        child = subprocess.Popen(
            self.command(*words), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        self._children.append(child)
        return child

    def verb(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*words), capture_output=True, text=True, timeout=PATIENCE_S, check=False
        )

    def until(self, condition: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The first status document that fulfils the condition."""
        clock = WallClock()
        until_ns = clock.perf() + round(PATIENCE_S * 1e9)
        while clock.perf() < until_ns:
            with contextlib.suppress(LinkDown):
                reply = asyncio.run(request(self.runtime / "engine.sock", Status(), PATIENCE_S))
                document = {} if isinstance(reply, Ack) else json.loads(reply.json)
                if condition(document):
                    return document
        raise AssertionError(f"no status fulfilled the condition within {PATIENCE_S:g} s")

    def end(self) -> None:
        for child in self._children:
            child.kill()
            child.wait()


@pytest.fixture
def engine(tmp_path: Path, repo_root: Path) -> Generator[Engine]:
    """An engine's directory that already holds a protected position at 09:40."""
    runtime = tmp_path / "runtime"

    async def work() -> None:
        async with Lab(runtime) as lab:
            await lab.until("09:39")
            await lab.until_holding()

    play(work)
    (runtime / "cache").symlink_to(CACHE)
    found = Engine(runtime, repo_root)
    yield found
    found.end()


def _trading(document: dict[str, Any]) -> bool:
    return document.get("phase") == "trading"


def test_fault_57_second_engine_is_refused_and_takeover_hands_over(engine: Engine) -> None:
    first = engine.run(1)
    engine.until(_trading)
    second = engine.run(1)
    said = second.communicate(timeout=PATIENCE_S)[0]
    assert second.returncode == 1
    assert f"pid {first.pid}" in said
    assert "takeover" in said
    assert len(said.strip().splitlines()) == 1
    assert engine.verb("takeover").returncode == 0
    first.communicate(timeout=PATIENCE_S)
    assert not is_held(engine.runtime)
    third = engine.run(1)
    document = engine.until(_trading)
    assert document["open_positions"] == 1
    assert engine.verb("stop").returncode == 0
    third.communicate(timeout=PATIENCE_S)
    assert held(engine.runtime, ours(engine.runtime, "SELECT id FROM trades")[0][0]) > 0
    assert_sound(engine.runtime)


def test_fault_61_kill_switch_from_another_shell_and_across_a_restart(engine: Engine) -> None:
    first = engine.run(UNHURRIED)
    engine.until(_trading)
    assert engine.verb("kill", "--flatten").returncode == 0
    document = engine.until(lambda d: d.get("open_positions") == 0 and d.get("working_orders") == 0)
    assert document["kill"] is True
    assert engine.verb("stop").returncode == 0
    first.communicate(timeout=PATIENCE_S)
    assert ends_of(engine.runtime)[0] == ("WEALTH_UPDATED", "kill")

    again = engine.run(UNHURRIED)
    assert engine.until(_trading)["kill"] is True
    assert engine.verb("kill", "--release").returncode == 2, "the word is asked for"
    wrong = engine.verb("kill", "--release", "--confirm", "please")
    assert (wrong.returncode, "RELEASE is asked" in wrong.stdout) == (1, True)
    assert engine.until(_trading)["kill"] is True
    assert engine.verb("kill", "--release", "--confirm", "RELEASE").returncode == 0
    assert engine.until(_trading)["kill"] is False
    assert engine.verb("stop").returncode == 0
    again.communicate(timeout=PATIENCE_S)
    assert_sound(engine.runtime)


# --- screens ---------------------------------------------------------------------------------------------


def _screen(runtime: Path, *messages: Any) -> socket.socket:
    """A client that says this much, and then neither reads nor writes."""
    client = socket.socket(socket.AF_UNIX)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    found = runtime / "engine.sock"
    client.connect(str(found if found.exists() else Path((runtime / "engine.sock.path").read_text())))
    for message in messages:
        client.sendall(frame(message))
    return client


def test_fault_58_screens_that_stall_or_die_do_not_disturb_the_engine(tmp_path: Path) -> None:
    runtime = Path(tmp_path / "r")

    async def work() -> None:
        async with Stage(runtime) as lab:
            attached = (Hello("screen"), Call(1, raw(Attach(50.0))))
            stalled = [_screen(runtime, *attached) for _ in range(3)] + [_screen(runtime)]
            dying = _screen(runtime, *attached)
            await lab.until("09:39")
            dying.close()
            half = _screen(runtime, Hello("screen"))
            half.sendall((1000).to_bytes(4) + b"half a frame")
            trade = await lab.until_holding()
            half.close()
            await lab.until_true(lambda: lab.is_over(trade.id), limit_s=900)
            reply = await request(runtime / "engine.sock", Status(), PATIENCE_S)
            assert not isinstance(reply, Ack)
            assert json.loads(reply.json)["phase"] == "trading"
            for client in stalled:
                client.close()
            await lab.step(5)
            faults = [task for task in lab.run.engine.supervisor.records.values() if task.restarts]
            assert faults == []

    play(work)
    assert ends_of(runtime)[0] == AT_TARGET
    assert_sound(runtime)


# --- handlers that raise ---------------------------------------------------------------------------------


def test_fault_59_report_that_cannot_be_handled_is_caught_counted_and_quarantined(tmp_path: Path) -> None:
    async def work() -> None:
        async with Stage(tmp_path) as lab:
            await lab.until("09:39")
            trade = await lab.until_holding()
            order = lab.order(trade.entry_ref)
            broken = Execution(
                "broken.01", order.ref, order.ticket.account, order.ticket.contract, Action.BUY, Decimal(1),
                Decimal("NaN"), lab.now(),
            )  # fmt: skip
            lab.run.exchange.report(ExecutionReport(broken))
            await lab.step(5)
            assert lab.trade(trade.id).open_qty == trade.qty
            assert any('"orders"' in text for text in lab.events("fault.handler"))
            assert lab.rooms.controls.controls.quarantine_of("SPY")
            assert lab.rooms.controls.controls.quarantine_of("SPX") is None
            assert not lab.rooms.judgement.entries_open("SPY")
            await lab.until_true(lambda: len(lab.entered()) == 2, limit_s=400)
            await lab.until_true(lambda: lab.is_over(trade.id), limit_s=900)

    play(work)
    assert ends_of(tmp_path)[0] == AT_TARGET
    assert_sound(tmp_path)


def test_fault_59_tick_that_no_handler_can_read_harms_no_one_else(tmp_path: Path) -> None:
    async def work() -> None:
        async with Stage(tmp_path) as lab:
            await lab.until("09:39")
            trade = await lab.until_holding()
            nonsense: Any = "nonsense"
            for _ in range(5):
                lab.run.exchange.report(TickReport(Tick("SPX", lab.now(), nonsense, 1.0)))
            await lab.step(2)
            told = [text for text in lab.events("fault.handler") if "TickReport" in text]
            assert len(told) == 1, "told once, counted five times"
            assert lab.rooms.desk.mishandled["TickReport"] == 5
            assert lab.rooms.controls.controls.quarantine_of("SPX")
            await lab.until_true(lambda: lab.is_over(trade.id), limit_s=900)

    play(work)
    assert ends_of(tmp_path)[0] == AT_TARGET
    assert_sound(tmp_path)


# --- the kill switch, in the middle of everything --------------------------------------------------------


def _killed(lab: Stage) -> bool:
    """On in memory and on disk."""
    (row,) = ours(lab.runtime, "SELECT value FROM controls WHERE name = 'kill'")
    return lab.rooms.controls.controls.kill.on and json.loads(row[0])["on"] is True


def test_fault_61_kill_with_an_entry_resting_cancels_it_and_twice_is_once(tmp_path: Path) -> None:
    async def work() -> None:
        async with Stage(tmp_path, strategy=RESTING) as lab:
            await lab.until("09:39")
            trade, order = await lab.until_sent()
            await lab.step(3)
            assert lab.at_exchange(order.ref)[0] == "SUBMITTED"
            assert (await lab.ask(Kill(by="test"))).ok
            assert (await lab.ask(Kill(by="test"))).ok
            await lab.step(2)
            assert lab.at_exchange(order.ref)[0] == "CANCELLED"
            assert lab.trade(trade.id).state is TradeState.FAILED
            assert ours(tmp_path, "SELECT cause FROM cancel_registry") == [("kill",)]
            assert len(lab.events("control.kill")) == 1
            assert _killed(lab)
            await lab.until("09:46")
            assert paper_rows(tmp_path, "SELECT COUNT(*) FROM orders") == [(1,)], "nothing opens after it"
            assert any(trade.cause == "KILL_ON" for trade in lab.trades())

    play(work)
    assert_sound(tmp_path)


def test_fault_61_kill_with_an_entry_on_the_wire_keeps_and_protects_what_filled(tmp_path: Path) -> None:
    async def work() -> None:
        async with Stage(tmp_path) as lab:
            await lab.until("09:39")
            trade, order = await lab.until_sent()
            assert (await lab.ask(Kill(by="test"))).ok
            await lab.step(3)
            assert lab.order(order.ref).state is OrderState.FILLED, "the cancel came too late"
            trade = lab.first()
            (sell,) = lab.exits(trade)
            assert lab.at_exchange(sell.ref) == ("SUBMITTED", trade.qty, 0)
            assert (await lab.ask(Kill(flatten=True, by="test"))).ok
            await lab.step(3)
            assert lab.position(trade) == 0
            assert len(lab.events("control.kill")) == 2, "flatten was added"

    play(work)
    assert ends_of(tmp_path) == [("WEALTH_UPDATED", "kill")]
    assert_sound(tmp_path)


def test_fault_61_kill_during_a_partial_fill_cancels_the_rest_and_flatten_sells_the_part(
    tmp_path: Path,
) -> None:
    async def work() -> None:
        async with Stage(tmp_path, settings=RICH, strategy=IN_PARTS) as lab:
            store = lab.run.engine.outside.stores.wealth
            await store.begin(WealthState("WM235K", Decimal(500_000), 52, "T3", Decimal(0)))
            await lab.until("09:39")
            await lab.tick_until(lambda: any(0 < t.open_qty < t.qty for t in lab.trades()))
            got, ref = lab.first().open_qty, lab.first().entry_ref
            assert (await lab.ask(Kill(flatten=True, by="test"))).ok
            await lab.step(10)
            assert lab.at_exchange(ref)[::2] == ("CANCELLED", got)
            assert lab.position(lab.first()) == 0
            sold = paper_rows(tmp_path, "SELECT qty FROM executions WHERE action = 'SELL'")
            assert sum(Decimal(row[0]) for row in sold) == got

    play(work)
    assert ends_of(tmp_path) == [("WEALTH_UPDATED", "kill")]
    assert_sound(tmp_path)


def test_fault_61_kill_while_the_link_is_down_is_on_at_once_and_finished_when_it_is_back(
    tmp_path: Path,
) -> None:
    async def work() -> None:
        drop = Fault("disconnect", at_et(DAY, "09:40") + 5_000 * MILLISECOND, seconds=20)
        async with Stage(tmp_path, faults=[drop], strategy=RESTING) as lab:
            await lab.until("09:40:08")
            order = lab.order(lab.first().entry_ref)
            assert lab.at_exchange(order.ref)[0] == "SUBMITTED"
            assert (await lab.ask(Kill(by="test"))).ok
            assert _killed(lab)
            assert lab.at_exchange(order.ref)[0] == "SUBMITTED", "nothing can be sent yet"
            await lab.until("09:40:36")
            assert lab.at_exchange(order.ref)[0] == "CANCELLED"
            assert lab.first().state is TradeState.FAILED

    play(work)
    assert_sound(tmp_path)


def test_fault_61_kill_while_the_database_is_locked_works_at_once_and_is_kept(tmp_path: Path) -> None:
    async def work() -> None:
        async with Stage(tmp_path, strategy=RESTING) as lab:
            await lab.until("09:39")
            _, order = await lab.until_sent()
            await lab.step(3)
            other = sqlite3.connect(tmp_path / "lifecycle.db", isolation_level=None)
            other.execute("BEGIN IMMEDIATE")
            await lab.during(lab.rooms.controls.kill("test", "while locked"))
            await lab.step(1)
            assert lab.rooms.controls.controls.kill.on
            assert lab.at_exchange(order.ref)[0] == "CANCELLED"
            other.close()
            await lab.step(8)
            assert _killed(lab)
            assert lab.first().state is TradeState.FAILED

    async def again() -> None:
        async with Stage(tmp_path) as lab:
            await lab.step(2)
            assert _killed(lab), "a restart does not end it"
            refused = await lab.ask(KillRelease("release", by="test"))
            assert (refused.ok, refused.code) == (False, "KILL_CONFIRM")
            assert (await lab.ask(KillRelease("RELEASE", by="test"))).ok
            assert not lab.rooms.controls.controls.kill.on

    play(work)
    play(again)
    assert_sound(tmp_path)


def test_fault_61_kill_is_not_released_while_the_books_disagree(tmp_path: Path) -> None:
    """A position that the books cannot explain throws the switch, and holds it."""

    async def work() -> None:
        async with Stage(tmp_path) as lab:
            await lab.until("09:39")
            trade = await lab.until_holding()
            assert trade.contract is not None
            register = lab.run.exchange.floor.register
            order = register.orders[trade.entry_ref]
            # Another hand's would be told and left alone; this one bears our mark, and no book of ours has it.
            stray = replace(order.ticket, order_ref=order_ref(order.ticket.account, "T2611180099", "E", 1))
            foreign = register.receive(stray, 99, lab.now())
            register.fill(foreign, Decimal(1), 70, lab.now())
            await lab.step(65)
            assert lab.rooms.controls.controls.kill.on
            assert lab.rooms.controls.controls.quarantine_of("SPY")
            work = asyncio.ensure_future(lab.ask(KillRelease("RELEASE", by="test")))
            refused = await lab.during(work)
            assert (refused.ok, refused.code) == (False, "KILL_UNRECONCILED")
            assert _killed(lab)
            (sell,) = lab.exits(lab.trade(trade.id))
            assert lab.at_exchange(sell.ref)[0] == "SUBMITTED", "what is ours stays protected"

    play(work)
