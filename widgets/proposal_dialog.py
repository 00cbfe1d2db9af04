"""What a strategy proposes, as a ticket: its contract, its terms or a hand's, and at most its size."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from textual.events import Key

from station.link import Command, PreviewProposal, ProposalRow, TakeProposal, Taking
from widgets import words
from widgets.order import Order, ticket_of
from widgets.ticket_dialog import Counter, TicketDialog
from widgets.ticket_view import EDIT

DECLINE_KEY: Final = "d"
NEXT_KEY: Final = "n"
POLICIES: Final = {
    "market": "at market", "mid": "limit at mid", "cap": "limit up to its cap",
    "walk": "limit, walking from mid",
}  # fmt: skip


class ProposalDialog(TicketDialog):
    """A ticket of the strategy's own terms: its size can be less, its limit, target and stop a hand's; one key
    declines it."""

    def __init__(
        self, counter: Counter, order: Order, row: ProposalRow, decline: Callable[[ProposalRow], None],
        onward: Callable[[str], None] | None = None,
    ) -> None:  # fmt: skip
        super().__init__(counter, order)
        self._onward = onward
        self._row = row
        self._decline = decline
        policy = POLICIES.get(row.policy, row.policy or "as its strategy says")
        self.form = replace(self.form, only=("qty", "limit", "target", "stop"), policy=policy)

    def on_mount(self) -> None:
        super().on_mount()
        self.query_one("#box").border_title = f"PROPOSAL  {self._counter.environment()}"

    def question(self, order: Order) -> Command:
        return PreviewProposal(self._row.trade_id, order.qty, taking_of(order))

    def command(self, order: Order) -> Command:
        return TakeProposal(self._row.trade_id, self.token, order.qty, self._counter.by, taking_of(order))

    def about(self) -> tuple[str, ...]:
        row, now_ns = self._row, self._counter.now_ns()
        left = f"{words.countdown(row.until_ns, now_ns)} left" if row.until_ns > now_ns else "its time is over"
        return (
            f"{row.strategy} {row.side}, sure {row.confidence}",
            ", ".join(row.scanners),
            f"order: {self.form.policy}",
            f"until {words.clock_text(row.until_ns)} ET, {left}",
            *(("n: the next proposal",) if self._onward is not None else ()),
        )

    def on_key(self, event: Key) -> None:
        if event.key == DECLINE_KEY and self.stage == EDIT:
            event.stop()
            event.prevent_default()
            self.dismiss(None)
            self._decline(self._row)
            return
        if event.key == NEXT_KEY and self.stage == EDIT and self._onward is not None:
            event.stop()
            event.prevent_default()
            self.dismiss(None)
            self._onward(self._row.trade_id)
            return
        super().on_key(event)


def taking_of(order: Order) -> Taking:
    """What of it is not the strategy's."""
    ticket = ticket_of(order)
    return Taking(ticket.limit, ticket.target_price, ticket.target_pct, ticket.stop_price, ticket.stop_pct)
