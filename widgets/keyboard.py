"""What a terminal sends, as messages: whatever it is, the keyboard stays alive and a paste presses no key.

The toolkit's parser dies of some sequences (a code point that is none, a size of nothing), waits for ever for
the end of a paste that lost it, and reissues what it does not understand as keys: a terminal's late answer to
who it is ends in the letter that cancels. Here pastes are cut out before it, it is given whole sequences alone,
and what it dies of or cannot read presses nothing.
"""

from __future__ import annotations

import re
from codecs import getincrementaldecoder
from collections.abc import Callable, Iterator, Sequence
from typing import Final, TypeGuard

from textual._xterm_parser import XTermParser
from textual.events import Key, Paste, Resize
from textual.message import Message
from textual.messages import InBandWindowResize

PASTE_LIMIT: Final = 128 * 1024
"""Of a longer paste the rest is forgotten: no line here takes as much."""
PASTE_SILENCE_S: Final = 2.0
"""A paste whose end has not come for so long has lost it."""
ESCAPE_S: Final = 0.1
"""An escape after which nothing comes for so long is the key of that name."""
TORN_S: Final = 1.0
"""What begins as the rest of a key so soon after is that rest: a bad line has torn it from its escape."""
HELD_S: Final = 2.0
"""What has begun as a key's sequence waits so long for its rest: its last letter alone is another key."""
BURST: Final = 3
"""So many letters in one read are typed by no hand, unless it leans on one key."""
BURST_GAP_S: Final = 0.3
"""Letters that follow a burst within this are its rest, cut off by the line."""

_START: Final = "\x1b[200~"
_END: Final = "\x1b[201~"
_OVERLAP: Final = len(_END) - 1
_KEYS: Final = re.compile(r"(\x1b(\[[0-9;]*[A-Z~u]|O[A-Z]))*(\x1b(\[[0-9;]*|O)?)?")
"""Keys and nothing else, the last perhaps not whole."""
_REST: Final = re.compile(
    r"\[[0-9:;<-?$]*([A-Z~u]|$)|\[[0-9:;<-?$]+[@-~]|O[A-Z]|\](\d|[lL].)|P[0-9;]*[>!$+]|_G"
)
_WHOLE: Final = re.compile(r"\x1b(\[(\[.|M...|(?![\[M])[ -?]*[@-~])|O[0-9;]*[@-~]|[^\[O])", re.DOTALL)
_BEGUN: Final = re.compile(r"\x1b(\[(\[|M.{0,2}|[ -?]*)|O[0-9;]*|\]\d{0,4}|P[0-9;]*|_)?", re.DOTALL)
_ANSWER: Final = re.compile(r"\x1b(\](\d{1,4};|[lL])|P[0-9;]*[>!$+]|_G)")
"""How the strings begin that a terminal answers with, of any length to a bell or an escape."""
_LONGEST: Final = 32
"""Of a longer sequence the parser takes the rest for keys: none is a key."""
_HOLDS: Final = 256
_WITH_ALT: Final = 2
_PIECES: Final = re.compile(r"(?=\x1b)")


class Burst(Message, bubble=False):
    """Keys that came at once. `rest` says that they go on with a burst just before."""

    def __init__(self, keys: Sequence[Message], *, rest: bool) -> None:
        super().__init__()
        self.keys = keys
        self.rest = rest

    @property
    def letters(self) -> int:
        """How many of them would be text in a line."""
        return sum(is_letter(key) for key in self.keys)


