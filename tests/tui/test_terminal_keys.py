"""What comes down the line: pastes press nothing, hostile bytes leave the keyboard alive."""

from __future__ import annotations

import os
import random
import threading
from collections.abc import Callable, Iterable
from selectors import SelectorKey, SelectSelector
from types import SimpleNamespace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from textual._xterm_parser import XTermParser
from textual.events import Key, Paste
from textual.message import Message

from tests.tui.terminals import F12, Engine, Terminal
from widgets import driver
from widgets.keyboard import BURST_GAP_S, ESCAPE_S, HELD_S, PASTE_LIMIT, PASTE_SILENCE_S, Burst, Keyboard

START, END = b"\x1b[200~", b"\x1b[201~"
DEADLY = (
    b"\x1b[1114112u", b"\x1b[1;;9999999u", b"\x1b[1:2;1u", b"\x1b[:0A", b"\x1b[55296u",
    b"\x1b[48;0;0;0;0t\x1b[<0;1;1M", b"\x1b[48;99999;99999;0;0t", b"\xff\xfe\x80", b"\x00\x1b",
)  # fmt: skip
"""Of each the toolkit's parser dies, or the screen that believes it."""

ANSWERS = (
    b"\x1b[?1;2c", b"\x1b[?64;1;2;6;9;15;16;17;18;21;22;28c", b"\x1b[>0;276;0c", b"\x1bP!|00000000\x1b\\",
    b"\x1bP>|XTerm(370)\x1b\\", b"\x1bP1$r0m\x1b\\", b"\x1bP1+r544e=787465726d\x1b\\", b"\x1b[0n", b"\x1b[?13n",
    b"\x1b[24;80R", b"\x1b[?12;40R", b"\x1b]11;rgb:ffff/cccc/xXxX\x1b\\", b"\x1b]4;1;rgb:cdcd/0000/0000\x07",
    b"\x1b]52;c;WFhYWA==\x07", b"\x1b]lX XX\x1b\\", b"\x1b[?0u", b"\x1b[4;2$y", b"\x1b[8;24;80t",
    b"\x1b[4;480;640t", b"\x1b[2;1;1;112;112;1;0x", b"\x1b[?997;1n", b"\x1b_Gi=1;OK\x1b\\", b"\x1b[I",
    b"\x1b[O", b"\x1b[<0;9;9M", b"\x1b[MXXX", b"\x1b[X", b"\x1bOX",
)  # fmt: skip
"""What terminals say of themselves when somebody has asked, long ago perhaps; the last two are keys of other
terminals than ours."""


class Hand:
    """A keyboard and the time it lives in."""

    def __init__(self) -> None:
        self.now = 100.0
        self.keyboard = Keyboard(lambda: self.now)

    def type(self, *reads: bytes) -> list[Message]:
        return [message for data in reads for message in self.keyboard.feed(data)]

    def wait(self, seconds: float) -> list[Message]:
        self.now += seconds
        return self.keyboard.tick()


def keys(messages: Iterable[Message]) -> list[str]:
    """The names of the keys pressed, those of bursts among them."""
    found: list[str] = []
    for one in messages:
        found += keys(one.keys) if isinstance(one, Burst) else [one.key] if isinstance(one, Key) else []
    return found


def pastes(messages: Iterable[Message]) -> list[str]:
    return [one.text for one in messages if isinstance(one, Paste)]


# --- the stream ----------------------------------------------------------------------------------------


@given(st.lists(st.binary(max_size=40) | st.sampled_from((*DEADLY, START, END)), max_size=12))
@example([START, b"\x1b", F12])
def test_the_kill_key_is_heard_after_whatever_came_before(noise: list[bytes]) -> None:
    hand = Hand()
    hand.type(*(data for data in noise if data))
    assert "f12" in keys(hand.type(F12, F12))


@pytest.mark.parametrize("fault", [KeyError("x"), IndexError(), TypeError(), AttributeError()], ids=repr)
def test_the_kill_key_is_heard_whatever_the_toolkit_dies_of(
    monkeypatch: pytest.MonkeyPatch, fault: Exception
) -> None:
    hand, feed = Hand(), XTermParser.feed

    def dies_once(self: XTermParser, data: str) -> Iterable[Message]:
        monkeypatch.setattr(XTermParser, "feed", feed)
        raise fault

    monkeypatch.setattr(XTermParser, "feed", dies_once)
    assert keys(hand.type(b"X", F12)) == ["f12"]


