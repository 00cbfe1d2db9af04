"""The floor: its screen, the plan it stands by, and its panes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Protocol

from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.layout import Layout
from textual.screen import Screen

from widgets import alerts, feed, orders, positions, strategies, watch, wealth
from widgets.actions import PANE_KEYS
from widgets.book import BookPane
from widgets.chain import ChainPane
from widgets.chart import ChartPane
from widgets.dialogs import LeftOnce
from widgets.floorplan import PlanLayout
from widgets.frames import FrameCompositor
from widgets.pane import Pane

_CURSOR = ("up down", "Move the cursor.")


class FloorPlan(Container):
    """The panes, where the plan puts them."""

    def __init__(self) -> None:
        super().__init__(id="floor")
        self.plan = PlanLayout()

    @property
    def layout(self) -> Layout:
        return self.plan


class FloorScreen(Screen[None], inherit_bindings=False):
    """The base screen; its keys are the action table's, none of the toolkit's, and its frames are small."""

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id)
        self._compositor = FrameCompositor()

    def _compositor_refresh(self) -> None:
        """Behind a dialog the cells that changed alone are drawn anew. The toolkit's own makes them dirty once
        more each time: the whole screen, drawn once, went to the terminal with every picture from then on."""
        top, behind = self.app.screen, self.app._background_screens  # pyright: ignore[reportPrivateUsage]
        if not isinstance(top, LeftOnce) or self not in behind:
            super()._compositor_refresh()
            return
        changed = self._compositor._dirty_regions  # pyright: ignore[reportPrivateUsage]
        if changed:
            top.draw_behind(changed)
            changed.clear()
        self._dirty_widgets.clear()


class WatchPane(Pane):
    """Left and right turn to another group, enter edits the one shown."""

    HELP = (
        ("up down", "Choose the symbol: chart, chain and tickets follow."), ("left right", "Another group."),
        ("enter I", "Change this group, or make one."),
    )  # fmt: skip
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left", "app.group(-1)", "group before", show=False),
        Binding("right", "app.group(1)", "next group", show=False),
        Binding("enter", "app.act('groups')", "group", show=False),
    ]


class PositionsPane(Pane):
    HELP = (
        _CURSOR, ("b", "Ticket for more of it."), ("s -", "Close a part of it."),
        ("V", "Close it and go the other way."),
    )  # fmt: skip


class OrdersPane(Pane):
    """Enter changes the order under the cursor."""

    HELP = (_CURSOR, ("enter M", "Change it: the price, of an entry the size too."), ("c C", "Cancel it; all."))
    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter", "app.act('modify')", "modify", show=False)]


class FeedPane(Pane):
    HELP = (_CURSOR, ("b", "Ticket of the firing: its side, the option nearest the house's delta."))


class Aim(Protocol):
    """Looks at another symbol or option."""

    def __call__(self, *, symbol: str = "", contract: str = "") -> None: ...


def floor_panes(aim: Aim, *, plain: bool) -> Iterator[Pane]:
    """Every pane of the floor; `plain` where only ASCII may be drawn."""
    key = PANE_KEYS
    yield WatchPane(key["watch"], "Watchlist", watch.part, watch.content, id="watch", ascii_only=plain,
                    on_pick=lambda symbol: aim(symbol=symbol))  # fmt: skip
    yield ChartPane(key["chart"], id="chart", ascii_only=plain)
    yield PositionsPane(key["positions"], "Positions", positions.part, positions.content, id="positions",
                        ascii_only=plain)  # fmt: skip
    yield OrdersPane(
        key["orders"], "Working orders", orders.part, orders.content, id="orders", ascii_only=plain
    )
    yield ChainPane(key["chain"], id="chain", ascii_only=plain,
                    on_contract=lambda contract: aim(contract=contract))  # fmt: skip
    yield BookPane(key["book"], id="book", ascii_only=plain)
    yield FeedPane(key["feed"], "Scanner feed", feed.part, feed.content, id="feed", ascii_only=plain)
    yield Pane(key["strategies"], "Strategies", strategies.part, strategies.content, id="strategies",
               ascii_only=plain)  # fmt: skip
    yield Pane(key["wealth"], "Wealth", wealth.part, wealth.content, id="wealth", ascii_only=plain)
    yield Pane(key["alerts"], "Alerts", alerts.part, alerts.content, id="alerts", ascii_only=plain)
