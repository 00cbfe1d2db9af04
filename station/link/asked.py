"""Parts of the floor that travel only to a screen that asks for them, and only while it does.

A screen says what it shows as a set of `Ask`s; every part carries the ask that it answers, so that an answer
which comes late for another chart, chain or contract can be told from the one that is wanted.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final

import msgspec

READY: Final = "ready"
LOADING: Final = "loading"
ERROR: Final = "error"


class Ask(msgspec.Struct, frozen=True):
    """What is wanted: `part` names it (`watch`, `account`, `wealth`, `chart`, `tip`, `chain`, `book`).

    `symbol` and `timeframe` (`5m`) choose a chart, `count` its newest bars at most; `symbol` and `expiry`
    (`0dte`) a chain; `contract` (`5940C`) one option of that chain.
    """

    part: str
    symbol: str = ""
    timeframe: str = ""
    count: int = 0
    expiry: str = ""
    contract: str = ""


class WatchRow(msgspec.Struct, frozen=True):
    """One underlying. `mode` is its feed's (LIVE, STALE, …), `score` its quality, 0–100; `high` and `low` of
    the session that runs or was the last."""

    symbol: str
    last: float | None = None
    change_pct: float | None = None
    at_ns: int = 0
    mode: str = ""
    score: int = 0
    high: float | None = None
    low: float | None = None
    halted: bool = False
    options: bool = False
    stale_s: float = 15.0


class Watch(msgspec.Struct, frozen=True):
    """The watched instruments, in catalogue order."""

    ask: Ask
    rows: tuple[WatchRow, ...] = ()
    state: str = READY
    note: str = ""


class Account(msgspec.Struct, frozen=True):
    """Dollars, the broker's of `at_ns`, old after `stale_s`. `curve` is the day's P&L at each minute since
    `curve_from_ns`, oldest first; `trades` were opened today, `won` and `lost` of them are closed."""

    ask: Ask
    equity: Decimal | None = None
    buying_power: Decimal | None = None
    cash: Decimal | None = None
    realised: Decimal | None = None
    day_pnl: Decimal | None = None
    loss_limit: Decimal | None = None
    trades: int = 0
    won: int = 0
    lost: int = 0
    curve: tuple[float, ...] = ()
    curve_from_ns: int = 0
    curve_to_ns: int = 0
    at_ns: int = 0
    stale_s: float = 150.0
    state: str = READY
    note: str = ""


class RungRow(msgspec.Struct, frozen=True):
    """One level of a week's ladder: it holds from `capital` dollars on, with so many contracts."""

    level: str
    capital: Decimal
    contracts: int


class PlanRow(msgspec.Struct, frozen=True):
    """Where the account stands on one plan; the week runs from `start` to `target` dollars."""

    plan: str
    week: int
    weeks: int
    level: str
    capital: Decimal
    start: Decimal
    target: Decimal
    pnl_to_date: Decimal
    rungs: tuple[RungRow, ...] = ()


class Wealth(msgspec.Struct, frozen=True):
    """The plans in use, the first strategy's first."""

    ask: Ask
    plans: tuple[PlanRow, ...] = ()
    state: str = READY
    note: str = ""


class Candle(msgspec.Struct, frozen=True, array_like=True):
    """One bar, stamped with its start."""

    start_ns: int
    open: float
    high: float
    low: float
    close: float
    volume: float


class Level(msgspec.Struct, frozen=True):
    """A price to draw across the chart. `kind` is target, stop, entry or even (a trade's), day (the session
    before), range (the opening range) or plan (what scanners wait at); `about` marks a price of the underlying
    that was worked out from an option's."""

    kind: str
    text: str
    price: float
    about: bool = False


class Mark(msgspec.Struct, frozen=True):
    """A fill on the bar that contains it. `kind` is entry or exit, `side` CALL or PUT; `won` None while the
    trade is open."""

    at_ns: int
    kind: str
    side: str
    text: str
    won: bool | None = None