@given(st.text(st.characters(exclude_characters="\x1b\x00", codec="utf-8")), st.lists(st.integers(1, 9)))
def test_a_paste_is_one_text_however_it_is_cut(text: str, cuts: list[int]) -> None:
    hand, stream = Hand(), START + text.encode() + END + b"q"
    found: list[Message] = []
    for length in (*cuts, len(stream)):
        found += hand.type(stream[:length]) if stream else []
        stream = stream[length:]
    assert pastes(found) == [text] and keys(found) == ["q"]


def test_what_looks_like_keys_in_a_paste_is_text() -> None:
    inside = b"\x1bX" + b"X" * 40 + b"\x1b\x1bX" + F12 + b"\x1b[1114112u"
    found = Hand().type(START + inside + END)
    assert keys(found) == [] and pastes(found) == [inside.decode()]


def test_a_paste_that_lost_its_end_is_over_after_a_silence_or_with_a_key() -> None:
    for lost in (b"", b"text", b"text\x1b[20"):
        hand = Hand()
        assert hand.type(START + lost) == [] and hand.wait(PASTE_SILENCE_S / 2) == []
        assert pastes(hand.wait(PASTE_SILENCE_S)) == [lost.decode()]
        assert keys(hand.type(b"q")) == ["q"]
        hand.type(START + lost)
        found = hand.type(F12)
        assert keys(found) == ["f12"] and pastes(found) == [lost.decode()]


@pytest.mark.parametrize("reads", [[F12 + F12], [F12[:3], F12[3:] + F12], [F12[:2], F12[2:], F12]])
def test_both_steps_of_the_kill_are_heard_in_a_paste_that_lost_its_end(reads: list[bytes]) -> None:
    hand = Hand()
    hand.type(START + b"text")
    found = hand.type(*reads)
    assert keys(found) == ["f12", "f12"] and pastes(found) == ["text"]


def test_of_an_endless_paste_little_is_kept() -> None:
    hand = Hand()
    for _ in range(100):
        assert hand.type(b"x" * 4096 if hand.now > 100 else START) == []
        hand.now += 0.01
    (text,) = pastes(hand.type(b"x" + END))
    assert len(text) == PASTE_LIMIT


def test_a_letter_cut_in_two_is_one_letter() -> None:
    euro = "\u20ac".encode()
    assert keys(Hand().type(euro[:1], euro[1:])) == ["euro_sign"]


@pytest.mark.parametrize("at", range(1, len(F12)))
def test_the_kill_key_is_heard_however_the_line_tears_it(at: int) -> None:
    hand = Hand()
    hand.type(F12[:at])
    hand.wait(0.5)
    assert keys(hand.type(F12[at:])) == ["f12"]
    assert keys(hand.type(b"[")) == ["left_square_bracket"]
    hand.type(b"\x1b")
    assert keys(hand.wait(ESCAPE_S * 2)) == ["escape"] and keys(hand.type(b"O")) == ["O"]


@pytest.mark.parametrize(("sent", "key"), [(F12, "f12"), (b"\x1b[F", "end"), (b"\x1b[H", "home")])
def test_a_key_that_comes_byte_by_byte_is_that_key_and_none_of_its_letters(sent: bytes, key: str) -> None:
    """The last letter of End alone would close every position."""
    for begun in (1, 2):
        hand = Hand()
        found = hand.type(sent[:begun])
        for at in range(begun, len(sent)):
            found += hand.wait(0.4) + hand.type(sent[at : at + 1])
        assert [name for name in keys(found) if name != "escape"] == [key]


@pytest.mark.parametrize("answer", ANSWERS)
def test_what_a_terminal_answers_presses_no_letter_however_it_is_torn(answer: bytes) -> None:
    for at in range(1, len(answer) + 1):
        for gap in (0.0, 0.15, 0.9):
            hand = Hand()
            found = hand.type(answer[:at]) + hand.wait(gap) + (hand.type(answer[at:]) if answer[at:] else [])
            assert set(keys(found)) <= ({"escape"} if at == 1 else set())
            hand.now += BURST_GAP_S
            assert keys(hand.type(b"q")) == ["q"], "the next key is heard at once"


@pytest.mark.parametrize("answer", ANSWERS)
def test_an_answer_that_never_ends_takes_no_key_with_it_for_long(answer: bytes) -> None:
    for at in range(2, len(answer)):
        hand = Hand()
        hand.type(answer[:at])
        assert keys(hand.type(F12)) == ["f12"]
        hand.type(answer[:at])
        assert not {"X", "c", "n"} & set(keys(hand.wait(HELD_S)))
        assert keys(hand.type(b"q")) == ["q"]


def test_a_letter_with_alt_is_heard_at_once_and_its_string_is_no_typing() -> None:
    assert keys(Hand().type(b"\x1bx")) == ["alt+x"]
    assert isinstance(Hand().type(b"\x1b^XX\x1b\\")[0], Burst)