class Keyboard:
    """Feed it what was read, tick it where nothing was. `now` tells seconds."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._decode = getincrementaldecoder("utf-8")("replace").decode
        self._parser = XTermParser()
        self._begun = ""
        self._answer = False
        self._recent = ""
        self._pasted: str | None = None
        self._last = ""
        self._heard_s = 0.0
        self._burst_s: float | None = None
        self._torn_s: float | None = None

    def feed(self, data: bytes) -> list[Message]:
        """What these bytes complete, in their order."""
        text = self._decode(data)
        self._heard_s = self._now()
        torn, self._torn_s = self._torn_s, None
        if torn is not None and self._heard_s - torn < TORN_S and _REST.match(text):
            text = f"\x1b{text}"
        keys_alone = bool(text) and _END not in text and _KEYS.fullmatch(text) is not None
        lost_end = self._pasted is not None and keys_alone
        found = [self._end_paste("")] if lost_end else []
        return [*found, *self._at_once(list(self._cut(text)))]

    def tick(self) -> list[Message]:
        """What time alone completes: an escape that begins nothing, a paste without an end."""
        if self._pasted is not None and self._now() - self._heard_s > PASTE_SILENCE_S:
            return [self._end_paste("")]
        alone = self._begun == "\x1b" and not self._answer
        if self._now() - self._heard_s < (ESCAPE_S if alone else HELD_S):
            return []
        begun, answer, self._answer = self._take_begun(), self._answer, False
        if alone:
            self._torn_s = self._now()
            return [Key("escape", begun)]
        return list(self._understood(begun)) if len(begun) == _WITH_ALT and not answer else []

    # --- pastes ------------------------------------------------------------------------------------

    def _cut(self, text: str) -> Iterator[Message]:
        """Pastes out of the stream, the rest understood."""
        while text:
            if self._pasted is None:
                known, joined = len(self._recent), self._recent + text
                at = joined.find(_START)
                if at < 0:
                    self._recent = joined[-_OVERLAP:]
                    yield from self._spoken(text)
                    return
                if at < known:
                    self._begun = ""
                else:
                    yield from self._spoken(joined[known:at])
                self._recent, self._pasted, self._last = "", "", ""
                text = joined[at + len(_START) :]
            else:
                joined = self._last + text
                at = joined.find(_END)
                if at < 0:
                    self._last = joined[-_OVERLAP:]
                    self._pasted = (self._pasted + joined[: len(joined) - len(self._last)])[:PASTE_LIMIT]
                    return
                self._last = ""
                yield self._end_paste(joined[:at])
                text = joined[at + len(_END) :]

    def _end_paste(self, more: str) -> Paste:
        text = ((self._pasted or "") + self._last + more)[:PASTE_LIMIT]
        self._pasted, self._last = None, ""
        return Paste(text.replace("\x00", ""))

    # --- keys --------------------------------------------------------------------------------------

    def _spoken(self, text: str) -> Iterator[Message]:
        """Piece by piece, so that a sequence nobody can read takes no other with it."""
        for piece in _PIECES.split(self._take_begun() + text):
            if self._take_begun() == "\x1b" and not self._answer:
                yield Key("escape", "\x1b")
            yield from self._piece(piece)

    def _take_begun(self) -> str:
        begun, self._begun = self._begun, ""
        return begun

    def _piece(self, piece: str) -> Iterator[Message]:
        """An escape at most, at its beginning."""
        if self._answer:
            piece = self._after_answer(piece)
        if not piece.startswith("\x1b") or self._answer:
            yield from self._understood(piece)
        elif _ANSWER.match(piece):
            self._answer = True
            yield from self._understood(self._after_answer(piece[2:]))
        elif _BEGUN.fullmatch(piece):
            self._begun = piece[:_HOLDS]
        else:
            whole = _WHOLE.match(piece)
            found = whole or _BEGUN.match(piece)
            end = found.end() if found else 0
            if whole and end <= _LONGEST:
                yield from self._understood(piece[:end])
            yield from self._understood(piece[end:])

    def _after_answer(self, piece: str) -> str:
        """What follows a terminal's answer: its end, or another sequence that cuts it short, is in `piece`."""
        if piece == "\x1b":
            self._begun = piece
            return ""
        if piece.startswith("\x1b"):
            self._answer = False
            return piece.removeprefix("\x1b\\")
        _, bell, rest = piece.partition("\a")
        self._answer = not bell
        return rest

    def _understood(self, text: str) -> Iterator[Message]:
        """Letters, or one whole sequence."""
        found: list[Message] = []
        try:
            found.extend(self._parser.feed(text) if text else ())
        except Exception:  # noqa: BLE001 - whatever the toolkit dies of, the kill key is still to be heard
            self._parser = XTermParser()
        if self._waits:
            if len(text) == _WITH_ALT:
                self._parser._timeout_time = 0.0  # pyright: ignore[reportPrivateUsage]
                found.extend(self._parser.tick())
            self._parser = XTermParser()
        for message in found:
            if not isinstance(message, Resize | InBandWindowResize) and _can_be_said(message):
                yield message

    @property
    def _waits(self) -> bool:
        """What the parser was given was no sequence that it can read."""
        return self._parser._awaiting.timeout is not None  # pyright: ignore[reportPrivateUsage]

    def _at_once(self, messages: list[Message]) -> list[Message]:
        """As one burst, where no hand has typed them."""
        letters = [one.key for one in messages if is_letter(one) or is_with_alt(one)]
        now = self._now()
        rest = self._burst_s is not None and now - self._burst_s < BURST_GAP_S
        many = len(letters) >= BURST and len(set(letters)) > 1
        if not many and not (rest and any(is_typed(message) for message in messages)):
            return messages
        self._burst_s = now
        return [Burst(messages, rest=rest)]


def is_letter(message: Message) -> TypeGuard[Key]:
    """A key that a line would take as text."""
    return isinstance(message, Key) and message.is_printable


def is_with_alt(message: Message) -> TypeGuard[Key]:
    """Escape and a letter: in a string that nobody understood, as much a letter of it."""
    return isinstance(message, Key) and message.key.startswith("alt+")


def is_typed(message: Message) -> bool:
    """A key that a text may hold too: letters, enter, controls. What only a key sends, as F12 does, is none."""
    return isinstance(message, Key) and message.character is not None


def _can_be_said(message: Message) -> bool:
    """Half a code point is no letter: nothing can write it."""
    character = message.character if isinstance(message, Key) else None
    return not character or not any("\ud800" <= one <= "\udfff" for one in character)
