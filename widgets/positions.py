"""Open trades: the result first, because it moves; then what it is; below it, what protects it."""

from __future__ import annotations

from decimal import Decimal

from station.link.floor import ExitRow, PositionRow, Positions
from widgets import ink, words
from widgets.ink import Line, Span
from widgets.orders import STATES
from widgets.pane import Block, Content
from widgets.scene import Scene

RESULT, PCT, QTY = 11, 8, 5
PRICE, LONG_PRICE = 7, 10
"""A price's cells, and where one of them has four digits before its point."""
LIVE = frozenset({"SUBMITTED", "PARTIALLY_FILLED"})
ROOMY = 72
"""From this width on the stop has a column; below, the line under the figures still tells it."""


def part(scene: Scene) -> Positions | None:
    return scene.floor.positions


def content(scene: Scene, width: int) -> Content:
    positions = scene.floor.positions
    if positions is None:
        return Content()
    known = [row.pnl for row in positions.rows if row.pnl is not None]
    total = sum(known, Decimal(0))
    cells = _cells(positions.rows)
    note = f"{len(known)} open  {words.arrow(total)} {words.signed_money(total)}" if known else ""
    return Content(
        note=note,
        head=(_heading(width, cells),) if positions.rows else (),
        blocks=tuple(Block(_lines(row, scene, width, cells), row.trade_id) for row in positions.rows),
        empty="flat: no position, no working entry",
    )  # fmt: skip


def _cells(rows: tuple[PositionRow, ...]) -> int:
    prices = [price for row in rows for price in (row.mark, row.entry, row.target, row.stop) if price]
    return LONG_PRICE if max(prices, default=0) >= 1000 else PRICE


def _heading(width: int, cells: int) -> Line:
    stop = f"{'stop':>{cells}}" if width >= ROOMY else ""
    text = (
        f"{'P&L $':>{RESULT}}{'P&L %':>{PCT}}{'mark':>{cells}} {ink.fit('contract', _label(width, cells))}"
        f"{'qty ':>{QTY}}{'entry':>{cells}}{'target':>{cells}}{stop}"
    )
    return ink.clipped(((text, ink.FAINT),), width)


def _label(width: int, cells: int) -> int:
    fixed = RESULT + PCT + 1 + QTY + cells * (4 if width >= ROOMY else 3)
    return max(min(width - fixed, 24), 14)


def _figures(row: PositionRow, scene: Scene, width: int, cells: int) -> Line:
    age_s = scene.age_s(row.mark_at_ns)
    stale = row.mark is None or age_s > row.stale_s
    spans: list[Span] = [*_result(row, stale=stale)]
    mark = "--" if row.mark is None else words.price(row.mark)
    spans.append((f"{mark:>{cells}}", ink.FAINT if stale else ink.STRONG))
    spans.append((" ", ink.TEXT))
    spans.append((ink.fit(words.contract(row.label, scene.now_ns), _label(width, cells)), ink.STRONG))
    spans.append((f"×{words.count(row.qty)} ".rjust(QTY), ink.TEXT))
    for value in (row.entry, row.target, row.stop)[: 3 if width >= ROOMY else 2]:
        spans.append(
            (f"{'--' if value is None else words.price(value):>{cells}}", ink.TEXT if value else ink.FAINT)
        )
    return ink.clipped(tuple(spans), width)


def _result(row: PositionRow, *, stale: bool) -> Line:
    if row.pnl is None:
        return ((f"{'--':>{RESULT}}{'--':>{PCT}}", ink.FAINT),)
    style = ink.FAINT if stale else words.tone(row.pnl)
    text = f" {words.arrow(row.pnl)} {words.signed_money(row.pnl):>{RESULT - 3}}"
    pct = "--" if row.pnl_pct is None else words.signed_pct(row.pnl_pct)
    return ((f"{text}{pct:>{PCT}}", style),)


def _lines(row: PositionRow, scene: Scene, width: int, cells: int) -> tuple[Line, ...]:
    """Two lines, and a third where more than one exit works."""
    lines = _figures(row, scene, width, cells), _guard(row, scene, width)
    if len(row.exits) < 2:
        return lines
    return *lines, ink.clipped((("     ", ink.TEXT), (standing(row), ink.ACCENT)), width)


def _guard(row: PositionRow, scene: Scene, width: int) -> Line:
    """The line below: the timer (it moves), then what stands between the position and a loss."""
    age_s = scene.age_s(row.mark_at_ns)
    spans: list[Span] = [("   ", ink.TEXT)]
    if row.timer:
        left = words.countdown(row.timer_until_ns, scene.now_ns) if row.timer_until_ns else ""
        spans += [(f"{row.timer} {left}".strip(), ink.TEXT), ("  ", ink.TEXT)]
    if row.mark is None and row.pnl is not None:
        spans += [("no price: P&L by the last known", ink.WARN), ("  ", ink.TEXT)]
    elif row.mark is not None and age_s > row.stale_s:
        spans += [(f"mark {words.age_text(age_s)} old", ink.WARN), ("  ", ink.TEXT)]
    if not row.protected:
        spans += [(f" {row.protection or 'UNPROTECTED'} ", ink.CAUTION), ("  ", ink.TEXT)]
    elif row.protection:
        work = sum(one.state in LIVE for one in row.exits)
        many = f"{work if work == len(row.exits) else f'{work} of {len(row.exits)}'} exits work"
        spans += [(many if len(row.exits) > 1 else row.protection, ink.ACCENT), ("  ", ink.TEXT)]
    if row.leaving:
        spans += [(f" {row.leaving} ", ink.CAUTION), ("  ", ink.TEXT)]
    if row.stop is not None and width < ROOMY and not _tells_stop(row):
        spans += [(f"stop {words.price(row.stop)}", ink.ACCENT), ("  ", ink.TEXT)]
    if row.shield:
        spans += [(row.shield, ink.DIM), ("  ", ink.TEXT)]
    spans.append((words.state(row.state), ink.FAINT))
    if row.strategy:
        spans.append((f"  {row.strategy}", ink.FAINT))
    return ink.clipped(tuple(spans), width)


def _tells_stop(row: PositionRow) -> bool:
    """The stop stands among what works at the broker."""
    return any(one.stop is not None for one in row.exits) or "stop" in row.protection


def standing(row: PositionRow) -> str:
    """Every exit that works, nearest first: `sell 1 @ 5.20, 1 @ 5.90, stop 2 @ 3.20 live`."""
    legs = [_leg(one) for one in row.exits]
    calm = all(one.state in LIVE for one in row.exits)
    return f"{row.exits[0].action.lower()} {', '.join(legs)}{' live' if calm else ''}"


def _leg(row: ExitRow) -> str:
    price = row.limit if row.limit is not None else row.stop
    kind = "stop " if row.stop is not None else ""
    told = "market" if price is None else words.price(price)
    state = "" if row.state in LIVE else f" {STATES.get(row.state, row.state.lower())}"
    return f"{kind}{words.count(row.qty - row.filled)} @ {told}{state}"
