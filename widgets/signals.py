"""The signals: each with the order and the fill it led to, and how long every step took."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import ClassVar, Final

from textual.binding import BindingType

from station.domain.clock import MILLISECOND
from station.link import ProposalRow, Query
from station.link.screens import SignalLine, Signals, SignalStory
from widgets import filters, ink, screen_keys, words
from widgets.asking import LineDialog
from widgets.columns import Column, Table, whole
from widgets.floorplan import Column as Side
from widgets.floorplan import Slot
from widgets.ink import Line, Span
from widgets.page import Page, PagePane, Question
from widgets.pane import Block, Content, wrapped
from widgets.scene import Scene

KEYS: Final = ("symbol", "side", "status", "date")
STATES: Final = ("GENERATED", "VALIDATED", "REJECTED", "EXPIRED", "EXECUTING", "EXECUTED")
STYLES: Final = {
    "EXECUTED": ink.UP, "EXECUTING": ink.ACCENT, "REJECTED": ink.WARN, "EXPIRED": ink.FAINT,
    "VALIDATED": ink.TEXT, "GENERATED": ink.TEXT,
}  # fmt: skip
COLUMNS: Final = (
    Column("time", 8), Column("", 2), Column("conf", 4, ">", rank=2), Column("scanner", 16, grows=True),
    Column("status", 9), Column("strategy", 12, rank=5), Column("contract, or why not", 17, rank=1, grows=True),
    Column("bar→sig", 7, ">", rank=4), Column("→order", 7, ">", rank=3), Column("→fill", 7, ">", rank=3),
    Column("filled", 11, ">", rank=2), Column("result", 11, ">", rank=4),
)  # fmt: skip


class SignalsPage(Page):
    """The day's signals, newest first; the way of the one under the cursor."""

    TITLE = "Signals"
    EVERY_S = 3.0
    PLANS = (
        ((180, 46), (Side(0, (Slot(("list",)),)), Side(70, (Slot(("way",)),)))),
        ((110, 30), (Side(0, (Slot(("list",), share=3), Slot(("way",), share=2))),)),
    )
    BINDINGS: ClassVar[list[BindingType]] = [*screen_keys.bindings("signals")]
    _args: Mapping[str, str] = {}
    _picked = ""

    # --- what is asked ------------------------------------------------------------------------------

    def questions(self) -> Mapping[str, Question]:
        sent = {"status": "state", "date": "day"}
        args = {sent.get(key, key): value for key, value in self._args.items()}
        wanted = {"list": Question(Query("signals", args), Signals)}
        picked = self._line()
        if picked is not None:
            wanted["way"] = Question(Query("signal", {"id": picked.id}), SignalStory)
        return wanted

    def make(self) -> list[PagePane]:
        return [
            self.pane("list", "Signals", "list", self._list, on_pick=self._pick),
            self.pane("way", "The way of a signal", "way", self._way),
        ]

    def answered(self, slot: str) -> None:
        if slot == "list":
            self.call_next(self.floor.pump)

    @property
    def picked_trade(self) -> str:
        line = self._line()
        return line.trade_id if line is not None else ""

    def look_at(self, name: str) -> None:
        """The way that is read stays that of its signal, whatever newer one comes."""
        line = self._line()
        if name != "list" and line is not None:
            self._picked = line.id
        super().look_at(name)

    def _pick(self, signal_id: str) -> None:
        self._picked = signal_id
        self.floor.pump()

    def _line(self) -> SignalLine | None:
        known = self.document("list", Signals)
        rows = known.rows if known is not None else ()
        return next((row for row in rows if row.id == self._picked), rows[0] if rows else None)

    # --- what is seen -------------------------------------------------------------------------------

    def _list(self, scene: Scene, width: int) -> Content:
        known = self.document("list", Signals) or Signals()
        table, here = Table(COLUMNS, width), self._line()
        only = filters.written(self._args)
        proposed = scene.floor.proposals.rows if scene.floor.proposals is not None else ()
        head = [_counts(known, width), _laps(known, width), *(_proposed(row, scene, width) for row in proposed)]
        if only:
            head.append(ink.clipped(((" only ", ink.FAINT), (only, ink.KEY)), width))
        total = sum(known.counts.values())
        return Content(
            note=f"{known.day}  {len(known.rows)} of {total}", head=(*head, table.heading),
            blocks=tuple(
                Block(_lines(row, table, scene, opened=row is here and not self.sees("way")), row.id)
                for row in known.rows
            ),
            empty="no signal matches the filter: backspace clears it" if only else "no signal yet this session",
            picked=here.id if here is not None else "",
        )  # fmt: skip

    def _way(self, scene: Scene, width: int) -> Content:
        story, line = self.document("way", SignalStory), self._line()
        if story is None or line is None:
            return Content(empty="pick a signal")
        lines = (*_told(story, line, scene, width), *_timeline(story, line, width))
        return Content(
            title=f"{story.scanner} {words.clock_text(story.at_ns)}", note=line.trade_id,
            blocks=tuple(Block((one,)) for one in lines),
        )  # fmt: skip

    # --- what keys do -------------------------------------------------------------------------------

    def action_filter(self) -> None:
        def check(line: str) -> str:
            try:
                _checked(line)
            except ValueError as wrong:
                return str(wrong)
            return ""

        def found(line: str | None) -> None:
            if line is not None:
                self._ask_for(_checked(line))

        dialog = LineDialog(
            self.floor.perf, "FILTER SIGNALS", "symbol: side: status: date: or bare words",
            value=filters.written(self._args), check=check,
            more=(f"status: {' '.join(STATES).lower()}", "side: call put", "date: 2026-11-18"),
        )  # fmt: skip
        self.app.push_screen(dialog, found)

    def action_clear(self) -> None:
        self._ask_for({})

    def action_day(self, step: int) -> None:
        known = self.document("list", Signals)
        if known is None or known.day not in known.days:
            return
        here = known.days.index(known.day) + step
        if 0 <= here < len(known.days):
            self._ask_for({**self._args, "date": known.days[here]})
        else:
            self.floor.tell("there is no session beyond this one in the journal", "warn")

    def action_status(self) -> None:
        known = self.document("list", Signals)
        there = ["", *(known.counts if known is not None else ())]
        here = self._args.get("status", "")
        following = there[(there.index(here) + 1) % len(there)] if here in there else ""
        rest = {key: value for key, value in self._args.items() if key != "status"}
        self._ask_for({**rest, "status": following} if following else rest)

    def _ask_for(self, args: Mapping[str, str]) -> None:
        self._args = dict(args)
        self.floor.pump()
        self.floor.repaint()


