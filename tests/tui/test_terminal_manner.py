"""The screen over a real pseudo-terminal, as SSH and tmux treat it: storms, stops, slow links, detaching."""

from __future__ import annotations

import base64
import contextlib
import fcntl
import os
import re
import shutil
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.tui.terminals import F12, FOLDER, PAINTED, PATIENCE_S, Engine, Terminal, environment

STORM = (
    (80, 24), (1, 1), (200, 50), (40, 10), (500, 200), (120, 40), (10, 2), (161, 47), (20, 5), (1, 200),
)  # fmt: skip
LOOKS, ROUNDS = 240, 10
"""So often is looked before what never comes is failed; nothing asserts a time."""


def resized(one: Terminal, width: int, height: int) -> None:
    one.screen.resize(height, width)
    fcntl.ioctl(one.master, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))


def test_a_storm_of_resizes_ends_in_the_last_size(engine: Engine, terminal: Callable[..., Terminal]) -> None:
    one = terminal()
    for turn in range(200):
        fcntl.ioctl(one.master, termios.TIOCSWINSZ, struct.pack("HHHH", *STORM[turn % len(STORM)][::-1], 0, 0))
        one.read(0.005)
    resized(one, 120, 40)
    one.press(b"a")
    one.until(lambda text: all(word in text for word in (*PAINTED, "▸a Alerts", "Scanner feed")))
    assert one.process.poll() is None
    engine.beat(clients=1)


@pytest.mark.parametrize("size", [(1, 1), (10, 2), (500, 200), (0, 0)])
def test_a_terminal_of_any_size_can_be_sat_at(
    engine: Engine, terminal: Callable[..., Terminal], size: tuple[int, int]
) -> None:
    one = terminal()
    one.press(b"J")
    one.until(lambda text: "Story  T0004" in text)
    fcntl.ioctl(one.master, termios.TIOCSWINSZ, struct.pack("HHHH", *size[::-1], 0, 0))
    before = len(engine.heard())
    one.press(F12)
    while engine.heard()[before:] != ["Kill"]:
        one.read(0.1)
    resized(one, 120, 40)
    one.until(lambda text: "KILL ON by screen" in text and "Game film  T0004" in text)


def test_a_stop_and_a_continue_change_nothing(engine: Engine, terminal: Callable[..., Terminal]) -> None:
    one = terminal()
    for number in (signal.SIGTSTP, signal.SIGCONT, signal.SIGCONT, signal.SIGTSTP):
        one.process.send_signal(number)
    one.press(b"\x1a")
    one.press(b"a")
    one.until(lambda text: "▸a Alerts" in text)
    state = re.search(r"State:\s+(\S)", Path(f"/proc/{one.process.pid}/status").read_text())
    assert state is not None and state.group(1) in "SRD"
    engine.beat(clients=1)


def test_frames_that_back_up_make_the_link_a_slow_one(
    engine: Engine, terminal: Callable[..., Terminal]
) -> None:
    one = terminal(size=(200, 50))
    for _ in range(ROUNDS):
        for _ in range(8):
            # A pane alone and back: whole pictures, and nobody reads them.
            one.press(b"z" * 6)
            engine.beat(clients=1)
        for _ in range(400):
            if "SLOW LINK" in one.text():
                return
            one.read(0.05)
    raise AssertionError(f"never a slow link:\n{one.text()}")


@pytest.mark.parametrize(("env", "mouse"), [({}, True), ({"SSH_TTY": "/dev/pts/9"}, False)])
def test_the_mouse_is_not_taken_over_ssh(
    terminal: Callable[..., Terminal], env: dict[str, str], mouse: bool
) -> None:
    assert (b"\x1b[?1000h" in terminal(**env).bytes) is mouse


def marked(one: Terminal) -> list[int]:
    """The rows that a dialog's mark stands in."""
    return [place for place, line in enumerate(one.screen.display) if "│  ▸ " in line]


def test_the_mouse_can_be_taken_and_left_at_once_and_is_remembered(
    terminal: Callable[..., Terminal], tmp_path: Path
) -> None:
    (tmp_path / "screen.json").write_text('{"greeted": true, "mouse": "off"}')
    one = terminal(VIGIL_KEPT=str(tmp_path))
    assert b"\x1b[?1000h" not in one.bytes
    one.press(b"O")
    one.until(lambda text: "mouse; auto" in text)
    while "▸ mouse" not in one.text():
        before = marked(one)
        wanted = [place for place, line in enumerate(one.screen.display) if "mouse; auto" in line]
        one.press(b"j" if before <= wanted else b"k")
        for _ in range(20):
            if marked(one) != before:
                break
            one.read(0.2)
    for said, sent in (("auto", b"\x1b[?1003h"), ("on ", b""), ("off", b"\x1b[?1003l")):
        before = len(one.bytes)
        one.press(b" ")
        row = re.compile(rf"mouse; auto: not over SSH\s+{said}")
        one.until(lambda text, row=row: row.search(text) is not None)
        one.until(lambda _, sent=sent, before=before: sent in one.bytes[before:])


