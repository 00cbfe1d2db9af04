"""The desk: who answers for trades. It leads the inbox, resolves what reconciliation finds, and is
protection's port; the way of a trade, the hands and the switches are its parts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Final, Protocol

from station.desk.adoption import AdoptionDesk
from station.desk.breaks import BreakDesk, Outcome
from station.desk.controls import ControlDesk
from station.desk.entries import EntryDesk
from station.desk.exits import ExitHands
from station.desk.inbox import Mishandled, OrderInbox
from station.desk.judgement import Judgement, terms_of
from station.desk.ledger import Ledger
from station.desk.reconciler import Reconciler
from station.desk.stopwatch import FILL_TO_PROTECT, Stopwatch
from station.desk.way import TradeWay
from station.domain.broker import (
    CommissionReport,
    DepthReport,
    ExecutionReport,
    GreeksReport,
    HaltReport,
    LinkReport,
    NoticeReport,
    OpenOrder,
    OrderNotice,
    OrderStatus,
    QuoteReport,
    Report,
    TickReport,
)
from station.domain.clock import Clock
from station.domain.events import Alerted, CommissionBooked, ExecutionBooked, LinkChanged, OrderMoved
from station.domain.instruments import Contract
from station.domain.market import Quote
from station.domain.orders import ZERO, Order, OrderState
from station.domain.trade import Cause, Trade, TradeState
from station.execution import Finding, Interpretation, turn
from station.execution.reconcile import Kind
from station.execution.reports import OrderReport
from station.market import Market
from station.protection import Directive, Holding
from station.risk import StrategyTerms


class Protector(Protocol):
    def notify(self, trade_id: str) -> None: ...

    def notify_all(self) -> None: ...

    def quote_moved(self, trade_id: str, quote: Quote | None = None) -> None: ...


TO_PROTECTION: Final = 4
"""Turns of the loop from a wake of protection to its exit at the database."""


class Desk:
    """Composed by the engine; every method here is short because its parts do the work."""

    def __init__(
        self, *, clock: Clock, breaks: BreakDesk, adoption: AdoptionDesk, ledger: Ledger,
        inbox: OrderInbox, market: Market, way: TradeWay, entries: EntryDesk,
        hands: ExitHands, controls: ControlDesk, reconciler: Reconciler,
        judgement: Judgement, kill_on_break: Callable[[str], None],
        on_link: Callable[[LinkReport], None], stopwatch: Stopwatch,
    ) -> None:  # fmt: skip
        self._clock = clock
        self._breaks = breaks
        self._adoption = adoption
        self._ledger = ledger
        self._inbox = inbox
        self._market = market
        self._way = way
        self._entries = entries
        self._hands = hands
        self._controls = controls
        self._reconciler = reconciler
        self._judgement = judgement
        self._kill_on_break = kill_on_break
        self._on_link = on_link
        self._stopwatch = stopwatch
        self._held: dict[Contract, list[str]] = {}
        self._loud: set[str] = set()
        self._mishandled: set[tuple[str, str]] = set()
        self._counted: dict[str, Decimal] = {}
        self.mishandled: Counter[str] = Counter()
        self.protector: Protector | None = None
        inbox.leader = self
        reconciler.resolver = self

    # --- the broker's reports -----------------------------------------------------------------------

    def on_report(self, report: Report) -> None:
        """The sink: market data is taken at once, order reports are queued. Never awaits, never raises: a
        report that no one can handle is counted, told once a kind and symbol, and locks its symbol."""
        try:
            self._sort(report)
        except Exception as error:  # noqa: BLE001 - the boundary where a fault becomes a record (FAULTS 59)
            what, symbol = type(report).__name__, _symbol_of(report)
            self.mishandled[what] += 1
            if (what, symbol) not in self._mishandled:
                self._mishandled.add((what, symbol))
                self._inbox.offer(Mishandled(what, symbol, error))

    def _sort(self, report: Report) -> None:
        match report:
            case QuoteReport():
                self._market.on_report(report)
                for trade_id in self._held.get(report.quote.contract, ()):
                    self._guard().quote_moved(trade_id, report.quote)
            case GreeksReport() | TickReport():
                self._market.on_report(report)
            case LinkReport():
                self._market.on_report(report)
                self._link(report)
            case ExecutionReport():
                self._time_fill(report)
                self._inbox.offer(report)
            case OrderStatus() | OrderNotice() | CommissionReport() | NoticeReport(code=0):
                self._inbox.offer(report)
            case _:
                self._market.on_report(report)

    def _time_fill(self, report: ExecutionReport) -> None:
        order = self._ledger.book.orders.get(report.execution.order_ref)
        if order is not None and not order.ticket.purpose.is_exit and order.filled == 0:
            self._stopwatch.start(FILL_TO_PROTECT, order.trade_id)

    def _link(self, report: LinkReport) -> None:
        self._reconciler.doubt()
        if report.up:
            self._reconciler.ask("the link is back")
        self._on_link(report)

    async def record_link(self, report: LinkReport) -> None:
        """A lost link makes every order that was in flight UNKNOWN (FAULTS 22)."""
        await self._ledger.record("", LinkChanged(report.up, report.data_kept, report.reason))
        if report.up:
            return
        for order in self._ledger.book.working():
            if order.state is OrderState.PENDING or order.cancel_cause:
                doubt = OrderMoved(order.ref, OrderState.UNKNOWN, 0, 0, "the link went down")
                await self._ledger.record(order.trade_id, doubt)

    # --- Leader -------------------------------------------------------------------------------------

    async def booked(self, trade: Trade, found: Interpretation) -> None:
        """A report is in the books: protect first, then go on with the trade. After a fill the lane waits until
        its exit stands in line for the database, before the reports that came with it."""
        self._follow(trade)
        self._guard().notify(trade.id)
        if any(isinstance(event, ExecutionBooked) for event in found.events):
            for _ in range(TO_PROTECTION):
                await turn()
        await self._excess(trade)
        if trade.state is TradeState.WEALTH_UPDATED:
            if any(isinstance(event, ExecutionBooked | CommissionBooked) for event in found.events):
                await self._way.record_wealth(trade)
            return
        self._inbox.lead(trade.id)

    def confirmed(self, trade_id: str) -> None:
        """The broker has an exit as it now stands: what waited for the room may go on."""
        self._guard().notify(trade_id)

    async def _excess(self, trade: Trade) -> None:
        """More than was asked, or anything after the end, is booked as it is and locks the symbol."""
        order = self._ledger.book.orders.get(trade.entry_ref)
        if order is not None and order.overfilled:
            await self.quarantine(
                trade.symbol, f"overfill: {order.filled} of {order.ticket.qty} on {order.ref}"
            )
        ended = trade.state in (TradeState.CLOSED, TradeState.WEALTH_UPDATED, TradeState.FAILED)
        if trade.open_qty < 0 or (ended and trade.open_qty != 0):
            await self.quarantine(trade.symbol, f"{trade.id} holds {trade.open_qty} in {trade.state.value}")

    async def nudged(self, trade_id: str) -> None:
        await self.advance(trade_id)

    async def advance(self, trade_id: str) -> None:
        before = self._ledger.trades[trade_id].state
        await self._way.advance(trade_id)
        trade = self._ledger.trades[trade_id]
        self._follow(trade)
        if trade.state is TradeState.WEALTH_UPDATED and before is not trade.state:
            await self._note(trade)

    async def _note(self, trade: Trade) -> None:
        """Count a result; of a trade that was opened again and closed anew, what it came to since."""
        net, counted = trade.net_pnl or ZERO, self._counted.get(trade.id, ZERO)
        self._counted[trade.id] = net
        await self._controls.note_result(replace(trade, net_pnl=net - counted), self._terms(trade))

    def _terms(self, trade: Trade) -> StrategyTerms:
        """The strategy's own limits as they are now, under the version that the trade ran by."""
        spec = self._way.specs().get(trade.strategy)
        terms = StrategyTerms() if spec is None else terms_of(spec)
        return replace(terms, version=trade.strategy_version)

    async def foreign(self, report: OrderReport) -> None:
        """Orders and fills that are not ours: seen once, told once, never managed (FAULTS 29, 36). What another
        hand trades is in risk at once, each leg of a combination for itself (FAULTS 19)."""
        if isinstance(report, CommissionReport):
            return
        subject = report.execution.exec_id if isinstance(report, ExecutionReport) else report.order_ref
        key = f"foreign {subject}"
        if isinstance(report, ExecutionReport) and key not in self._loud:
            self._reconciler.ask(f"another hand traded {report.execution.contract.label}")
        await self.alert("warning", f"not ours: {type(report).__name__} {subject}", key=key)

    async def noticed(self, notice: NoticeReport) -> None:
        """What the broker's adapter says for itself: told once."""
        await self.alert("warning", f"broker: {notice.text}", key=notice.text)

    async def quarantine(self, symbol: str, reason: str) -> None:
        await self._controls.quarantine(symbol, reason)

    def ask_reconcile(self, reason: str) -> None:
        self._reconciler.ask(reason)

    # --- Resolver -----------------------------------------------------------------------------------

    def may_resend(self, order: Order) -> bool:
        """A proven-absent exit always, if it still fits; an entry only in its time, with the gates open."""
        trade = self._ledger.trades[order.trade_id]
        if order.ticket.purpose.is_exit:
            room = self._hands.room(trade, order.ref)
            return trade.open_qty * order.ticket.action.sign < 0 and order.remaining <= room
        young = self._clock.now() < trade.entry_valid_until_ns
        return young and not order.cancel_cause and self._judgement.entries_open(trade.symbol)

    async def resend(self, order: Order) -> None:
        if order.ticket.purpose.is_exit:
            await self._hands.send(order.ticket)
        else:
            await self._entries.send(order.ticket)

    async def change_again(self, order: Order) -> None:
        """Send the committed change that the broker provably never had; an entry's only in its time. One of an
        OCA group is measured anew: others of its group may have filled since."""
        trade = self._ledger.trades.get(order.trade_id)
        if order.ticket.oca_group and order.ticket.purpose.is_exit and trade is not None:
            await self._hands.change_again(trade, order)
        elif order.state.is_working and (order.ticket.purpose.is_exit or self.may_resend(order)):
            await self._hands.send_change(order.ticket)

    async def take_back(self, order: Order) -> None:
        """Cancel an exit that the broker does not accept; what it was for is placed anew once it is gone."""
        await self._hands.cancel(order.ticket.contract.symbol, order.ref, "not accepted")

    def limit(self, held: Mapping[Contract, Decimal]) -> None:
        self._hands.limit(held)

    def seen(self, refs: Iterable[str]) -> None:
        self._adoption.seen(refs)

    async def keep(self, exits: Sequence[OpenOrder]) -> None:
        await self._adoption.keep(exits)
        self._guard().notify_all()

    async def resolve_break(self, finding: Finding) -> bool:
        """A position that left by another hand or expired is booked so, one of lost orders of ours is adopted;
        one that the books cannot explain locks its symbol and stops new trades, and nothing is guessed."""
        if finding.kind is Kind.FOREIGN_POSITION:
            return await self._adoption.meet(finding)
        outcome = await self._breaks.explain(finding)
        if outcome is Outcome.WAITING:
            self._reconciler.ask(finding.text)
        if outcome is not Outcome.UNEXPLAINED:
            return outcome is Outcome.EXPLAINED
        symbol = finding.contract.symbol if finding.contract is not None else finding.subject
        await self.quarantine(symbol, finding.text)
        self._kill_on_break(finding.text)
        return False

    async def settled(self) -> None:
        """The books agree again: go on with every trade, and look at every position."""
        self._guard().notify_all()
        for trade in self._ledger.live():
            self._follow(trade)
            await self.advance(trade.id)

    # --- settlement ---------------------------------------------------------------------------------

    async def settle_expired(self) -> int:
        """Ask the broker about what expired and is still held here; a reconciliation books what it no longer
        holds. Returns how many contracts remain. Raises BrokerUnavailable."""
        if self._breaks.overdue():
            await self._reconciler.reconcile("settlement", quiet=True)
        return len(self._breaks.overdue())

    # --- ExitPort -----------------------------------------------------------------------------------

    def holdings(self) -> Sequence[Holding]:
        left = (order.trade_id for order in self._ledger.book.working() if order.ticket.purpose.is_exit)
        trades = dict.fromkeys((*(trade.id for trade in self._ledger.open_trades()), *left))
        return [holding for holding in map(self.holding, trades) if holding is not None]

    def holding(self, trade_id: str) -> Holding | None:
        trade = self._ledger.trades.get(trade_id)
        exits = self._ledger.book.working_exits(trade_id)
        if trade is None or trade.contract is None or not (trade.state.is_open or exits):
            return None
        entry = self._ledger.book.orders.get(trade.entry_ref)
        entry_working = entry is not None and entry.state.is_working and not trade.entry_done
        if trade.open_qty == 0 and not exits and not entry_working:
            return None
        spec = self._way.specs().get(trade.strategy)
        return Holding(
            trade, exits, self._market.quote(trade.contract), self._judgement.tick_rule(trade.contract),
            entry_working=entry_working,
            kill_flatten=self._controls.controls.kill.on and self._controls.controls.kill.flatten,
            halted=self._market.halted(trade.symbol),
            day_shield_hit=self._judgement.day_shield_hit(trade.strategy, trade.shield),
            stop_pct=None if spec is None else spec.stop_pct or None,
            unconfirmed=self._ledger.book.unconfirmed(trade_id), stop_rests=self._hands.pairs,
            given_up_for=self._ledger.book.given_up_for(trade_id),
        )  # fmt: skip

    async def carry_out(self, trade_id: str, directive: Directive) -> None:
        await self._hands.carry_out(trade_id, directive)

    # --- the rest -----------------------------------------------------------------------------------

    async def close_trade(self, trade_id: str, cause: Cause, reason: str, by: str) -> bool:
        """Take one trade out at market: written down, then protection's. False where nothing is held. Raises
        StorageUnavailable where it could not be written down."""
        trade = self._ledger.trades.get(trade_id)
        if trade is None or not trade.state.is_open:
            return False
        await self._hands.ask_close(trade_id, cause, reason, by)
        self._guard().notify(trade_id)
        return True

    async def alert(self, severity: str, text: str, trade_id: str = "", *, key: str = "") -> None:
        """Record an alert; one `key` is told once a session."""
        if key and key in self._loud:
            return
        if key:
            self._loud.add(key)
        await self._ledger.record(trade_id, Alerted(severity, text))

    def _follow(self, trade: Trade) -> None:
        """Keep the index from contract to the trades that hold it."""
        if trade.contract is None:
            return
        holders = self._held.setdefault(trade.contract, [])
        if trade.state.is_open and trade.id not in holders:
            holders.append(trade.id)
        elif not trade.state.is_open and trade.id in holders:
            holders.remove(trade.id)

    def held_contracts(self) -> tuple[Contract, ...]:
        return tuple(contract for contract, holders in self._held.items() if holders)

    def _guard(self) -> Protector:
        assert self.protector is not None, "the desk has no protection"
        return self.protector


def _symbol_of(report: Report) -> str:
    match report:
        case QuoteReport():
            return report.quote.contract.symbol
        case GreeksReport():
            return report.greeks.contract.symbol
        case TickReport():
            return report.tick.symbol
        case DepthReport():
            return report.contract.symbol
        case HaltReport() | NoticeReport():
            return report.symbol
        case _:
            return ""