def _checked(line: str) -> dict[str, str]:
    """The filter; raises ValueError in words."""
    found = filters.parsed(line.upper().replace("SYMBOL:", "symbol:").replace("SIDE:", "side:")
                           .replace("STATUS:", "status:").replace("DATE:", "date:"), KEYS, _guess)  # fmt: skip
    if filters.TEXT in found:
        raise ValueError(f"{found[filters.TEXT].lower()!r} is no filter: use {', '.join(KEYS)}")
    if found.get("status", STATES[0]) not in STATES:
        raise ValueError(f"status {found['status'].lower()!r} is not known: use {', '.join(STATES).lower()}")
    if found.get("side", "CALL") not in ("CALL", "PUT"):
        raise ValueError(f"side {found['side'].lower()!r} is not known: use call or put")
    return found


def _guess(word: str) -> str:
    if word in ("CALL", "PUT"):
        return "side"
    if word in STATES:
        return "status"
    if re.fullmatch(r"\d{4}-\d\d-\d\d", word):
        return "date"
    return "symbol" if re.fullmatch(r"[A-Z]{1,6}", word) else ""


def _counts(known: Signals, width: int) -> Line:
    spans: list[Span] = [(" ", ink.TEXT)]
    for state in STATES:
        number = known.counts.get(state, 0)
        if number:
            spans += [(f"{state.lower()} ", ink.FAINT), (f"{number}  ", STYLES[state])]
    return ink.clipped(tuple(spans), width)


def _proposed(row: ProposalRow, scene: Scene, width: int) -> Line:
    left = words.countdown(row.until_ns, scene.now_ns)
    contract = words.contract(row.label, scene.now_ns)
    return ink.clipped(
        ((" P ", ink.KEY), ("PROPOSED ", ink.WARN), (f"{row.strategy} ", ink.TEXT),
         (f"BUY {words.count(row.qty)} {contract}", ink.STRONG), (f"  {left} left", ink.WARN)), width,
    )  # fmt: skip


def _laps(known: Signals, width: int) -> Line:
    laps: list[Line] = []
    for lap in known.laps:
        name: Span = (f"  {lap.name.replace(' ', '')} ", ink.FAINT)
        if lap.p50_ms is None or lap.p99_ms is None:
            laps.append((name, ("not yet", ink.DIM)))
        else:
            told = f"{lap.p50_ms:.1f} {lap.p99_ms:.1f}"
            laps.append((name, (told, ink.TEXT), (f" of {lap.laps}", ink.FAINT)))
    return ink.packed(((" ms p50 p99", ink.FAINT),) if laps else (), laps, width)


def _lines(row: SignalLine, table: Table, scene: Scene, *, opened: bool) -> tuple[Line, ...]:
    line = _row(row, table, scene)
    told = [("scanner", row.scanner), *([("why", row.why)] if row.why else [])]
    return whole(line, told, table.width) if opened else (line,)