class Chart(msgspec.Struct, frozen=True):
    """Finished bars, oldest first, with studies of equal length (None where not warm).

    `revision` grows with the series; `closes_ns` is when the bar after the last one closes, 0 unknown;
    `intraday` False for day bars, `decimals` of its prices; `source` says who answered.
    """

    ask: Ask
    revision: int = 0
    bars: tuple[Candle, ...] = ()
    ema_fast: tuple[float | None, ...] = ()
    ema_slow: tuple[float | None, ...] = ()
    vwap: tuple[float | None, ...] = ()
    levels: tuple[Level, ...] = ()
    marks: tuple[Mark, ...] = ()
    intraday: bool = True
    source: str = ""
    state: str = READY
    note: str = ""


class Tip(msgspec.Struct, frozen=True):
    """The live end of a chart: the forming bar (None before its first trade), and how far to trust it."""

    ask: Ask
    bar: Candle | None = None
    last: float | None = None
    at_ns: int = 0
    mode: str = ""
    score: int = 0
    stale_s: float = 15.0
    state: str = READY
    note: str = ""


class Side(msgspec.Struct, frozen=True):
    """One option of a chain. `iv` in percent; `modelled` greeks are our own, not the broker's; `old_s` whole
    seconds since its quote, 0 while that is young enough to trade by; `volume` of the session, contracts."""

    bid: Decimal | None = None
    ask: Decimal | None = None
    delta: float | None = None
    iv: float | None = None
    old_s: int = 0
    modelled: bool = False
    held: int = 0
    volume: int = 0


class ChainRow(msgspec.Struct, frozen=True):
    strike: Decimal
    call: Side | None = None
    put: Side | None = None


class Chain(msgspec.Struct, frozen=True):
    """Calls and puts around the money, strikes ascending. `expiry` is `YYYYMMDD`; `spot` rounded to a tenth
    of a strike step, so that it does not move at every print."""

    ask: Ask
    name: str = ""
    expiry: str = ""
    spot: float | None = None
    rows: tuple[ChainRow, ...] = ()
    state: str = READY
    note: str = ""


class BookLevel(msgspec.Struct, frozen=True, array_like=True):
    price: Decimal
    size: int


class OwnOrder(msgspec.Struct, frozen=True):
    """A working order of ours. `purpose` is entry, target, stop or close."""

    price: Decimal
    qty: Decimal
    action: str
    purpose: str
    trade_id: str = ""


class Book(msgspec.Struct, frozen=True):
    """The order book of one option, best first: one level a side where the broker gives no depth (`deep`
    False). `steps` are the tick rule's; `break_even` is the price at which a held position has earned its
    fees back."""

    ask: Ask
    label: str = ""
    bids: tuple[BookLevel, ...] = ()
    asks: tuple[BookLevel, ...] = ()
    deep: bool = False
    last: Decimal | None = None
    at_ns: int = 0
    volume: int = 0
    open_interest: int = 0
    steps: tuple[tuple[Decimal, Decimal], ...] = ()
    orders: tuple[OwnOrder, ...] = ()
    held: Decimal = Decimal(0)
    entry: Decimal | None = None
    break_even: Decimal | None = None
    stale_s: float = 5.0
    state: str = READY
    note: str = ""


AskedPart = Watch | Account | Wealth | Chart | Tip | Chain | Book
ASKED: Final[dict[str, type[AskedPart]]] = {
    "account": Account, "tip": Tip, "watch": Watch, "book": Book, "chain": Chain, "chart": Chart,
    "wealth": Wealth,
}  # fmt: skip
"""By name, in the order of travel."""


def refusal(ask: Ask, state: str, note: str) -> AskedPart | None:
    """The part that says `note` instead of a picture; None for a part this version does not know."""
    kind = ASKED.get(ask.part)
    return kind(ask, state=state, note=note) if kind is not None else None
