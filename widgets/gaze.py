"""What the screen looks at, and what it asks the engine for because of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from station.link import Chain
from widgets.account import AccountStrip
from widgets.sight import Sight, at_the_money, lists

if TYPE_CHECKING:
    from widgets.app import FloorApp


class Gaze:
    """`sight` is what is looked at; `first` chooses among what is watched until somebody does."""

    def __init__(self, app: FloorApp, sight: Sight, first: Callable[[tuple[str, ...]], str]) -> None:
        self._app = app
        self._first = first
        self.sight = sight

    def aim(
        self, *, symbol: str = "", timeframe: str = "", contract: str = "", step: int = 0, switch: str = "",
        group: str | None = None,
    ) -> bool:  # fmt: skip
        """Look elsewhere; whether nothing has to be asked for it, so that it can be painted at once.
        A part that has to be asked for is painted when it comes."""
        sight = self.sight.at(symbol) if symbol else self.sight
        if timeframe:
            sight = replace(sight, timeframe=timeframe)
        if contract:
            sight = replace(sight, contract=contract, picked=True)
        if group is not None:
            sight = replace(sight, group=group)
        if step:
            sight = sight.stepped(step)
        if switch == "expiry":
            sight = sight.next_expiry()
        elif switch:
            sight = replace(sight, **{switch: not getattr(sight, switch)})
        if sight == self.sight:
            return False
        shown = self.shown()
        asked = sight.asks(shown) != self.sight.asks(shown)
        self.sight = sight
        self.look()
        return not asked

    def find(self) -> None:
        """Until somebody chooses: the first symbol, and its call at the money; another when the chain has moved
        away from it."""
        sight = self.sight
        if not sight.symbol and self._app.symbols:
            sight = sight.at(self._first(self._app.symbols))
        chain = self._app.link.view.floor.chain
        if chain is not None and self._has_moved_on(chain, sight):
            sight = replace(sight, contract=at_the_money(chain))
        if sight != self.sight:
            self.sight = sight
            self.look()

    @staticmethod
    def _has_moved_on(chain: Chain, sight: Sight) -> bool:
        """The chain in sight does not list the option in sight, and nobody has chosen that one."""
        here = chain.ask == sight.chain and bool(chain.rows)
        return here and not sight.picked and not lists(chain, sight.contract)

    def shown(self) -> set[str]:
        """The parts of the floor that are in sight."""
        base = self._app.screen_stack[0]
        names = {pane.id or "" for pane in self._app.panes if pane.display}
        return names | ({"account"} if base.query_one(AccountStrip).display else set())

    def look(self) -> None:
        """Ask for what is looked at in the panes that are shown."""
        self._app.link.look(self.sight.asks(self.shown()))
