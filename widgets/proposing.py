"""What strategies propose, as tickets to be taken or declined."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from station.link import Command, DeclineProposal, ProposalRow
from widgets import words
from widgets.contracts import order_of_label
from widgets.order import BUY, MARKET, MID, Order
from widgets.proposal_dialog import ProposalDialog
from widgets.ticket_dialog import Counter

if TYPE_CHECKING:
    from widgets.app import FloorApp


class Proposing:
    """Each proposal keeps the token under which it is taken, until that is answered."""

    def __init__(
        self, app: FloorApp, barred: Callable[[], str], counter: Callable[[], Counter],
        send: Callable[[Command, str], None],
    ) -> None:  # fmt: skip
        self._app = app
        self._barred = barred
        self._counter = counter
        self._send = send
        self._takings: dict[str, dict[Order, str]] = {}

    def open(self, after: str = "") -> None:
        """What a strategy proposes: that of the signal under the cursor, else the newest; or the one older than
        `after`, in a circle."""
        barred, part = self._barred(), self._app.link.view.floor.proposals
        rows = part.rows if part is not None else ()
        if barred or not rows:
            self._app.tell(barred or "no strategy proposes anything now", "bad" if barred else "warn")
            return
        page = self._app.pages.shown
        picked = page.picked_trade if page is not None else ""
        places = [place for place, row in enumerate(rows) if row.trade_id == (after or picked)]
        row = rows[places[0]] if places and not after else rows[(places or [0])[0] - 1]
        order = order_of_label(row.label, BUY)
        if order is None:
            self._app.tell(f"{row.label}: its contract is not known", "warn")
            return
        kind = MARKET if row.policy == "market" else MID
        order = replace(order, qty=int(row.qty), kind=kind)
        counter = replace(self._counter(), unanswered=self._takings.setdefault(row.trade_id, {}))
        self._app.push_screen(
            ProposalDialog(counter, order, row, self._decline, self.open if len(rows) > 1 else None)
        )

    def _decline(self, row: ProposalRow) -> None:
        counter = self._counter()
        label = words.contract(row.label, counter.now_ns())
        self._send(DeclineProposal(row.trade_id, counter.by), f"declining {row.strategy}: {label}")
