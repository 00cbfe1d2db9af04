"""The recording's form: JSONL, one line for each thing heard, with the instant it came in.

`{"kind": "TickReport", "at": 1793…, "body": {…}}`: the kind is a report's type, or `session` (what began),
`history` (bars that the broker answered) or `dropped` (how many reports were lost before this line).
"""

from __future__ import annotations

from typing import Any, Final, get_args

import msgspec

from station.domain import broker
from station.domain.broker import Report
from station.domain.instruments import Timeframe
from station.domain.market import Bar

VERSION: Final = 1
SESSION: Final = "session"
HISTORY: Final = "history"
DROPPED: Final = "dropped"


class Began(msgspec.Struct, frozen=True):
    """The first line of every run: whose reports follow. `day` is `YYYY-MM-DD`."""

    v: int
    day: str
    broker: str


class Answered(msgspec.Struct, frozen=True):
    """Bars of one series as the broker's history gave them."""

    symbol: str
    timeframe: Timeframe
    bars: tuple[Bar, ...]


class Dropped(msgspec.Struct, frozen=True):
    count: int


Body = Report | Began | Answered | Dropped


class _Line(msgspec.Struct, frozen=True):
    kind: str
    at: int
    body: msgspec.Raw


_KINDS: Final[dict[type, str]] = {Began: SESSION, Answered: HISTORY, Dropped: DROPPED} | {
    kind: kind.__name__ for kind in get_args(broker.Report)
}
_ENCODER: Final = msgspec.json.Encoder()
_LINES: Final = msgspec.json.Decoder(_Line)
_BODIES: Final[dict[str, msgspec.json.Decoder[Any]]] = {
    name: msgspec.json.Decoder(kind) for kind, name in _KINDS.items()
}


def encode_line(at_ns: int, body: Body) -> bytes:
    """One line, its newline included."""
    return _ENCODER.encode({"kind": _KINDS[type(body)], "at": at_ns, "body": body}) + b"\n"


def decode_line(line: bytes) -> tuple[int, Body]:
    """The instant and the thing heard. Raises ValueError for a line that is none of ours."""
    found = _LINES.decode(line)
    decoder = _BODIES.get(found.kind)
    if decoder is None:
        raise ValueError(f"kind {found.kind!r} is not known")
    return found.at, decoder.decode(found.body)
