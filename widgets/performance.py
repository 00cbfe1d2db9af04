"""Performance: the equity curve and its falls, the figures, and the same by group."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import ClassVar, Final

from textual.binding import BindingType

from station.link import Query
from widgets import filters, ink, screen_keys, words
from widgets.asking import LineDialog
from widgets.columns import Column, Table
from widgets.curve import curve
from widgets.floorplan import Column as Side
from widgets.floorplan import Slot
from widgets.ink import Line
from widgets.ledger import wanted
from widgets.page import Page, PagePane, Question
from widgets.pane import Block, Content
from widgets.scene import Scene
from widgets.story import hold_text
from widgets.told import Figures, PerformanceTold

GROUPS: Final = (
    ("strategy", "By strategy"), ("hour", "By hour of entry, New York"), ("scanner", "By scanner"),
    ("cause", "By what closed it"),
)  # fmt: skip
COLUMNS: Final = (
    Column("", 12, grows=True), Column("trades", 6, ">"), Column("won", 6, ">", rank=1), Column("net", 12, ">"),
    Column("factor", 6, ">", rank=2), Column("each", 9, ">", rank=3), Column("fall", 9, ">", rank=4),
)  # fmt: skip
DAY_COLUMNS: Final = (
    Column("session", 10), Column("trades", 6, ">", rank=1), Column("net", 11, ">"),
    Column("equity", 12, ">", rank=2), Column("return", 8, ">", rank=3),
)  # fmt: skip
NAME: Final = 15


class PerformancePage(Page):
    """Everything closed, or what a filter leaves of it."""

    TITLE = "Performance"
    EVERY_S = 10.0
    PLANS = (
        ((150, 38), (
            Side(0, (Slot(("curve",), share=3), Slot(("strategy", "scanner"), share=2))),
            Side(62, (Slot(("figures",), rows=17), Slot(("hour", "cause")), Slot(("days",)))),
        )),
        ((110, 30), (
            Side(0, (Slot(("curve",), share=3), Slot(("strategy", "scanner", "cause"), share=2))),
            Side(46, (Slot(("figures",), rows=16), Slot(("hour", "days")))),
        )),
    )  # fmt: skip
    BINDINGS: ClassVar[list[BindingType]] = [*screen_keys.bindings("performance")]

    _args: Mapping[str, str] = {}

    def questions(self) -> Mapping[str, Question]:
        return {"all": Question(Query("performance", dict(self._args)), PerformanceTold)}

    def make(self) -> list[PagePane]:
        return [
            self.pane("curve", "Performance", "all", self._curve, kind=CurvePane),
            self.pane("figures", "Figures", "all", self._figures),
            *(self._group(name, title) for name, title in GROUPS),
            self.pane("days", "Sessions", "all", self._days),
        ]

    def _group(self, name: str, title: str) -> PagePane:
        return self.pane(name, title, "all", lambda _scene, width: self._grouped(name, width))

    @property
    def told(self) -> PerformanceTold:
        return self.document("all", PerformanceTold) or PerformanceTold()

    # --- what is seen -------------------------------------------------------------------------------

    def _curve(self, _scene: Scene, _width: int) -> Content:
        points = self.told.curve
        only = filters.written(self._args)
        net = Decimal(points[-1].total) if points else Decimal(0)
        note = f"{only}  {words.counted(len(points), 'trade')}  {words.signed_money(net)}".strip()
        empty = (
            "no closed trade matches the filter: backspace clears it"
            if only
            else "no closed trade yet: the curve begins with the first"
        )
        return Content(note=note, warn=bool(only), empty=empty)

    def _figures(self, _scene: Scene, width: int) -> Content:
        told = self.told.all
        if not told.trades:
            return Content(empty="no closed trade yet: figures come with the first")
        return Content(
            blocks=(Block(tuple(_figure(name, text, tone, width) for name, text, tone in _rows(told))),)
        )

    def _grouped(self, name: str, width: int) -> Content:
        members = self.told.by.get(name, {})
        table = Table(COLUMNS, width)
        ordered = members.items() if name == "hour" else sorted(
            members.items(), key=lambda one: (-Decimal(one[1].net_pnl), one[0])
        )  # fmt: skip
        blocks = tuple(_member(f"{key}:00" if name == "hour" else key, told, table) for key, told in ordered)
        return Content(
            note=str(len(blocks)),
            head=(table.heading,) if blocks else (),
            blocks=blocks,
            empty="no closed trade yet",
        )

    def _days(self, _scene: Scene, width: int) -> Content:
        table = Table(DAY_COLUMNS, width)
        days = self.told.days
        blocks = tuple(
            Block((table.line([
                (day.session, ink.TEXT), (str(day.trades), ink.DIM), _money(day.net_pnl),
                (words.money(Decimal(day.equity_end)), ink.TEXT),
                ("--" if day.return_pct is None else words.signed_pct(day.return_pct), ink.DIM),
            ]),))
            for day in reversed(days)
        )  # fmt: skip
        return Content(
            note=str(len(blocks)), head=(table.heading,) if blocks else (), blocks=blocks,
            empty="no session has ended yet: each leaves a line here",
        )  # fmt: skip

    # --- what keys do -------------------------------------------------------------------------------

    def action_clear(self) -> None:
        self._args = {}
        self.floor.pump()

    def action_filter(self) -> None:
        names = " ".join(self.told.by.get("strategy", {}))
        dialog = LineDialog(
            self.floor.perf, "PERFORMANCE FILTER",
            "from:2025-11-01 to: date: symbol: strategy: tag: or words to look for. Empty shows all.",
            value=filters.written(self._args), more=(f"strategies  {names}",) if names else (), check=_wrong,
        )  # fmt: skip
        self.app.push_screen(dialog, self._filtered)

    def _filtered(self, line: str | None) -> None:
        if line is not None:
            self._args = _parsed(line)
            self.floor.pump()


def _parsed(line: str) -> dict[str, str]:
    return wanted(line, lambda word: "tag" if word.startswith("#") else "")


def _wrong(line: str) -> str:
    try:
        _parsed(line)
    except ValueError as error:
        return str(error)
    return ""


class CurvePane(PagePane):
    """The running result above, how far it is under its highest below."""

    def _body(self, scene: Scene, width: int, height: int) -> list[Line]:
        told = self.room.document("all", PerformanceTold)
        if told is None or not told.curve:
            return super()._body(scene, width, height)
        totals = [float(point.total) for point in told.curve]
        falls = [-float(point.fall) for point in told.curve]
        below = max((height - 2) // 4, 2)
        above = max(height - 2 - below, 2)
        style = ink.UP if totals[-1] >= 0 else ink.DOWN
        last = told.curve[-1]
        now = "at its highest" if not falls[-1] else f"now -{last.fall}"
        lines = [
            _caption("equity, dollars since the first trade", f"now {totals[-1]:+,.2f}", style, width),
            *curve([0.0, *totals], width, above, style, plain=self._ascii),
            _caption("under its highest", f"deepest {min(falls):,.2f}  {now}", ink.DIM, width),
            *curve([0.0, *falls], width, below, ink.DOWN, plain=self._ascii),
        ]  # fmt: skip
        return self._aged(lines, scene)


def _caption(name: str, said: str, tone: ink.Style, width: int) -> Line:
    return ink.clipped(((f" {name}  ", ink.FAINT), (said, tone)), width)


def _rows(told: Figures) -> list[tuple[str, str, ink.Style]]:
    """Name, figure and tone, the most looked-for first."""
    net, tone = _money(told.net_pnl)
    return [
        ("net", net, tone),
        ("trades", f"{told.trades}   {told.wins} won  {told.losses} lost", ink.TEXT),
        ("win rate", _share(told.win_rate), ink.TEXT),
        ("profit factor", _ratio(told.profit_factor), ink.TEXT),
        ("expectancy", _dollars(told.expectancy), ink.TEXT),
        ("average win", _dollars(told.average_win), ink.UP),
        ("average loss", _dollars(told.average_loss), ink.DOWN),
        ("deepest fall", _fall(told.max_drawdown), ink.DOWN),
        ("Sharpe", _ratio(told.sharpe), ink.TEXT),
        ("Sortino", _ratio(told.sortino), ink.TEXT),
        ("held, mean", hold_text(told.mean_hold_s), ink.TEXT),
        ("commissions", told.commissions, ink.DIM),
    ]


def _figure(name: str, text: str, tone: ink.Style, width: int) -> Line:
    return ink.clipped(((f" {name:<{NAME}}", ink.FAINT), (text, tone)), width)


def _member(name: str, told: Figures, table: Table) -> Block:
    line = table.line(
        [
            (name or "(none)", ink.TEXT), (str(told.trades), ink.DIM), (_share(told.win_rate), ink.TEXT),
            _money(told.net_pnl), (_ratio(told.profit_factor), ink.DIM), (_dollars(told.expectancy), ink.DIM),
            (_fall(told.max_drawdown), ink.DIM),
        ]
    )  # fmt: skip
    return Block((line,))


def _money(text: str) -> tuple[str, ink.Style]:
    amount = Decimal(text)
    return f"{words.arrow(amount)} {words.signed_money(amount)}", words.tone(amount)


def _fall(text: str) -> str:
    return f"-{text}" if Decimal(text) else "none"


def _dollars(text: str | None) -> str:
    return "--" if text is None else words.signed_money(Decimal(text))


def _share(value: float | None) -> str:
    return "--" if value is None else f"{value * 100:.0f}%"


def _ratio(value: float | None) -> str:
    return "--" if value is None else f"{value:.2f}"