def test_letters_at_once_are_a_burst_and_so_is_what_follows_closely() -> None:
    hand = Hand()
    assert keys(found := hand.type(b"h3")) == ["h", "3"] and not isinstance(found[0], Burst)
    assert not isinstance(hand.type(b"jjjjjjjj")[0], Burst), "a key that is leant on"
    (first,) = hand.type(b"SPX")
    assert isinstance(first, Burst) and not first.rest and first.letters == 3
    hand.now += BURST_GAP_S / 2
    (second,) = hand.type(b"X")
    assert isinstance(second, Burst) and second.rest
    hand.now += BURST_GAP_S * 2
    assert keys(found := hand.type(b"X")) == ["X"] and not isinstance(found[0], Burst)


def test_escape_is_heard_once_nothing_has_followed_it_for_so_long(monkeypatch: pytest.MonkeyPatch) -> None:
    now, (down, up) = [0.0], os.pipe()

    class Waits(SelectSelector):
        """Time passes while nothing comes, and only then."""

        def select(self, timeout: float | None = None) -> list[tuple[SelectorKey, int]]:
            found = super().select(0)
            now[0] += 0.0 if found else timeout or 0.0
            return found

    monkeypatch.setattr(driver, "SelectSelector", Waits)
    one, heard = object.__new__(driver.TerminalDriver), list[tuple[Message, float]]()
    one.fileno, one.exit_event = down, threading.Event()
    one._loop = SimpleNamespace(time=lambda: now[0])  # type: ignore[assignment]

    def take(message: Message) -> None:
        heard.append((message, now[0]))
        one.exit_event.set()

    one.process_message = take  # type: ignore[method-assign]
    os.write(up, b"\x1b")
    one.run_input_thread()
    os.close(up)
    os.close(down)
    ((escape, at_s),) = heard
    assert keys([escape]) == ["escape"] and at_s == ESCAPE_S


# --- the floor -----------------------------------------------------------------------------------------


def said(one: Terminal, word: str) -> None:
    one.until(lambda text: word in text)


@pytest.mark.parametrize(
    "paste", [START + b"SPX XxcC\r" * 12_000 + END, START + b"\x1b" + b"X" * 99 + END], ids=["long", "escaped"]
)
def test_a_paste_on_the_floor_presses_no_key(
    engine: Engine, terminal: Callable[..., Terminal], paste: bytes
) -> None:
    one, before = terminal(), len(engine.heard())
    one.send(paste)
    said(one, "nothing here takes text")
    one.press(b"a")
    said(one, "\u25b8a Alerts")
    assert engine.heard()[before:] == []


@pytest.mark.parametrize(
    "paste", [b"SPX", b"xxyXc\r", b"6900C 0dte @ mid\r" * 6_000], ids=["word", "short", "long"]
)
def test_without_bracketed_paste_letters_that_come_at_once_trade_nothing(
    engine: Engine, terminal: Callable[..., Terminal], paste: bytes
) -> None:
    one, before = terminal(TERM="linux"), len(engine.heard())
    one.send(paste)
    said(one, "as a paste does")
    assert engine.heard()[before:] == []
    while "positions closing at market" not in one.text():
        one.press(b"X")
        one.listen(0.5)
    assert set(engine.heard()[before:]) == {"Flatten"}, "pressed by itself it does what it says"


def test_a_line_takes_what_comes_at_once_and_its_enter(terminal: Callable[..., Terminal]) -> None:
    one = terminal()
    one.press(b"/")
    said(one, "Enter takes it")
    while "#" not in one.text():
        one.press(b"#")
        one.read(0.1)
    one.send(b"\x15" + b"nosuchsymbol" * 4 + b"\rES\r")
    said(one, "'nosuchsymbolnosuchsymbol")
    assert "Enter takes it" in one.text(), "of several lines the first"


def test_hostile_bytes_leave_the_keyboard_alive(engine: Engine, terminal: Callable[..., Terminal]) -> None:
    one, dice = terminal(SSH_CONNECTION="10.0.0.1 5 10.0.0.2 22"), random.Random(5)
    noise = bytearray()
    for _ in range(100):
        noise += dice.choice(DEADLY) + dice.choice(ANSWERS)
        noise += bytes((27, 91, *(dice.choice(b"0123456789;:<?MmAIOuR~") for _ in range(dice.randrange(12)))))
        noise += b"\x1b[<0;5;5M\x1b[<0;5;5m\x1b[O\x1b[I\x1b[?2048;2$y\x1b[?2026;2$y"
    one.send(bytes(noise))
    one.send(F12)
    said(one, "KILL ON by screen")
    assert one.process.poll() is None
    engine.beat(clients=1)
