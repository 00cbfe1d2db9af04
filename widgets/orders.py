"""Working orders: what stands at the broker, entries and exits, how far each is filled, how long it stands."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from station.link import Orders, WorkingOrder
from widgets import ink, words
from widgets.ink import Line, Span
from widgets.pane import Block, Content
from widgets.scene import Scene

PURPOSES: Final = {"entry": "entry", "target": "target", "stop": "stop", "close": "close"}
KINDS: Final = {"LMT": "limit", "MKT": "market", "STP": "stop", "STP LMT": "stop-limit"}
STATES: Final = {"PENDING": "sent", "SUBMITTED": "live", "PARTIALLY_FILLED": "part", "UNKNOWN": "UNKNOWN"}
PRICE, LONG_PRICE = 7, 10
QTY, AGE, STATE, PURPOSE, ACTION, KIND = 5, 4, 7, 7, 5, 11
ROOMY: Final = 74


def part(scene: Scene) -> Orders | None:
    return scene.floor.orders


def content(scene: Scene, width: int) -> Content:
    known = scene.floor.orders
    if known is None:
        return Content()
    entries = sum(row.purpose == "entry" for row in known.rows)
    prices = [price for row in known.rows for price in (row.limit, row.stop) if price]
    cells = LONG_PRICE if max(prices, default=0) >= 1000 else PRICE
    return Content(
        note=f"{entries} in, {len(known.rows) - entries} out" if known.rows else "",
        head=(_heading(width, cells),) if known.rows else (),
        blocks=tuple(Block((_row(row, scene, width, cells),), row.order_ref) for row in known.rows),
        empty="no order works at the broker",
    )


def _label(width: int, cells: int) -> int:
    fixed = STATE + AGE + 2 * cells + QTY + PURPOSE + ACTION + 3
    return max(min(width - fixed - (KIND if width >= ROOMY else 0), 26), 12)


def _heading(width: int, cells: int) -> Line:
    kind = f"{'order':<{KIND}}" if width >= ROOMY else ""
    text = (
        f" {'state':<{STATE}}{'age':>{AGE}}  {'for':<{PURPOSE}}{'':{ACTION}}{'qty':<{QTY}}"
        f"{ink.fit('contract', _label(width, cells))}{kind}{'limit':>{cells}}{'stop':>{cells}}"
    )
    return ink.clipped(((text, ink.FAINT),), width)


def _row(row: WorkingOrder, scene: Scene, width: int, cells: int) -> Line:
    state = STATES.get(row.state, row.state.lower())
    age = words.age_text(scene.age_s(row.at_ns)) if row.at_ns else "--"
    buys = row.action == "BUY"
    known = row.state != "UNKNOWN"
    spans: list[Span] = [
        (f" {state:<{STATE}}", ink.ALARM if not known else ink.UP if state == "live" else ink.WARN),
        (f"{age:>{AGE}}  ", ink.DIM),
        (
            f"{PURPOSES.get(row.purpose, row.purpose):<{PURPOSE}}",
            ink.ACCENT if row.purpose != "entry" else ink.TEXT,
        ),
        (f"{'buy' if buys else 'sell':<{ACTION}}", ink.UP if buys else ink.DOWN),
        (ink.fit(_filled(row), QTY), ink.STRONG),
        (ink.fit(words.contract(row.label, scene.now_ns), _label(width, cells)), ink.STRONG),
    ]
    if width >= ROOMY:
        spans.append((f"{KINDS.get(row.kind, row.kind):<{KIND}}", ink.DIM))
    spans += [_price(row.limit, cells, market=row.kind == "MKT"), _price(row.stop, cells)]
    return ink.clipped(tuple(spans), width)


def _filled(row: WorkingOrder) -> str:
    """`2`, or `1/2` once some of it is filled."""
    return f"{words.count(row.filled)}/{words.count(row.qty)}" if row.filled else words.count(row.qty)


def _price(value: Decimal | None, cells: int, *, market: bool = False) -> Span:
    if value is None:
        return f"{'market' if market else '--':>{cells}}", ink.TEXT if market else ink.FAINT
    return f"{words.price(value):>{cells}}", ink.TEXT


def named(row: WorkingOrder, now_ns: int) -> str:
    """One line that tells it from every other: `entry: buy 2 SPXW 5940C 0DTE limit 4.15`."""
    prices = [words.price(price) for price in (row.stop, row.limit) if price is not None]
    what = f"{row.action.lower()} {words.count(row.qty)} {words.contract(row.label, now_ns)}"
    return " ".join(
        [f"{PURPOSES.get(row.purpose, row.purpose)}: {what}", KINDS.get(row.kind, row.kind), *prices]
    )
