"""The bid/ask matrix of the chosen option: sizes at their prices, our own orders among them."""

from __future__ import annotations

from decimal import Decimal

from station.domain.instruments import TickRule
from station.link import Book, BookLevel, OwnOrder
from widgets import ink, words
from widgets.ink import Line, Span
from widgets.pane import Block, Content, Pane
from widgets.scene import Scene

SIZE, PRICE, OURS = 7, 9, 10
WORDS = {"target": "TP", "stop": "SL", "entry": "entry", "close": "close"}
HEIGHT = 20
"""Rows where nobody says how many there are."""


def part(scene: Scene) -> Book | None:
    return scene.floor.book


class BookPane(Pane):
    """Prices from above the ask to below the bid, as many as there is room for."""

    HELP = (("o", "Choose the option in the chain."), ("up down", "Scroll the prices."))

    def __init__(self, key: str, *, id: str, ascii_only: bool) -> None:
        super().__init__(
            key,
            "Bid/ask",
            part,
            lambda scene, width: content(scene, width, HEIGHT),
            id=id,
            ascii_only=ascii_only,
        )
        self._stands: tuple[str, Decimal] | None = None

    def draw(self, scene: Scene, width: int, height: int) -> Content:
        book = scene.floor.book
        if book is None:
            return content(scene, width, height)
        before = self._stands[1] if self._stands is not None and self._stands[0] == book.label else None
        middle = steady(book, before, height - 1)
        self._stands = None if middle is None else (book.label, middle)
        return content(scene, width, height, middle)


def content(scene: Scene, width: int, height: int, middle: Decimal | None = None) -> Content:
    """The prices around `middle`, the market's own where it is None."""
    book = scene.floor.book
    if book is None:
        contract = scene.sight.contract
        empty = f"asking for the prices of {contract} …" if contract else "choose an option in the chain"
        return Content(title=f"Bid/ask {contract}".rstrip(), empty=empty)
    middle = _middle(book) if middle is None else middle
    label = words.contract(book.label, scene.now_ns) if book.label else scene.sight.contract
    age_s = scene.age_s(book.at_ns)
    old = age_s > book.stale_s and book.at_ns > 0
    return Content(
        title=f"Bid/ask {label}",
        note=f"{words.age_text(age_s)} old" if old else "depth" if book.deep else "top of book",
        warn=old,
        head=(_top(book, width, old=old), *_ours(book, width, height, middle)),
        blocks=tuple(
            Block((_row(price, book, width, old=old),), f"{price}")
            for price in ladder(book, height - 1, middle)
        ),
        empty="no price on either side",
        picked="",
        anchor=f"{middle}",
    )


def steady(book: Book, before: Decimal | None, rows: int) -> Decimal | None:
    """The price that the ladder stands around: the one before while the market keeps to its inner half, so that
    prices stay where the eye has found them."""
    middle = _middle(book)
    prices = ladder(book, rows, before)
    if before is None or middle is None or before not in prices or middle not in prices:
        return middle
    return before if abs(prices.index(middle) - prices.index(before)) <= rows // 4 else middle


def ladder(book: Book, rows: int, middle: Decimal | None = None) -> tuple[Decimal, ...]:
    """Legal prices, highest first, around `middle` or the market: every level of the book and some to either
    side."""
    middle = _middle(book) if middle is None else middle
    if middle is None or not book.steps:
        return ()
    rule = TickRule(book.steps)
    above, below = [middle], [middle]
    for _ in range(rows):
        above.append(above[-1] + rule.increment(above[-1]))
        step = rule.increment(max(below[-1] - rule.increment(below[-1]), Decimal(0)))
        if below[-1] - step > 0:
            below.append(below[-1] - step)
    return (*reversed(above[1:]), *below)


def _middle(book: Book) -> Decimal | None:
    """The legal price nearest the middle of the market."""
    sides = [level.price for level in (*book.bids[:1], *book.asks[:1])]
    if not sides or not book.steps:
        return None
    return TickRule(book.steps).nearest(sum(sides, Decimal(0)) / len(sides))


