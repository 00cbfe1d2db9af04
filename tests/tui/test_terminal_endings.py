"""However the screen ends, its terminal is left as a shell wants it, and the engine does not notice."""

from __future__ import annotations

import asyncio
import os
import pty
import select
import signal
import termios
import tty
from collections.abc import Callable

import pytest

from tests.tui.terminals import PATIENCE_S, Engine, Terminal
from widgets.outlet import LIMIT, Outlet

CTRL_T = b"\x14"


@pytest.mark.parametrize(
    ("number", "reason"),
    [(signal.SIGTERM, "terminated"), (signal.SIGINT, "terminated"), (signal.SIGHUP, "terminal lost")],
)
def test_a_signal_leaves_the_terminal_clean(
    engine: Engine, terminal: Callable[..., Terminal], number: signal.Signals, reason: str
) -> None:
    one = terminal()
    one.process.send_signal(number)
    assert one.ended() == reason
    one.assert_clean()
    engine.beat(clients=0)


def test_leaving_by_key_leaves_the_terminal_clean(engine: Engine, terminal: Callable[..., Terminal]) -> None:
    one = terminal(SSH_CONNECTION="10.0.0.1 5 10.0.0.2 22")
    one.press(b"q")
    one.until(lambda text: "detach: the engine goes on" in text)
    while one.process.poll() is None:
        one.press(b"d")
        one.read(0.1)
    assert one.ended() == "detach"
    one.assert_clean()
    engine.beat(clients=0)


def test_a_fault_of_the_screen_is_one_line_on_a_clean_terminal(
    engine: Engine, terminal: Callable[..., Terminal]
) -> None:
    one = terminal(VIGIL_BROKEN="1")
    one.press(CTRL_T)
    assert one.ended() == "failed"
    one.assert_clean()
    after = one.bytes.rpartition(b"\x1b[?1049l")[2].decode()
    assert "the screen failed: RuntimeError: nothing follows dark (/" in after
    assert "the engine goes on, and `python app.py` attaches again" in after
    assert "Traceback" not in after and "locals" not in after
    engine.beat(clients=0)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_terminal_that_reads_again_when_all_is_over_is_clean(
    engine: Engine, terminal: Callable[..., Terminal], number: signal.Signals
) -> None:
    one = terminal(size=(200, 50))
    for _ in range(2):
        one.press(CTRL_T * 12)
        engine.beat(clients=1)
    one.process.send_signal(number)
    one.process.wait(PATIENCE_S)
    while one.read(0.1):
        continue
    one.assert_clean()
    engine.beat(clients=0)


def test_what_is_typed_while_the_screen_leaves_tears_nothing_that_it_still_says(
    engine: Engine, terminal: Callable[..., Terminal]
) -> None:
    one = terminal(size=(200, 50))
    one.press(CTRL_T * 12)
    engine.beat(clients=1)
    one.process.send_signal(signal.SIGTERM)
    while one.process.poll() is None:
        one.press(b"\x05")
        one.read(0.01)
    assert one.ended() == "terminated"
    one.assert_clean()
    assert b"^E" not in one.bytes.rpartition(b"\x1b[?1004l")[0], "echoed before the screen had done"


def test_a_screen_that_is_killed_outright_leaves_the_terminal_clean(
    engine: Engine, terminal: Callable[..., Terminal]
) -> None:
    one = terminal()
    one.process.kill()
    one.process.wait(PATIENCE_S)
    while one.read(PATIENCE_S):
        continue
    one.assert_clean()
    engine.beat(clients=0)


def test_after_a_stop_that_nobody_may_refuse_the_screen_takes_its_terminal_back(
    engine: Engine, terminal: Callable[..., Terminal]
) -> None:
    one = terminal()
    raw = termios.tcgetattr(one.master)
    one.process.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, one.process.pid, os.WSTOPPED | os.WNOWAIT)
    termios.tcsetattr(one.master, termios.TCSANOW, one.before)
    while one.read(0.1):
        continue
    one.screen.reset()
    one.process.send_signal(signal.SIGCONT)
    one.painted()
    assert termios.tcgetattr(one.master) == raw
    one.press(b"a")
    one.until(lambda text: "▸a Alerts" in text)
    one.process.send_signal(signal.SIGTERM)
    assert one.ended() == "terminated"
    one.assert_clean()
    engine.beat(clients=0)


async def test_a_terminal_far_behind_at_the_end_is_painted_no_more_and_left_clean() -> None:
    master, slave = pty.openpty()
    tty.setraw(slave)
    painted: list[str] = []
    outlet = Outlet(slave, asyncio.get_running_loop(), lambda: painted.append("afresh"), lambda: None)
    size = 2 * LIMIT
    outlet.write("x" * size)
    outlet.write("a frame")
    assert outlet.dropped == 1

    def read_on() -> bytes:
        read = b""
        while len(read) < size + len("farewell") and select.select([master], [], [], PATIENCE_S)[0]:
            read += os.read(master, 65536)
        return read

    reader = asyncio.get_running_loop().run_in_executor(None, read_on)
    outlet.close("farewell")
    assert painted == []
    assert (await reader)[size:] == b"farewell"
    os.close(slave)
    os.close(master)