def test_copying_reaches_the_terminals_clipboard(terminal: Callable[..., Terminal]) -> None:
    one = terminal()
    one.press(b"\x19")
    one.until(lambda text: "to the terminal's clipboard" in text)
    coded = re.search(rb"\x1b\]52;c;([A-Za-z0-9+/=]+)\x07", one.bytes)
    assert coded is not None and "SPXW 5940C 0DTE" in base64.b64decode(coded.group(1)).decode()


def bells(one: Terminal) -> int:
    """How often it rang; the end of a title is no ring."""
    return re.sub(rb"\x1b\][^\a]*\a", b"", one.bytes).count(b"\a")


def test_an_engine_that_goes_is_heard_at_the_terminal(repo_root: Path, tmp_path: Path) -> None:
    engine = Engine(tmp_path / "engine.sock", repo_root, "still")
    engine.beat()
    one = Terminal(engine, repo_root, tmp_path)
    try:
        one.painted()
        engine.stop()
        one.until(lambda text: "LINK LOST" in text and bells(one) > 0)
        assert bells(one) == 1
    finally:
        one.close()
        engine.stop()


def test_themes_reach_the_terminal_in_every_number_of_colours(terminal: Callable[..., Terminal]) -> None:
    one = terminal(COLORTERM="truecolor")
    before = len(one.bytes)
    one.press(b"\x14")
    one.until(lambda text: "theme light" in text)
    assert b"48;2;251;251;248" in one.bytes[before:]
    assert all(word in one.text() for word in PAINTED)


@pytest.mark.parametrize("env", [{"TERM": "linux", "VIGIL_ASCII": "1"}, {"NO_COLOR": "1"}])
def test_every_screen_keeps_its_words_on_a_poorer_terminal(
    terminal: Callable[..., Terminal], env: dict[str, str]
) -> None:
    one = terminal(**env)
    before = len(one.bytes)
    for key, told in (
        (b"J", "Story  T0004"), (b"Y", "profit factor"), (b"H", "Series of SPX"), (b"L", "following"),
        (b"T", "position snapshots"),
    ):  # fmt: skip
        one.press(key)
        one.until(lambda text, told=told: told in text)
        if "VIGIL_ASCII" in env:
            assert one.text().isascii(), [letter for letter in one.text() if not letter.isascii()]
            assert "?" not in one.text().replace("? help", "")
        else:
            codes = {
                code
                for style in re.findall(rb"\x1b\[([0-9;]*)m", one.bytes[before:])
                for code in style.split(b";")
            }
            assert codes <= {b"", b"0", b"1", b"2", b"4", b"7"}


@pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed")
def test_detaching_tmux_and_attaching_again_finds_the_screen_at_work(
    engine: Engine, repo_root: Path, tmp_path: Path
) -> None:
    name = f"vigil-{os.getpid()}"
    words = [sys.executable, str(FOLDER / "screen.py"), str(engine.path), str(tmp_path / "result")]

    def tmux(*arguments: str) -> str:
        return subprocess.run(
            ["tmux", "-f", "/dev/null", "-L", name, *arguments], env=environment(repo_root),
            capture_output=True, text=True, check=True,
        ).stdout  # fmt: skip

    def until(*said: str) -> None:
        for _ in range(LOOKS):
            shown = tmux("capture-pane", "-p", "-t", "v")
            if all(word in shown for word in said):
                return
            engine.beat()
        raise AssertionError(f"it never showed {said}:\n{shown}")

    tmux("new-session", "-d", "-s", "v", "-x", "120", "-y", "40", " ".join(words))
    try:
        until(*PAINTED)
        for size in ((100, 30), (120, 40)):
            client, slave = os.openpty()
            fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", size[1], size[0], 0, 0))
            process = subprocess.Popen(
                ["tmux", "-f", "/dev/null", "-L", name, "attach", "-t", "v"],
                stdin=slave, stdout=slave, stderr=slave, env=environment(repo_root), start_new_session=True,
            )  # fmt: skip
            os.close(slave)
            while not tmux("list-clients", "-t", "v").strip():
                os.read(client, 65536)
            tmux("detach-client", "-s", "v")
            with contextlib.suppress(OSError):
                while os.read(client, 65536):
                    continue
            assert process.wait(PATIENCE_S) == 0
            os.close(client)
            engine.beat(clients=1)
        tmux("send-keys", "-t", "v", "a")
        until("▸a Alerts")
        tmux("send-keys", "-t", "v", "p")
        tmux("send-keys", "-t", "v", "C-y")
        for _ in range(LOOKS):
            if tmux("list-buffers"):
                break
            engine.beat()
        assert "SPXW 5940C 0DTE" in tmux("show-buffer")
    finally:
        tmux("kill-server")