def _row(row: SignalLine, table: Table, scene: Scene) -> Line:
    call = row.side == "CALL"
    net = Decimal(row.net_pnl) if row.net_pnl else None
    filled = f"{row.filled} @ {row.price}" if row.price else row.order_state.lower()
    return table.line(
        [
            (words.clock_text(row.at_ns), ink.DIM), ("▲C" if call else "▼P", ink.UP if call else ink.DOWN),
            (str(row.confidence), ink.STRONG), (row.scanner, ink.TEXT),
            (row.state.lower(), STYLES.get(row.state, ink.TEXT)), (row.strategy, ink.DIM),
            (words.contract(row.contract, scene.now_ns), ink.TEXT) if row.contract and not _came_to_nothing(row)
            else (row.why, ink.FAINT),
            (took(row.bar_ns, row.at_ns), ink.DIM), (took(row.at_ns, row.ordered_ns), ink.DIM),
            (took(row.ordered_ns, row.filled_ns), ink.DIM), (filled, ink.TEXT),
            ("" if net is None else f"{words.arrow(net)} {words.signed_money(net)}",
             ink.DIM if net is None else words.tone(net)),
        ]
    )  # fmt: skip


def _came_to_nothing(row: SignalLine) -> bool:
    return row.trade_state == "FAILED" and bool(row.why)


def took(from_ns: int, to_ns: int) -> str:
    """`12ms`, `1.20s`, `3m`: the time between two instants; empty where one has not come."""
    if not from_ns or not to_ns:
        return ""
    ms = (to_ns - from_ns) / MILLISECOND
    if abs(ms) < 1000:
        return f"{ms:.0f}ms"
    return f"{ms / 1000:.2f}s" if abs(ms) < 60_000 else words.age_text(ms / 1000)


def _told(story: SignalStory, line: SignalLine, scene: Scene, width: int) -> list[Line]:
    said = [story.rationale, *story.warnings]
    valid = f"valid until {words.clock_text(story.valid_until_ns)}"
    if story.valid_until_ns > scene.now_ns:
        valid += f", {words.countdown(story.valid_until_ns, scene.now_ns)} left"
    said.append(valid)
    lines: list[Line] = [((f" {piece}", ink.DIM),) for one in said if one for piece in wrapped(one, width - 2)]
    if story.provenance:
        lines.append(ink.clipped(((f" bar {story.provenance[:16]}", ink.FAINT),), width))
    if line.why:
        lines += [((f" {piece}", ink.WARN),) for piece in wrapped(line.why, width - 2)]
    return lines


def _timeline(story: SignalStory, line: SignalLine, width: int) -> list[Line]:
    """Everything that followed, in the order of time, each with how long after the signal it came."""
    found: list[tuple[int, int, Span, str]] = [(line.bar_ns, 0, ("bar closed", ink.DIM), "")]
    found.append((story.at_ns, 1, ("signal", ink.STRONG), f"confidence {line.confidence}"))
    for step in story.steps:
        passed = step.verdict == "pass"
        measured = f" ({step.value}, limit {step.limit})" if step.value and not passed else ""
        mark = f"{'✓' if passed else '×'} {step.stage}"
        found.append((step.at_ns, 2, (mark, ink.DIM if passed else ink.WARN), f"{step.reason}{measured}"))
    for order in story.orders:
        price = f" @ {order.limit or order.stop}" if order.limit or order.stop else ""
        said = f"{order.action} {order.qty} {order.kind}{price}, {order.state.lower()} {order.reason}".rstrip()
        found.append((order.created_ns, 3, (f"{order.purpose} order", ink.ACCENT), said))
    for fill in story.fills:
        fee = f", fee {fill.commission}" if fill.commission else ""
        found.append((fill.at_ns, 4, ("fill", ink.UP), f"{fill.action} {fill.qty} @ {fill.price}{fee}"))
    found.sort(key=lambda one: one[:2])
    lines: list[Line] = [()]
    for at_ns, _, (name, style), said in found:
        start: Line = (
            (f" {words.clock_text(at_ns)}", ink.DIM), (f" {took(story.at_ns, at_ns):>7} ", ink.FAINT),
            (ink.fit(name, 15), style),
        )  # fmt: skip
        room = max(width - ink.width_of(start) - 2, 12)
        pieces = wrapped(said, room) or [""]
        lines.append(ink.clipped((*start, (f" {pieces[0]}", ink.TEXT)), width))
        lines += [((" " * (ink.width_of(start) + 1), ink.TEXT), (more, ink.TEXT)) for more in pieces[1:]]
    return lines
