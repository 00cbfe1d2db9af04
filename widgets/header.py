"""The strip that is always visible: mode, switches, prices, equity, time, link. What moves fast stands left."""

from __future__ import annotations

import logging
from typing import Final

from station.link.floor import Header, Price
from station.link.port import LinkState
from widgets import ink, words
from widgets.canvas import DRAWING_FAULTS, LineCanvas
from widgets.ink import Line, Span
from widgets.scene import Scene

_log = logging.getLogger(__name__)

GAP: Span = ("  ", ink.TEXT)
NOT_DELIVERED: Span = (" KILL NOT DELIVERED ", ink.KILL)
USUAL = 2
"""Its lines where the terminal is that wide."""
WIDE_FROM = 110

_LINK_WORDS = {
    LinkState.CONNECTING: ("○ CONNECTING", ink.WARN),
    LinkState.SILENT: ("○ ENGINE SILENT", ink.ALARM),
    LinkState.LOST: ("○ LINK LOST", ink.ALARM),
    LinkState.MISMATCH: ("○ OTHER VERSION", ink.ALARM),
    LinkState.CLOSED: ("○ CLOSED", ink.DIM),
}


class HeaderStrip(LineCanvas):
    """Two lines on a wide terminal, three on a narrow one."""

    def paint(self, scene: Scene) -> None:
        try:
            self.show(lines(scene, self.size.width))
        except DRAWING_FAULTS:
            _log.exception("the header cannot be drawn")
            self.show([((" the header could not be drawn; the log says why ", ink.KILL),)])


def height(width: int) -> int:
    return USUAL if width >= WIDE_FROM else 3


def lines(scene: Scene, width: int) -> list[Line]:
    header = scene.floor.header
    if header is None:
        kill: Line = (GAP, NOT_DELIVERED) if scene.kill_pending else ()
        return [
            ink.clipped((*_mode(None, scene), *kill, GAP, *_link(scene)), width),
            ink.clipped(((f" {scene.detail}", ink.DIM),), width),
        ]
    first = _first(header, scene, width)
    prices, result, details = _prices(header, scene), _result(header), _details(header, scene)
    if width >= WIDE_FROM:
        tail = (*_link(scene), *_latency(header, scene), (" ", ink.TEXT))
        room = width - ink.width_of(tail) - 1
        shown = ink.packed(((" ", ink.TEXT),), prices, width - ink.width_of(result))
        return [
            ink.spread(_faded(ink.packed(first, details, room), scene), tail, width),
            _faded(ink.clipped((*shown, *result), width), scene),
        ]
    tail = (*_link(scene), (" ", ink.TEXT))
    return [
        _faded(ink.clipped(ink.packed(first, details[1:], width), width), scene),
        _faded(ink.packed(((" ", ink.TEXT),), prices, width), scene),
        ink.spread(_faded(ink.packed(result, details[:1], width - ink.width_of(tail) - 1), scene), tail, width),
    ]


def _faded(line: Line, scene: Scene) -> Line:
    return line if scene.live else ink.faded(line)


def _time(header: Header, scene: Scene) -> Line:
    style = ink.STRONG if scene.live else ink.FAINT
    return ((f" {words.clock_text(header.now_ns)} ET", style), GAP)


def _mode(header: Header | None, scene: Scene) -> Line:
    if header is None:
        return ((" VIGIL ", ink.STRONG),)
    live = header.environment == "LIVE"
    mode: Line = ((f" {header.environment} ", ink.LIVE if live else ink.PAPER),)
    if header.read_only or scene.read_only:
        mode = (*mode, (" READ-ONLY ", ink.CAUTION))
    return mode


def _first(header: Header, scene: Scene, width: int) -> Line:
    """Time, mode and switches, with their reasons as far as there is room: the kill's before the gate's."""
    start = (*_time(header, scene), *_mode(header, scene))
    lines = [(*start, *_switches(header, scene, level)) for level in (2, 1, 0)]
    return next((line for line in lines if ink.width_of(line) <= width), lines[-1])


