"""What the screen looks at, and what it asks the engine for because of it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from station.link import Chain
from widgets.account import AccountStrip
from widgets.sight import Sight, at_the_money, lists

if TYPE_CHECKING:
    from widgets.app import FloorApp


class Gaze:
    """`sight` is what is looked at."""

    def __init__(self, app: FloorApp) -> None:
        self._app = app
        self.sight = Sight()

    def aim(
        self, *, symbol: str = "", timeframe: str = "", contract: str = "", step: int = 0, switch: str = ""
    ) -> bool:
        """Look elsewhere; whether nothing has to be asked for it, so that it can be painted at once.
        A part that has to be asked for is painted when it comes."""
        sight = self.sight.at(symbol) if symbol else self.sight
        if timeframe:
            sight = replace(sight, timeframe=timeframe)
        if contract:
            sight = replace(sight, contract=contract, picked=True)
        if step:
            sight = sight.stepped(step)
        if switch == "expiry":
            sight = sight.next_expiry()
        elif switch:
            sight = replace(sight, **{switch: not getattr(sight, switch)})
        if sight == self.sight:
            return False
        asked = sight.asks(self._shown()) != self.sight.asks(self._shown())
        self.sight = sight
        self.look()
        return not asked

    def find(self) -> None:
        """Until somebody chooses: the first symbol, and its call at the money; another when the chain has moved
        away from it."""
        sight = self.sight
        if not sight.symbol and self._app.symbols:
            sight = sight.at(self._app.symbols[0])
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

    def _shown(self) -> set[str]:
        base = self._app.screen_stack[0]
        names = {pane.id or "" for pane in self._app.panes if pane.display}
        return names | ({"account"} if base.query_one(AccountStrip).display else set())

    def look(self) -> None:
        """Ask for what is looked at in the panes that are shown."""
        self._app.link.look(self.sight.asks(self._shown()))
