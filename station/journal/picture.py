"""A picture of a trade's chart at one moment: an SVG that carries what it was drawn from. Pure.

The file holds the film as it stood at that moment, so that the same picture can be drawn from it again, to the
last byte, and any screen can draw its own.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final
from xml.sax.saxutils import escape, unescape

from station.calendars import et_text
from station.domain.clock import HOUR
from station.domain.errors import BadInput
from station.journal.shapes import Json

MOMENTS: Final = ("entry", "exit")
WIDTH, HEIGHT = 960, 480
LEFT, RIGHT, TOP, BOTTOM = 16, 116, 64, 64
STRETCH: Final = 1.5
"""Levels are kept in sight while that stretches the scale of the bars by no more than this."""
LEAST_SPAN: Final = 2e-4
NIGHT_NS: Final = 3 * HOUR
LEAST_DELTA: Final = 0.05
"""Under this an option's price says too little about its underlying's to draw a line from."""

_GROUND, _TEXT, _STRONG, _DIM, _FAINT = "#0b0f14", "#c9d2db", "#eef2f6", "#76838f", "#2a333c"
_UP, _DOWN, _ACCENT, _WARN = "#46c08f", "#f0665e", "#69b1ea", "#e2ae4a"
_LEVELS: Final = {"target": _UP, "stop": _DOWN, "entry": _ACCENT}
_FONT: Final = "DejaVu Sans Mono,Menlo,Consolas,monospace"
_OPEN, _CLOSE = "<metadata>", "</metadata>"


@dataclass(frozen=True, slots=True)
class Anchor:
    """What turns the contract's prices into its underlying's at that moment: where the underlying stood, the
    contract's price there, and its delta (0: not known, nothing is turned)."""

    spot: float
    price: float
    delta: float


def picture_document(
    film: Json, moment: str, at_ns: int, anchor: Anchor, stop: float | None, origin: Mapping[str, Any]
) -> Json:
    """The film up to `at_ns` as a picture of it: `moment` is of MOMENTS, `stop` the bid under which the station
    gets out by itself, `origin` tells where the newest bar came from."""
    orders = _orders(film["lines"], moment, at_ns)
    if stop is not None and not any(kind == "stop" for kind, _ in orders):
        orders.append(("stop", stop))
    levels = [{"kind": "entry", "text": f"entry {anchor.price:.2f}", "price": anchor.spot}] if (
        moment == "entry" and anchor.spot
    ) else []  # fmt: skip
    levels += [level for order in orders if (level := _level(*order, anchor)) is not None]
    return film | {
        "moment": moment, "at_ns": at_ns, "levels": levels, "origin": dict(origin),
        "marks": [mark for mark in film["marks"] if mark["at_ns"] <= at_ns],
    }  # fmt: skip


def _orders(lines: Sequence[Json], moment: str, at_ns: int) -> list[tuple[str, float]]:
    """What worked at that moment; at an exit the last of each kind, which the exit itself has ended."""
    known = [line for line in lines if line["from_ns"] <= at_ns]
    if moment == "exit":
        known = list({line["kind"]: line for line in known}.values())
    else:
        known = [line for line in known if not line["until_ns"] or line["until_ns"] > at_ns]
    return [(line["kind"], float(line["price"])) for line in known]


def _level(kind: str, price: float, anchor: Anchor) -> Json | None:
    if abs(anchor.delta) < LEAST_DELTA or not anchor.spot:
        return None
    about = round(anchor.spot + (price - anchor.price) / anchor.delta, 2)
    word = {"target": "TP", "stop": "SL"}.get(kind, kind)
    return {"kind": kind, "text": f"{word} {price:.2f}", "price": about, "about": True}


# --- the drawing ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Frame:
    """Where bars and prices lie, in units of the drawing."""

    starts: tuple[int, ...]
    low: float
    high: float

    @property
    def step(self) -> float:
        return (WIDTH - LEFT - RIGHT) / max(len(self.starts), 1)

    def x(self, place: int) -> float:
        return LEFT + (place + 0.5) * self.step

    def y(self, price: float) -> float:
        return TOP + (self.high - price) / (self.high - self.low) * (HEIGHT - TOP - BOTTOM)

    def place(self, at_ns: int) -> int:
        """The bar in which an instant lies; the first for one before it."""
        return max(sum(start <= at_ns for start in self.starts) - 1, 0)