def _switches(header: Header, scene: Scene, reasons: int) -> Line:
    gate: Span = ("gate OPEN", ink.UP)
    if header.gate != "OPEN":
        why = f" {header.gate_reason}" if header.gate_reason and reasons > 1 else ""
        gate = (f"gate {header.gate}{why}", ink.WARN)
    if header.kill:
        why = f" {header.kill_reason}" if header.kill_reason and reasons > 0 else ""
        return (GAP, (f" KILL ON{why} ", ink.KILL), GAP, gate)
    if scene.kill_pending:
        return (GAP, NOT_DELIVERED, GAP, gate)
    return (GAP, gate, GAP, ("kill OFF", ink.DIM))


def _details(header: Header, scene: Scene) -> list[Line]:
    """What may give way where there is no room, the dearest first."""
    broker = header.broker if header.broker_up else f"{header.broker} DOWN"
    texts = (
        (f"{header.open_trades} open {header.working_orders} working", ink.TEXT),
        (_proposed(scene), ink.WARN),
        (f"LOCKED {' '.join(name for name, _ in header.quarantined)}" if header.quarantined else "", ink.ALARM),
        (header.note, ink.WARN),
        ("SLOW LINK" if scene.slow_link else "", ink.WARN),
        (broker, ink.DIM if header.broker_up else ink.ALARM),
        (header.pace, ink.DIM),
        (f"session {header.session}" if header.session else "", ink.DIM),
        (header.account, ink.DIM),
    )
    return [(GAP, (text, style)) for text, style in texts if text]


def _proposed(scene: Scene) -> str:
    part = scene.floor.proposals
    return f"{len(part.rows)} PROPOSED" if part is not None and part.rows else ""


def _prices(header: Header, scene: Scene) -> list[Line]:
    """Those of the instruments that have room, in catalogue order; the watchlist has them all."""
    return [(*_price(one, scene), GAP) for one in header.prices]


def _price(one: Price, scene: Scene) -> Line:
    name: Span = (f"{one.symbol} ", ink.DIM)
    if one.last is None:
        return (name, ("--", ink.FAINT))
    text = words.price(one.last)
    age_s = scene.age_s(one.at_ns)
    if age_s > one.stale_s:
        return (name, (f"{text} {words.age_text(age_s)} old", ink.FAINT))
    if one.change_pct is None:
        return (name, (text, ink.STRONG))
    move = f" {words.arrow(one.change_pct)}{abs(one.change_pct):.2f}%"
    return (name, (text, ink.STRONG), (move, words.tone(one.change_pct)))


def _result(header: Header) -> Line:
    spans: list[Span] = [(" day ", ink.DIM)]
    if header.day_pnl is None:
        spans.append(("--", ink.FAINT))
    else:
        pct = "" if header.day_pct is None else f" {words.signed_pct(header.day_pct)}"
        text = f"{words.arrow(header.day_pnl)} {words.signed_money(header.day_pnl)}{pct}"
        spans.append((text, words.tone(header.day_pnl)))
    equity = "--" if header.equity is None else words.money(header.equity)
    spans += [("  eq ", ink.DIM), (equity, ink.TEXT)]
    return tuple(spans)


def _link(scene: Scene) -> Line:
    if scene.live:
        return (("● link", ink.UP),)
    text, style = _LINK_WORDS.get(scene.state, ("○ LINK", ink.ALARM))
    age = f" {words.age_text(scene.silence_s)}" if scene.silence_s >= 1 else ""
    return ((f"{text}{age}", style),)


_LAG_STEPS: Final = (20, 50, 100, 200, 500)


def _stepped(lag_ms: float) -> str:
    """The lag as the first step it is under, always as wide: a quiet loop's few tenths send nothing."""
    under = next((step for step in _LAG_STEPS if lag_ms < step), None)
    return f">{_LAG_STEPS[-1]}ms" if under is None else f"{f'<{under}ms':<6}"


def _latency(header: Header, scene: Scene) -> Line:
    if not scene.live:
        return ()
    spans: list[Span] = []
    if header.latency_ms is not None:
        spans.append((f"  data {header.latency_ms:.0f}ms", ink.WARN if header.latency_ms > 200 else ink.DIM))
    if header.lag_ms is not None:
        text = _stepped(header.lag_ms)
        spans.append((f"  loop {text}", ink.WARN if header.lag_ms > 50 else ink.DIM))
    return tuple(spans)
