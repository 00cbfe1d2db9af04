"""What became of an entry that was sent, as the floor tells it. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from station.link import Floor, PositionRow, WorkingOrder
from station.link.floor import READY
from widgets import words

LIVE: Final = frozenset({"SUBMITTED", "PARTIALLY_FILLED"})


@dataclass(frozen=True, slots=True)
class Fate:
    """`text` in a line; `tone` is info, good or bad; `settled` that nothing has to be waited for: the broker
    has it, or it is filled and protected."""

    text: str
    tone: str = "info"
    settled: bool = False


def fate_of(floor: Floor, trade_id: str) -> Fate | None:
    """None where the floor does not tell of the trade, or not yet."""
    orders = floor.orders.rows if floor.orders is not None else ()
    entry = next((row for row in orders if row.trade_id == trade_id and row.purpose == "entry"), None)
    held = floor.positions.rows if floor.positions is not None else ()
    position = next((row for row in held if row.trade_id == trade_id), None)
    if position is not None and position.entry is not None:
        return _filled(position, entry)
    if entry is not None:
        return _working(entry)
    alerts = floor.alerts.rows if floor.alerts is not None else ()
    last = next((row for row in alerts if row.trade_id == trade_id), None)
    if last is None or position is not None:
        return None
    failed = last.severity in ("warn", "critical")
    return Fate(last.text, "bad" if failed else "good", settled=not failed)


def present(floor: Floor, row: WorkingOrder) -> WorkingOrder | str:
    """The order as the floor tells it now; once it works no more, what became of it in words."""
    part = floor.orders
    if part is None or part.state != READY:
        return row
    now = next((one for one in part.rows if one.order_ref == row.order_ref), None)
    if now is not None:
        return now
    held = floor.positions.rows if floor.positions is not None else ()
    position = next((one for one in held if one.trade_id == row.trade_id), None)
    if position is not None and row.purpose != "entry":
        return position.protection or "no exit works now"
    fate = fate_of(floor, row.trade_id)
    return fate.text if fate is not None else "look at positions and alerts"


def _filled(position: PositionRow, entry: WorkingOrder | None) -> Fate:
    price = words.price(position.entry) if position.entry is not None else "--"
    there = entry.filled if entry is not None else position.qty
    of = f" of {words.count(entry.qty)}, the rest works" if entry is not None else ""
    guard = position.protection or "no exit works yet"
    return Fate(f"FILLED {words.count(there)}{of} @ {price}: {guard}", "good", settled=position.protected)


def _working(entry: WorkingOrder) -> Fate:
    prices = [words.price(price) for price in (entry.stop, entry.limit) if price is not None]
    where = f" at {' then '.join(prices)}" if prices else " at market"
    if entry.state not in LIVE:
        return Fate(f"on its way to the broker{where} …")
    filled = f"{words.count(entry.filled)} of {words.count(entry.qty)} filled"
    return Fate(f"LIVE at the broker{where}, {filled}", "good", settled=True)
