"""The option chain: calls, strikes, puts; the money marked; a cursor on one option that survives updates."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import ClassVar

from textual.binding import Binding, BindingType

from station.link import Chain, ChainRow, Side
from widgets import ink, words
from widgets.ink import Line, Span
from widgets.pane import Block, Content, Pane
from widgets.scene import Scene
from widgets.sight import nearest_strike, strike_text

PRICE, DELTA, VOL, TRADED, STRIKE = 7, 5, 5, 5, 8
TIGHT = 6
"""A price's cells in a chain where none has three digits before its point."""


def part(scene: Scene) -> Chain | None:
    return scene.floor.chain


class ChainPane(Pane):
    """Up and down choose the strike, left and right its call or put."""

    HELP = (
        ("up down", "Choose the strike."), ("left right", "Choose its call or its put."),
        ("y", "0DTE, weekly or monthly expiry."),
    )  # fmt: skip
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left", "side('C')", "call", show=False),
        Binding("right", "side('P')", "put", show=False),
    ]

    def __init__(self, key: str, *, id: str, ascii_only: bool, on_contract: Callable[[str], None]) -> None:
        super().__init__(
            key, "Chain", part, content, id=id, ascii_only=ascii_only, on_pick=self._strike_picked
        )  # fmt: skip
        self._on_contract = on_contract

    @property
    def _right(self) -> str:
        contract = self._scene.sight.contract if self._scene is not None else ""
        return contract[-1:] or "C"

    def _strike_picked(self, strike: str) -> None:
        self._choose(f"{strike}{self._right}")

    def action_side(self, right: str) -> None:
        if self.picked:
            self._choose(f"{self.picked}{right}")
            self.repaint()

    def _choose(self, contract: str) -> None:
        if self._scene is not None:
            self._scene = replace(self._scene, sight=replace(self._scene.sight, contract=contract))
        self._on_contract(contract)


def content(scene: Scene, width: int) -> Content:
    chain = scene.floor.chain
    if chain is None:
        return Content(title=f"Chain {scene.sight.symbol}".rstrip())
    strike = nearest_strike(chain)
    money = "" if strike is None else strike_text(strike)
    columns = _columns(chain, width)
    old = min((side.old_s for row in chain.rows for side in (row.call, row.put) if side is not None), default=0)
    return Content(
        title=f"{chain.name or scene.sight.symbol} {scene.sight.expiry.upper()}",
        note=_when(chain) if not old else f"{words.age_text(old)} old",
        warn=bool(old),
        head=(*_cursor(chain, scene, columns, width), _heading(columns, width)) if chain.rows else (),
        blocks=tuple(_block(row, scene, columns, width, money) for row in chain.rows),
        empty="no strike is listed around the money",
        picked=scene.sight.contract[:-1],
        anchor=money,
    )


def _when(chain: Chain) -> str:
    months = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
    if len(chain.expiry) != 8:
        return ""
    return f"{months[int(chain.expiry[4:6]) - 1]} {chain.expiry[6:]}"


@dataclass(frozen=True, slots=True)
class _Columns:
    """The cells of each, 0 where there is no room: deltas come before volatilities, those before volumes."""

    price: int
    delta: int = 0
    vol: int = 0
    traded: int = 0

    @property
    def side(self) -> int:
        return 2 * self.price + self.delta + self.vol + self.traded


def _columns(chain: Chain, width: int) -> _Columns:
    asks = [side.ask for row in chain.rows for side in (row.call, row.put) if side is not None and side.ask]
    columns = _Columns(PRICE if max(asks, default=0) >= 100 else TIGHT)
    for name, cells in (("delta", DELTA), ("vol", VOL), ("traded", TRADED)):
        wider = replace(columns, **{name: cells})
        if 2 * wider.side + STRIKE > width:
            return columns
        columns = wider
    return columns


def _cursor(chain: Chain, scene: Scene, columns: _Columns, width: int) -> tuple[Line, ...]:
    """What has no column here, of the option under the cursor."""
    if columns.traded:
        return ()
    contract = scene.sight.contract
    row = next((one for one in chain.rows if strike_text(one.strike) == contract[:-1]), None)
    side = None if row is None else row.call if contract[-1:] == "C" else row.put
    if side is None:
        return ((),)
    style = ink.FAINT if side.old_s > 0 else ink.TEXT
    told = (
        ("Δ", "" if columns.delta else _delta(side)),
        ("IV", "" if columns.vol else "--" if side.iv is None else f"{side.iv:.1f}"),
        ("vol", words.compact(side.volume) if side.volume else "none"),
    )
    spans: list[Span] = [(f" {contract}", ink.STRONG)]
    for name, text in told:
        spans += [(f"  {name} ", ink.FAINT), (text, style)] if text else []
    return (ink.clipped(tuple(spans), width),)


def _heading(columns: _Columns, width: int) -> Line:
    more = "".join(
        f"{name:>{cells}}"
        for name, cells in (("Δ", columns.delta), ("IV", columns.vol), ("vol", columns.traded))
        if cells
    )
    side = f"{'bid':>{columns.price}}{'ask':>{columns.price}}{more}"
    return ink.clipped(((f"{side}{'strike':^{STRIKE}}{side}", ink.FAINT),), width)


def _block(row: ChainRow, scene: Scene, columns: _Columns, width: int, money: str) -> Block:
    key = strike_text(row.strike)
    chosen = scene.sight.contract[-1:] if scene.sight.contract[:-1] == key else ""
    at_money = key == money
    middle = f"{'▸' if at_money else ' '}{key:^{STRIKE - 2}}{'◂' if at_money else ' '}"
    spans: list[Span] = [
        *_side(row.call, columns, chosen=chosen == "C"),
        (middle, ink.ACCENT if at_money else ink.STRONG),
        *_side(row.put, columns, chosen=chosen == "P"),
    ]
    return Block((ink.clipped(tuple(spans), width),), key)


def _side(side: Side | None, columns: _Columns, *, chosen: bool) -> Line:
    if side is None:
        return ((f"{'·':>{columns.price}}{'':{columns.side - columns.price}}", ink.FAINT),)
    stale = side.old_s > 0
    style = ink.FAINT if stale else ink.TEXT
    mark = ">" if chosen else "●" if side.held else " "
    prices = f"{mark}{_price(side.bid):>{columns.price - 1}}{_price(side.ask):>{columns.price}}"
    spans: list[Span] = [(prices, style if not chosen else ink.STRONG if not stale else ink.FAINT)]
    more = (
        (_delta(side), columns.delta), ("--" if side.iv is None else f"{side.iv:.1f}", columns.vol),
        (words.compact(side.volume) if side.volume else "·", columns.traded),
    )  # fmt: skip
    spans += [(f"{text:>{cells}}", ink.FAINT if stale else ink.DIM) for text, cells in more if cells]
    return tuple(spans)


def _price(value: object) -> str:
    return "--" if value is None else f"{value:.2f}"


def _delta(side: Side) -> str:
    """`.42`, `-.30`, `-1.0`; our own model's with a tilde."""
    if side.delta is None:
        return "--"
    text = f"{side.delta:.2f}".replace("0.", ".", 1)[:4]
    return f"~{text}" if side.modelled else text
