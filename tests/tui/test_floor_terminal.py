"""The floor on a real pseudo-terminal beside a real engine process: it dies cleanly, or not at all."""

from __future__ import annotations

import fcntl
import os
import re
import signal
import struct
import termios
from collections.abc import Callable
from pathlib import Path

import pytest

from station.domain.clock import SECOND
from tests.tui.terminals import F12, PAINTED, Engine, Terminal
from widgets.dialogs import SWALLOW_NS

ROUNDS = 20
LINE_BYTES = 8 * 1024
"""A second of an ordinary session."""


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


@pytest.mark.parametrize(("key", "word"), [(b"b", "TICKET"), (b"/", "Enter takes it"), (b"\x10", "Search")])
def test_with_a_dialog_open_only_what_changes_goes_to_the_terminal(
    terminal: Callable[..., Terminal], key: bytes, word: str
) -> None:
    one = terminal(size=(160, 45))
    one.press(key)
    one.until(lambda text: word in text)

    def second_of_pictures() -> int:
        before, text = len(one.bytes), one.text()
        one.listen(1.0)
        return len(one.bytes) - before if one.text() != text else LINE_BYTES

    assert any(second_of_pictures() < LINE_BYTES for _ in range(ROUNDS))


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


def test_of_three_screens_each_sees_what_the_others_do_and_one_that_looks_on_does_nothing(
    engine: Engine, terminal: Callable[..., Terminal]
) -> None:
    trader, second, observer = terminal(size=(80, 24)), terminal(), terminal(VIGIL_LOOKS_ON="1")
    engine.beat(clients=3)
    before = len(engine.heard())
    for key in (b"X", b"C", F12):
        observer.press(key)
        observer.until(lambda text: "read-only" in text.splitlines()[-2] or "KILL REFUSED" in text)
    assert engine.heard()[before:] == []
    for number, (key, word) in enumerate(((b"r", "gate REDUCING"), (b"o", "gate OPEN")), 1):
        trader.press(b"g")
        trader.until(lambda text: "only what shrinks exposure" in text)
        while engine.heard()[before:].count("Gate") < number:
            trader.press(key)
            trader.read(0.1)
        for one in (trader, second, observer):
            one.until(lambda text, word=word: word in text.splitlines()[0])
    second.press(F12)
    for one in (second, trader, observer):
        one.until(lambda text: "KILL ON by screen" in text)


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
    one.listen(SWALLOW_NS / SECOND)
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
    ("env", "colours", "plain"),
    [
        ({"COLORTERM": "truecolor"}, "true", False),
        ({"TERM": "screen-256color"}, "256", False),
        ({"TERM": "xterm-16color"}, "16", False),
        ({"TERM": "screen"}, "16", False),
        ({"TERM": "linux"}, "16", True),
        ({"TERM": "xterm", "LANG": "C"}, "16", True),
        ({"TERM": "dumb"}, "none", True),
        ({"TERM": "vt100"}, "none", True),
        ({"NO_COLOR": "1", "COLORTERM": "truecolor"}, "none", False),
    ],
    ids=lambda value: "-".join(value.values()) if isinstance(value, dict) else "",
)
def test_poorer_terminals_lose_colour_and_no_words(
    terminal: Callable[..., Terminal], env: dict[str, str], colours: str, plain: bool
) -> None:
    one = terminal(**env)
    one.until(lambda text: "-55.00" in text and "PAPER" in text)
    assert one.text().isascii() is plain
    said = re.findall(rb"\x1b\[([0-9;]*)m", one.bytes)
    long = {found for style in said for found in re.findall(rb"[34]8;[25]", style)}
    codes = {code for style in said for code in style.split(b";")}
    if colours == "none":
        assert codes <= {b"", b"0", b"1", b"2", b"4", b"7"} and b"7" in codes, "badges stand out"
    else:
        expected = {"true": {b"38;2", b"48;2"}, "256": {b"38;5", b"48;5"}, "16": set[bytes]()}[colours]
        assert long == expected
        assert colours != "16" or {b"91", b"92", b"44"} <= codes, "losses, gains, the title in focus"


def quiet(engine: Engine, one: Terminal) -> bool:
    """Whether the screen comes to send nothing any more, for three seconds on end."""
    for _ in range(ROUNDS):
        sent = len(one.bytes)
        for _ in range(6):
            engine.beat()
        while one.read(0.0):
            continue
        if len(one.bytes) == sent:
            return True
    return False


def test_nothing_is_sent_when_nothing_changed(repo_root: Path, tmp_path: Path) -> None:
    engine = Engine(tmp_path / "engine.sock", repo_root, "still")
    engine.beat()
    one = Terminal(engine, repo_root, tmp_path)
    try:
        one.until(lambda text: "heartbeat" in text or "reconciled with the broker" in text)
        assert quiet(engine, one)
        one.press(b"/")
        one.until(lambda text: "Enter takes it" in text)
        assert quiet(engine, one), "nor by a line that waits for words"
    finally:
        one.close()
        engine.stop()
