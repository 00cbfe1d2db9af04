"""Risk: what every rule says now, the book's greeks, what it is exposed to, and what a shock would cost."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import ClassVar, Final

import msgspec
from textual.binding import BindingType

from station.link import Query
from widgets import ink, screen_keys, words
from widgets.columns import Column, Table, whole
from widgets.floorplan import Column as Side
from widgets.floorplan import Slot
from widgets.ink import Line
from widgets.page import Page, PagePane, Question
from widgets.pane import Block, Content, wrapped
from widgets.scene import Scene

RULES: Final = (
    Column("", 1), Column("rule", 19), Column("now", 16, grows=True), Column("limit", 15, rank=1, grows=True),
    Column("code", 20, rank=2),
)  # fmt: skip
SIDES: Final = ("CALL", "PUT")
CELL: Final = 7


class Ruling(msgspec.Struct, frozen=True):
    rule: str
    passed: bool
    value: str = ""
    limit: str = ""
    reason: str = ""
    code: str | None = None


class Asked(msgspec.Struct, frozen=True):
    """The proposal that was judged."""

    symbol: str
    contract: str
    action: str
    qty: float


class Share(msgspec.Struct, frozen=True):
    name: str
    value: str
    pct: float | None = None


class Exposure(msgspec.Struct, frozen=True):
    underlying: tuple[Share, ...] = ()
    strategy: tuple[Share, ...] = ()
    sector: tuple[Share, ...] = ()


class Greeks(msgspec.Struct, frozen=True):
    delta_index: float = 0.0
    gamma_index: float = 0.0
    vega_usd: float = 0.0
    theta_usd_day: float = 0.0


class Stress(msgspec.Struct, frozen=True):
    pct: float = -30.0
    pnl: str = "0"


class Grid(msgspec.Struct, frozen=True):
    """`pnl` of the book by volatility, then by spot."""

    spots_pct: tuple[float, ...] = ()
    vols_pct: tuple[float, ...] = ()
    pnl: tuple[tuple[str, ...], ...] = ()


class Concentration(msgspec.Struct, frozen=True):
    largest: str | None = None
    pct: float = 0.0
    herfindahl: float = 0.0


class Correlation(msgspec.Struct, frozen=True):
    symbols: tuple[str, ...] = ()
    matrix: tuple[tuple[float | None, ...], ...] = ()


class Book(msgspec.Struct, frozen=True):
    positions: int = 0
    value: str = "0"
    exposure: Exposure = Exposure()
    greeks: Greeks = Greeks()
    open_risk: str = "0"
    var_95: str = "0"
    sigma_pct: float = 0.0
    stress: Stress = Stress()
    grid: Grid = Grid()
    concentration: Concentration = Concentration()
    correlation: Correlation = Correlation()


class RiskTold(msgspec.Struct, frozen=True):
    """The engine's `risk` document, as far as it is shown."""

    proposal: Asked
    approved: bool
    fits: float = 0
    bound_by: str | None = None
    note: str = ""
    verdicts: tuple[Ruling, ...] = ()
    portfolio: Book = Book()


