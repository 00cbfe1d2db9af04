"""What a terminal sends, as messages: whatever it is, the keyboard stays alive and a paste presses no key.

The toolkit's parser dies of some sequences (a code point that is none, a size of nothing), waits for ever for
the end of a paste that lost it, and reissues what it does not understand inside one as keys. Here pastes are
cut out before it, and a piece that it dies of costs that piece alone.
"""

from __future__ import annotations

import re
from codecs import getincrementaldecoder
from collections.abc import Callable, Iterator, Sequence
from typing import Final

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
_REST: Final = re.compile(r"\[[0-9;]*[A-Z~u]|\[[0-9;]*$|O[A-Z]")
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
        alone = self._recent.endswith("\x1b")
        if self._now() - self._heard_s < (ESCAPE_S if alone else HELD_S):
            return []
        self._parser._timeout_time = self._parser._timeout_time and 0.0  # pyright: ignore[reportPrivateUsage]
        found = list(self._understood(self._parser.tick))
        if found and alone:
            self._torn_s = self._now()
        return found

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
                    self._parser = XTermParser()
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
        for piece in _PIECES.split(text):
            if piece:
                yield from self._understood(lambda piece=piece: self._parser.feed(piece))

    def _understood(self, parse: Callable[[], object]) -> Iterator[Message]:
        found: list[Message] = []
        try:
            found.extend(parse())  # pyright: ignore[reportArgumentType]
        except (ValueError, ArithmeticError, StopIteration, RuntimeError):
            self._parser = XTermParser()
        for message in found:
            if not isinstance(message, Resize | InBandWindowResize) and _can_be_said(message):
                yield message

    def _at_once(self, messages: list[Message]) -> list[Message]:
        """As one burst, where no hand has typed them."""
        letters = [one.key for one in messages if isinstance(one, Key) and is_letter(one)]
        now = self._now()
        rest = self._burst_s is not None and now - self._burst_s < BURST_GAP_S
        many = len(letters) >= BURST and len(set(letters)) > 1
        if not many and not (rest and any(is_typed(message) for message in messages)):
            return messages
        self._burst_s = now
        return [Burst(messages, rest=rest)]


def is_letter(message: Message) -> bool:
    """A key that a line would take as text."""
    return isinstance(message, Key) and message.is_printable


def is_typed(message: Message) -> bool:
    """A key that a text may hold too: letters, enter, controls. What only a key sends, as F12 does, is none."""
    return isinstance(message, Key) and message.character is not None


def _can_be_said(message: Message) -> bool:
    """Half a code point is no letter: nothing can write it."""
    character = message.character if isinstance(message, Key) else None
    return not character or not any("\ud800" <= one <= "\udfff" for one in character)