def picture_svg(document: Json) -> str:
    """The picture of a `picture_document`, standing alone: no scripts, fonts or links."""
    trade, bars = document["trade"], document["bars"]
    held = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}">',
        f"<title>{escape(trade['id'])} {escape(document['moment'])}</title>",
        f"{_OPEN}{escape(held)}{_CLOSE}",
        f'<rect width="100%" height="100%" fill="{_GROUND}"/>',
        f'<g font-family="{_FONT}" font-size="13">',
        *_head(document),
    ]
    if bars:
        parts += _chart(document)
    else:
        parts.append(_words(WIDTH / 2, HEIGHT / 2, document["note"] or "no bars", _DIM, "middle"))
    return "\n".join([*parts, *_foot(document), "</g>", "</svg>", ""])


def film_in(svg: str) -> Json:
    """The document that a picture was drawn from. Raises BadInput for a file that is no picture of ours."""
    head, opened, rest = svg.partition(_OPEN)
    text, closed, _ = rest.partition(_CLOSE)
    try:
        document = json.loads(unescape(text)) if opened and closed and "<svg" in head else None
    except ValueError:
        document = None
    if not isinstance(document, dict) or not {"trade", "bars", "marks", "moment", "at_ns"} <= set(document):
        raise BadInput("the picture does not hold the film that it was drawn from: it was changed or cut off")
    return document


def _head(document: Json) -> list[str]:
    trade = document["trade"]
    first = f"{trade.get('label') or trade['symbol']}  {trade['side']}  {document['moment']}"
    second = f"{trade['id']}  {trade['strategy']}  {', '.join(trade.get('scanners', []))}".rstrip()
    return [
        _words(LEFT, 24, first, _STRONG, bold=True),
        _words(
            WIDTH - LEFT, 24, f"{trade['symbol']} {document['timeframe']}  {_moment(document)}", _TEXT, "end"
        ),
        _words(LEFT, 44, second, _DIM),
        _words(WIDTH - LEFT, 44, *_result(trade), "end"),
    ]


def _moment(document: Json) -> str:
    """New York's date and time of day."""
    marks = document["marks"]
    day = marks[0]["ts_utc"][:10] if marks else ""
    return f"{day} {et_text(document['at_ns'])} ET".strip()


def _result(trade: Json) -> tuple[str, str]:
    net = trade["net_pnl"]
    if net is None:
        return f"{trade['qty']:g} @ {trade['entry'] or '--'}", _TEXT
    sign, colour = ("", _DOWN) if net.startswith("-") else ("+", _UP)
    return f"{trade['qty']:g} @ {trade['entry']} → {trade['exit'] or '--'}  {sign}{net}", colour


def _chart(document: Json) -> list[str]:
    bars = document["bars"]
    levels = document["levels"]
    low, high = min(bar[3] for bar in bars), max(bar[2] for bar in bars)
    span = max(high - low, abs(high) * LEAST_SPAN)
    shown: list[Json] = []
    for level in levels:
        wider = (min(low, level["price"]), max(high, level["price"]))
        if wider[1] - wider[0] <= STRETCH * span:
            low, high = wider
            shown.append(level)
    margin = max(high - low, span) * 0.08
    frame = _Frame(tuple(int(bar[0]) for bar in bars), low - margin, high + margin)
    return [
        *_grid(frame), *_nights(frame), *_times(frame), *_levels(frame, shown), *_candles(frame, bars),
        *_marks(frame, bars, document["marks"]), *_last(frame, bars[-1][4]),
    ]  # fmt: skip


def _grid(frame: _Frame) -> list[str]:
    """Round prices, five or so."""
    raw = (frame.high - frame.low) / 5
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(size * power for size in (1, 2, 2.5, 5, 10) if size * power >= raw * (1 - 1e-9))
    decimals = 0 if step >= 1 and step == int(step) else 2
    found: list[str] = []
    for number in range(math.ceil(frame.low / step), math.floor(frame.high / step) + 1):
        y = frame.y(number * step)
        found.append(f'<path d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}" stroke="{_FAINT}" stroke-width="0.5"/>')
        found.append(_words(WIDTH - RIGHT + 8, y + 4, f"{number * step:,.{decimals}f}", _DIM))
    return found


def _nights(frame: _Frame) -> list[str]:
    """A faint upright where another session begins."""
    found: list[str] = []
    for place, (before, after) in enumerate(pairwise(frame.starts), 1):
        if after - before > NIGHT_NS:
            x = LEFT + place * frame.step
            line = f"M{x:.1f} {TOP}V{HEIGHT - BOTTOM}"
            found.append(f'<path d="{line}" stroke="{_FAINT}" stroke-dasharray="2 4"/>')
    return found