def _top(book: Book, width: int, *, old: bool) -> Line:
    """`42  4.10 | 4.15 | 4.20  37`: sizes, the market, the last trade."""
    bid, ask = (side[0] if side else None for side in (book.bids, book.asks))
    style = ink.FAINT if old else ink.STRONG
    spans: list[Span] = [
        (f"{bid.size if bid else '--':>{SIZE}}", ink.DIM), (f"{_price(bid):>{PRICE}}", style),
        (" | ", ink.FAINT), (f"{book.last:.2f}" if book.last is not None else "--", ink.DIM),
        (" | ", ink.FAINT), (f"{_price(ask):<{PRICE - 2}}", style),
        (f"{ask.size if ask else '--':<{SIZE}}", ink.DIM),
    ]  # fmt: skip
    return ink.clipped(tuple(spans), width)


def _ours(book: Book, width: int, height: int, stands: Decimal | None) -> tuple[Line, ...]:
    """What we hold, where it breaks even, and our orders whose prices are beyond the ladder: none is out of
    sight."""
    prices = ladder(book, height - 1, stands)
    texts: list[str] = []
    if book.held and book.entry:
        even = "" if book.break_even is None else f" break-even {book.break_even:.2f}"
        texts.append(f"×{words.count(book.held)} at {book.entry:.2f}{even}")
    if prices:
        half = max((height - 2) // 2, 1)
        middle = prices.index(stands) if stands in prices else len(prices) // 2
        near = prices[max(middle - half, 0) : middle + half]
        far = [order for order in book.orders if order.price not in near]
        texts += [
            f"{'▲' if order.price > prices[middle] else '▼'} {_own(order)} {order.price:.2f}" for order in far
        ]
    lines: list[str] = []
    for text in texts:
        if lines and len(lines[-1]) + 2 + len(text) < width:
            lines[-1] += f"  {text}"
        else:
            lines.append(text)
    return tuple(ink.clipped(((f" {line}", ink.ACCENT),), width) for line in lines)


def _row(price: Decimal, book: Book, width: int, *, old: bool) -> Line:
    bid = next((level.size for level in book.bids if level.price == price), 0)
    ask = next((level.size for level in book.asks if level.price == price), 0)
    buys = [order for order in book.orders if order.price == price and order.action == "BUY"]
    sells = [order for order in book.orders if order.price == price and order.action == "SELL"]
    inside = bool(bid or ask)
    dim = ink.FAINT if old else ink.DIM
    spans: list[Span] = [
        (ink.fit(" ".join(map(_own, buys)), OURS, ">"), ink.ACCENT),
        (f"{bid or '':>{SIZE}}", ink.FAINT if old else ink.UP),
        (f"{price:>{PRICE}.2f}", (ink.FAINT if old else ink.STRONG) if inside else dim),
        (f"  {ask or '':<{SIZE - 2}}", ink.FAINT if old else ink.DOWN),
        (" ".join(map(_own, sells)), ink.ACCENT),
    ]
    marks = _marks(price, book)
    if marks:
        spans.append((f" {marks}", ink.WARN))
    return ink.clipped(tuple(spans), width)


def _marks(price: Decimal, book: Book) -> str:
    """What the price means to what we hold: entry, break-even, last trade."""
    found: list[str] = []
    if book.steps:
        rule = TickRule(book.steps)
        if book.break_even is not None and rule.up(book.break_even) == price:
            found.append("◆ break-even")
        elif book.entry is not None and rule.nearest(book.entry) == price:
            found.append("◆ entry")
    if book.last == price and not found:
        found.append("· last")
    return " ".join(found)


def _own(order: OwnOrder) -> str:
    return f"{WORDS.get(order.purpose, order.purpose)} {order.action[0]}{words.count(order.qty)}"


def _price(level: BookLevel | None) -> str:
    return "--" if level is None else f"{level.price:.2f}"
