"""The floor on a real pseudo-terminal beside a real engine process: it dies cleanly, or not at all."""

from __future__ import annotations

import errno
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Callable, Iterator
from pathlib import Path

import pyte
import pytest

DEADLINE_S = 20.0
PAINTED = ("gate OPEN", "SPXW 5940C 0DTE", "SPY 591P 0DTE", "rapid shield", "F12 KILL")
F12 = b"\x1b[24~"
FOLDER = Path(__file__).resolve().parent


def environment(root: Path, **more: str) -> dict[str, str]:
    kept = {
        key: value
        for key, value in os.environ.items()
        if key not in ("NO_COLOR", "COLORTERM", "COLUMNS", "LINES")
    }
    return {**kept, "PYTHONPATH": str(root), "TERM": "xterm-256color", "PYTHONUTF8": "1", **more}


class Engine:
    """The synthetic engine as a process; it says once a second that it lives."""

    def __init__(self, path: Path, root: Path, scene: str) -> None:
        self.path = path
        self.process = subprocess.Popen(
            [sys.executable, str(FOLDER / "synthetic.py"), str(path), scene],
            env=environment(root), stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    def beat(self, clients: int | None = None) -> int:
        """The next beat's number (with so many clients, if asked); fails when the engine is gone."""
        assert self.process.stdout is not None
        for _ in range(30):
            line = self.process.stdout.readline()
            assert line, "the engine died"
            found = re.match(r"beat (\d+) late_ms \S+ clients (\d+)", line)
            assert found, line
            if clients is None or int(found.group(2)) == clients:
                return int(found.group(1))
        raise AssertionError(f"never {clients} clients")

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()


class Terminal:
    """A screen process on a pseudo-terminal, and an emulator that reads it only when asked."""

    def __init__(self, engine: Engine, root: Path, tmp: Path, *, size: tuple[int, int] = (120, 40),
                 controlling: bool = True, **env: str) -> None:  # fmt: skip
        self.result = tmp / "result"
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", size[1], size[0], 0, 0))
        self.screen = pyte.Screen(*size)
        self._stream = pyte.ByteStream(self.screen)
        self.bytes = b""

        def adopt() -> None:
            if controlling:
                fcntl.ioctl(0, termios.TIOCSCTTY, 0)

        self.process = subprocess.Popen(
            [sys.executable, str(FOLDER / "screen.py"), str(engine.path), str(self.result)],
            env=environment(root, **env), stdin=slave, stdout=slave, stderr=slave,
            start_new_session=True, preexec_fn=adopt,
        )  # fmt: skip
        os.close(slave)

    def text(self) -> str:
        return "\n".join(self.screen.display)

    def read(self, wait_s: float) -> bool:
        """Take what there is within `wait_s`; False when nothing came."""
        if not select.select([self.master], [], [], wait_s)[0]:
            return False
        try:
            data = os.read(self.master, 65536)
        except OSError as fault:
            assert fault.errno == errno.EIO
            return False
        self.bytes += data
        self._stream.feed(re.sub(rb"\x1b\[[<>=?][0-9;]*u", b"", data))
        return bool(data)

    def until(self, what: Callable[[str], bool]) -> None:
        for _ in range(500):
            if what(self.text()):
                return
            assert self.read(DEADLINE_S), f"it never came to be:\n{self.text()}"
        raise AssertionError(f"it never came to be:\n{self.text()}")

    def press(self, keys: bytes) -> None:
        os.write(self.master, keys)

    def ended(self, *, reading: bool = True) -> str:
        """Wait for the process; the reason it gave."""
        if reading:
            while self.read(DEADLINE_S):
                continue
        self.process.wait(DEADLINE_S)
        assert self.process.returncode == 0
        return self.result.read_text(encoding="utf-8")

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        if self.master >= 0:
            os.close(self.master)
            self.master = -1


@pytest.fixture(scope="module")
def engine(repo_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    one = Engine(tmp_path_factory.mktemp("engine") / "engine.sock", repo_root, "calm")
    one.beat()
    yield one
    one.stop()


@pytest.fixture
def terminal(engine: Engine, repo_root: Path, tmp_path: Path) -> Iterator[Callable[..., Terminal]]:
    opened: list[Terminal] = []

    def make(**options: object) -> Terminal:
        opened.append(Terminal(engine, repo_root, tmp_path, **options))  # pyright: ignore[reportArgumentType]
        opened[-1].until(lambda text: all(word in text for word in PAINTED))
        return opened[-1]

    yield make
    for one in opened:
        one.close()


def test_it_paints_takes_keys_however_fast_and_leaves_the_terminal_as_it_was(
    engine: Engine, terminal: Callable[..., Terminal]
) -> None:
    one = terminal()
    assert "PAPER" in one.text() and "SPXW 5940C 0DTE" in one.text()
    status = Path(f"/proc/{one.process.pid}/status").read_text()
    resident_kib = int(re.search(r"VmRSS:\s+(\d+) kB", status).group(1))  # type: ignore[union-attr]
    assert resident_kib < 120 * 1024
    mapped = Path(f"/proc/{one.process.pid}/maps").read_text()
    assert "numpy" not in mapped and "pandas" not in mapped
    for number in (signal.SIGTSTP, signal.SIGCONT):
        one.process.send_signal(number)
    one.press(b"/")
    one.until(lambda text: "Enter takes it" in text)
    while "#" not in one.text():
        one.press(b"#")
        one.read(0.1)
    one.press(b"\x15nosuch\x7f\x7fone\r")
    one.until(lambda text: "'nosuone' is not watched" in text)
    one.press(b"\x1b")
    one.until(lambda text: "Enter takes it" not in text)
    one.press(b"q")
    one.until(lambda text: "detach: the engine goes on" in text)
    one.process.send_signal(signal.SIGTERM)
    assert one.ended() == "terminated"
    assert b"\x1b[?1049l" in one.bytes and b"\x1b[?25h" in one.bytes
    engine.beat(clients=0)


def test_a_resize_rearranges_the_panes(terminal: Callable[..., Terminal]) -> None:
    one = terminal()
    assert "f Scanner feed" in one.text()
    one.screen.resize(24, 80)
    fcntl.ioctl(one.master, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    one.until(lambda text: "Scanner feed" not in text and all(word in text for word in PAINTED))


def test_the_kill_key_reaches_the_engine_and_comes_back_in_words(terminal: Callable[..., Terminal]) -> None:
    one = terminal(size=(80, 24))
    one.press(F12)
    one.until(lambda text: "KILL ON by screen" in text and "3 orders cancelled" in text)


def test_a_hangup_ends_the_screen_and_not_the_engine(engine: Engine, terminal: Callable[..., Terminal]) -> None:
    one = terminal()
    one.process.send_signal(signal.SIGHUP)
    assert one.ended() == "terminal lost"
    engine.beat(clients=0)


@pytest.mark.parametrize("controlling", [True, False])
def test_a_terminal_that_vanishes_ends_the_screen_without_spinning(
    engine: Engine, terminal: Callable[..., Terminal], controlling: bool
) -> None:
    one = terminal(controlling=controlling)
    os.close(one.master)
    one.master = -1
    assert one.ended(reading=False) == "terminal lost"
    engine.beat(clients=0)


def test_a_terminal_that_stops_reading_blocks_nobody(engine: Engine, terminal: Callable[..., Terminal]) -> None:
    one = terminal()
    for _ in range(3):
        one.press(b"atpf")
        engine.beat(clients=1)
    one.press(b"?")
    engine.beat(clients=1)
    assert one.process.poll() is None
    one.until(lambda text: "Close every position at market" in text)
    one.press(b"\x1b")
    one.until(lambda text: "Close every position at market" not in text and "P&L $" in text)


def test_a_stalled_terminal_does_not_keep_the_screen_from_ending(
    engine: Engine, terminal: Callable[..., Terminal]
) -> None:
    one = terminal(size=(200, 50))
    for _ in range(2):
        one.press(b"atpf?\x1b")
        engine.beat(clients=1)
    one.process.send_signal(signal.SIGTERM)
    assert one.ended(reading=False) == "terminated"
    engine.beat(clients=0)


@pytest.mark.parametrize(
    "env", [{"TERM": "xterm-16color"}, {"NO_COLOR": "1"}, {"TERM": "linux", "VIGIL_ASCII": "1"}]
)
def test_poorer_terminals_lose_colour_and_no_words(
    terminal: Callable[..., Terminal], env: dict[str, str]
) -> None:
    one = terminal(**env)
    assert "-55.00" in one.text()
    assert b"38;2;" not in one.bytes
    if "NO_COLOR" in env:
        styles = {
            number for style in re.findall(rb"\x1b\[([0-9;]*)m", one.bytes) for number in style.split(b";")
        }
        assert styles <= {b"", b"0", b"1", b"2", b"4", b"7"}
    elif env.get("TERM") == "xterm-16color":
        assert b"38;5;" not in one.bytes
    else:
        assert one.text().isascii()


def test_nothing_is_sent_when_nothing_changed(repo_root: Path, tmp_path: Path) -> None:
    engine = Engine(tmp_path / "engine.sock", repo_root, "still")
    engine.beat()
    one = Terminal(engine, repo_root, tmp_path)
    try:
        one.until(lambda text: "heartbeat" in text or "reconciled with the broker" in text)
        while one.read(0.6):
            continue
        quiet = len(one.bytes)
        engine.beat()
        engine.beat()
        one.read(0.0)
        assert len(one.bytes) == quiet
    finally:
        one.close()
        engine.stop()