def _times(frame: _Frame) -> list[str]:
    """Clock times, at least 90 units apart."""
    found: list[str] = []
    free = 0.0
    for place, start in enumerate(frame.starts):
        text = et_text(start)[:5]
        if frame.x(place) >= free and int(text[3:]) % 5 == 0 and frame.x(place) < WIDTH - RIGHT - 30:
            found.append(_words(frame.x(place), HEIGHT - BOTTOM + 18, text, _DIM, "middle"))
            free = frame.x(place) + 90
    return found


def _levels(frame: _Frame, levels: Iterable[Json]) -> list[str]:
    found: list[str] = []
    for level in levels:
        y, colour = frame.y(level["price"]), _LEVELS.get(level["kind"], _DIM)
        found.append(
            f'<path d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}" stroke="{colour}" stroke-dasharray="6 4" fill="none"/>'
        )
        sign = "≈" if level.get("about") else ""
        found.append(_words(LEFT + 4, y - 4, f"{level['text']} {sign}{level['price']:,.2f}", colour))
    return found


def _candles(frame: _Frame, bars: Sequence[Sequence[float]]) -> list[str]:
    """Two paths a colour: wicks and bodies."""
    found: list[str] = []
    wide = max(frame.step * 0.6, 1.0)
    for colour, rising in ((_UP, True), (_DOWN, False)):
        wicks: list[str] = []
        bodies: list[str] = []
        for place, (_, opened, high, low, close, *_rest) in enumerate(bars):
            if (close >= opened) is not rising:
                continue
            x = frame.x(place)
            wicks.append(f"M{x:.1f} {frame.y(high):.1f}V{frame.y(low):.1f}")
            top, bottom = frame.y(max(opened, close)), frame.y(min(opened, close))
            bodies.append(f"M{x - wide / 2:.1f} {top:.1f}h{wide:.1f}v{max(bottom - top, 1):.1f}h-{wide:.1f}z")
        if wicks:
            found.append(f'<path d="{"".join(wicks)}" stroke="{colour}"/>')
            found.append(f'<path d="{"".join(bodies)}" fill="{colour}"/>')
    return found


def _marks(frame: _Frame, bars: Sequence[Sequence[float]], marks: Iterable[Json]) -> list[str]:
    """Signals as diamonds and entries as triangles below their bar, exits above it, fills with their price."""
    found: list[str] = []
    for mark in marks:
        place = frame.place(mark["at_ns"])
        x, (_, _, high, low, *_rest) = frame.x(place), bars[place]
        y = frame.y(low) + 8
        match mark["kind"]:
            case "signal":
                found.append(f'<path d="M{x:.1f} {y:.1f}l5 6l-5 6l-5 -6z" fill="{_WARN}"/>')
            case "entry":
                found.append(f'<path d="M{x:.1f} {y + 14:.1f}l6 11h-12z" fill="{_ACCENT}"/>')
                found.append(_beside(x, y + 25, mark["price"] or "", _ACCENT))
            case "exit":
                y = frame.y(high) - 8
                found.append(f'<path d="M{x:.1f} {y:.1f}l6 -11h-12z" fill="{_WARN}"/>')
                found.append(_beside(x, y - 3, mark["price"] or "", _WARN))
            case _:
                pass
    return found


def _beside(x: float, y: float, text: str, colour: str) -> str:
    """Right of a mark, or left of one at the edge."""
    if x > WIDTH - RIGHT - 60:
        return _words(x - 10, y, text, colour, "end")
    return _words(x + 10, y, text, colour)


def _last(frame: _Frame, price: float) -> list[str]:
    y = frame.y(price)
    return [
        f'<rect x="{WIDTH - RIGHT + 2}" y="{y - 9:.1f}" width="86" height="18" fill="{_TEXT}"/>',
        _words(WIDTH - RIGHT + 8, y + 4, f"{price:,.2f}", _GROUND, bold=True),
    ]


def _foot(document: Json) -> list[str]:
    """What had happened last, and where the bars came from."""
    marks = document["marks"]
    said = f"{et_text(marks[-1]['at_ns'])}  {marks[-1]['text']}" if marks else ""
    origin = document["origin"]
    source = f"bars from {origin['bars']}, {origin['by']}, hash {origin['chain']}" if "bars" in origin else ""
    if "forming" in origin:
        source += "; the last one was still forming"
    return [
        _words(LEFT, HEIGHT - 24, said, _TEXT),
        _words(LEFT, HEIGHT - 8, source, _DIM),
    ]


def _words(x: float, y: float, text: str, colour: str, anchor: str = "start", *, bold: bool = False) -> str:
    weight = ' font-weight="bold"' if bold else ""
    shown = "".join(letter if letter.isprintable() else " " for letter in text)
    place = f' text-anchor="{anchor}"' if anchor != "start" else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" fill="{colour}"{place}{weight}>{escape(shown)}</text>'