class RiskPage(Page):
    """Every preflight rule on one contract as it would be picked now; the whole book beside it."""

    TITLE = "Risk"
    EVERY_S = 4.0
    PLANS = (
        ((150, 38), (
            Side(0, (Slot(("rules",)),)),
            Side(66, (Slot(("book",), rows=10), Slot(("grid",), rows=11), Slot(("exposure",)))),
        )),
        ((110, 30), (
            Side(0, (Slot(("rules",)),)),
            Side(54, (Slot(("book",), rows=10), Slot(("grid",), rows=9), Slot(("exposure",)))),
        )),
    )  # fmt: skip
    BINDINGS: ClassVar[list[BindingType]] = [*screen_keys.bindings("risk")]
    _side = ""
    _symbol = ""
    _refusals = False

    def questions(self) -> Mapping[str, Question]:
        args = {"symbol": self._symbol, "side": self._side}
        return {"risk": Question(Query("risk", {key: value for key, value in args.items() if value}), RiskTold)}

    def make(self) -> list[PagePane]:
        return [
            self.pane("rules", "Risk", "risk", self._rules), self.pane("book", "The book", "risk", self._book),
            self.pane("grid", "Stress", "risk", self._grid),
            self.pane("exposure", "Exposure", "risk", self._exposure),
        ]  # fmt: skip

    @property
    def told(self) -> RiskTold | None:
        return self.document("risk", RiskTold)

    # --- what is seen -------------------------------------------------------------------------------

    def _rules(self, scene: Scene, width: int) -> Content:
        told = self.told
        if told is None:
            return Content()
        refused = [one for one in told.verdicts if not one.passed]
        shown = refused if self._refusals else [*refused, *(one for one in told.verdicts if one.passed)]
        table, picked = Table(RULES, width), self.query_one(f"#{self.id}-rules", PagePane).picked
        label = words.contract(told.proposal.contract, scene.now_ns)
        verdict = ("APPROVED", ink.UP) if told.approved else (f"REFUSED by {len(refused)}", ink.ALARM)
        share = "of" if refused else "by all"
        asked = f" {share} {len(told.verdicts)} rules: {told.proposal.action} {told.proposal.qty:g} {label}"
        head: list[Line] = [ink.clipped(((" ", ink.TEXT), verdict, (asked, ink.TEXT), _fits(told)), width)]
        if told.note:
            head.append(ink.clipped(((f" {told.note}", ink.DIM),), width))
        return Content(
            note=f"{len(refused)} refuse" if refused else "none refuses", warn=bool(refused),
            head=(*head, table.heading),
            blocks=tuple(Block(_rule(one, table, width, opened=one.rule == picked), one.rule) for one in shown),
            empty="no rule refuses now: b shows them all",
        )  # fmt: skip

    def _book(self, _scene: Scene, width: int) -> Content:
        told = self.told
        if told is None:
            return Content()
        book, greeks = told.portfolio, told.portfolio.greeks
        limits = {one.rule: one.limit for one in told.verdicts}
        largest = book.concentration
        named = f"{largest.largest} {largest.pct:.0f}% of value" if largest.largest else "-"
        rows = (
            ("positions", f"{book.positions}, value ${_money(book.value)}", limits.get("open positions", "")),
            ("delta", f"{greeks.delta_index:+,.2f} index units", limits.get("portfolio delta", "")),
            ("gamma", f"{greeks.gamma_index:+.4f}", ""),
            ("vega", f"{words.dollars(greeks.vega_usd)} per 1.00 of vol", limits.get("portfolio vega", "")),
            ("theta", f"{words.dollars(greeks.theta_usd_day)} a day", limits.get("portfolio theta", "")),
            ("open risk", f"${_money(book.open_risk)}", limits.get("capital at risk", "")),
            ("VaR 95%", f"${_money(book.var_95)} at {book.sigma_pct:.2f}% a day", ""),
            (f"at {book.stress.pct:g}%", _signed(book.stress.pnl), ""),
            ("largest", named, ""),
        )
        return Content(
            note="" if book.positions else "flat",
            blocks=tuple(Block((_fact(name, said, limit, width),)) for name, said, limit in rows),
        )

    def _grid(self, _scene: Scene, width: int) -> Content:
        told = self.told
        grid = told.portfolio.grid if told is not None else Grid()
        if not grid.pnl or told is None or not told.portfolio.positions:
            return Content(title="Stress: spot × volatility", empty="flat: no shock costs anything")
        kept = _columns_kept(len(grid.spots_pct), (width - 8) // CELL)
        room = (width - 8) // max(len(kept), 1)
        spots = tuple((f"{grid.spots_pct[n]:+g}%".rjust(room), ink.FAINT) for n in kept)
        head: Line = ((f"{' vol':<8}", ink.FAINT), *spots)
        lines: list[Line] = []
        for vol, row in zip(grid.vols_pct, grid.pnl, strict=True):
            spans = [(f" {vol:+g}%".ljust(8), ink.STRONG if not vol else ink.FAINT)]
            spans += [(_cell(row[n]).rjust(room), words.tone(Decimal(row[n]))) for n in kept]
            lines.append(ink.clipped(tuple(spans), width))
        return Content(
            title="Stress: spot × volatility", note="$ of P&L", head=(ink.clipped(head, width),),
            blocks=tuple(Block((line,)) for line in lines),
        )  # fmt: skip

    def _exposure(self, _scene: Scene, width: int) -> Content:
        told = self.told
        book = told.portfolio if told is not None else Book()
        lines: list[Line] = []
        for title, shares in (
            ("underlying", book.exposure.underlying), ("strategy", book.exposure.strategy),
            ("sector", book.exposure.sector),
        ):  # fmt: skip
            if shares:
                lines.append(((f" by {title}", ink.FAINT),))
                lines += [_share(one, width) for one in shares]
        matrix = book.correlation
        if len(matrix.symbols) > 1:
            lines.append(((" correlation of daily returns", ink.FAINT),))
            lines += _correlation(matrix, width)
        return Content(blocks=tuple(Block((line,)) for line in lines), empty="flat: nothing is exposed")

    # --- what keys do -------------------------------------------------------------------------------

    def action_side(self) -> None:
        told = self.told
        shown = self._side or ("PUT" if told is not None and told.proposal.contract.endswith("P") else "CALL")
        self._side = SIDES[1 - SIDES.index(shown)]
        self.floor.pump()

    def action_symbol(self, step: int) -> None:
        symbols = self.floor.symbols
        told = self.told
        here = self._symbol or (told.proposal.symbol if told is not None else "")
        if symbols:
            place = symbols.index(here) + step if here in symbols else 0
            self._symbol = symbols[place % len(symbols)]
            self.floor.pump()

    def action_refusals(self) -> None:
        self._refusals = not self._refusals
        self.floor.repaint()


def _fits(told: RiskTold) -> tuple[str, ink.Style]:
    if told.fits == told.proposal.qty:
        return "", ink.TEXT
    bound = f", bound by {told.bound_by}" if told.bound_by else ""
    return f"; {told.fits:g} would fit{bound}", ink.WARN


def _rule(one: Ruling, table: Table, width: int, *, opened: bool) -> tuple[Line, ...]:
    value, limit = one.value, one.limit
    mark = ("✓", ink.UP) if one.passed else ("×", ink.ALARM)
    style = ink.DIM if one.passed else ink.STRONG
    line = table.line(
        [mark, (one.rule, style), (value, ink.TEXT), (limit, ink.FAINT),
         ("" if one.passed else one.code or "", ink.WARN)]
    )  # fmt: skip
    lines = whole(line, (("now", value), ("limit", limit)), width) if opened else (line,)
    if one.passed:
        return lines
    reason = wrapped(one.reason, width - 6)
    return (*lines, *(((f"     {piece}", ink.WARN),) for piece in reason))


def _fact(name: str, said: str, limit: str, width: int) -> Line:
    left: Line = ((f" {name:<10}", ink.DIM), (said, ink.TEXT))
    room = width - ink.width_of(left) - 2
    limit = limit.partition(" per ")[0].partition(" to ")[0]
    return ink.spread(left, ((f"{ink.fit(limit, min(room, len(limit)))} ", ink.FAINT),) if limit else (), width)


def _share(one: Share, width: int) -> Line:
    pct = "" if one.pct is None else f"{one.pct:6.1f}%"
    bar = "█" * min(round((one.pct or 0) / 5), 20)
    left: Line = (
        (f"   {one.name:<14}", ink.TEXT),
        (f"{'$' + _money(one.value):>13}", ink.TEXT),
        (pct, ink.DIM),
    )
    return ink.clipped((*left, (f"  {bar}", ink.ACCENT)), width)


def _correlation(matrix: Correlation, width: int) -> list[Line]:
    head: Line = (("        ", ink.TEXT), *((f"{name:>7}", ink.FAINT) for name in matrix.symbols))
    lines = [ink.clipped(head, width)]
    for name, row in zip(matrix.symbols, matrix.matrix, strict=False):
        cells = tuple(("      -" if one is None else f"{one:>7.2f}", ink.TEXT) for one in row)
        lines.append(ink.clipped(((f"   {name:<5}", ink.FAINT), *cells), width))
    return lines


def _money(text: str) -> str:
    return words.money(Decimal(text))


def _signed(text: str) -> str:
    amount = Decimal(text)
    return f"{words.arrow(amount)} {words.signed_money(amount)}"


def _columns_kept(count: int, room: int) -> list[int]:
    """As many columns as there is room for: the outermost and the middle stay longest."""
    kept = list(range(count))
    while len(kept) > max(room, 3):
        del kept[len(kept) // 4 or 1], kept[-(len(kept) // 4 or 1) - 1]
    return kept


def _cell(text: str) -> str:
    """Dollars in at most seven cells."""
    amount = Decimal(text)
    if abs(amount) >= 1_000_000:
        return f"{amount / 1_000_000:+.1f}M"
    return f"{amount / 1000:+.0f}k" if abs(amount) >= 10_000 else f"{amount:+,.0f}"
