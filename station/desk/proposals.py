"""What a strategy proposes and a hand takes or declines.

A proposal is the strategy's own trade, sized and waiting: once taken it goes the way of all trades, judged
again, under its strategy's terms. Nothing but a hand moves it on; its time ends it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final

from station.calendars import et_text
from station.desk.asked import Asked, check_prices
from station.desk.judgement import Judgement
from station.desk.ledger import Ledger
from station.desk.preparation import PROPOSAL, Preparation
from station.desk.way import EXPIRED, TradeWay
from station.domain.changed import changed
from station.domain.clock import Clock
from station.domain.errors import BadInput, IllegalTransition, Refused
from station.domain.events import ProposalTaken
from station.domain.instruments import Contract, TickRule
from station.domain.market import Quote
from station.domain.ports import Changes
from station.domain.signals import Decision, SignalState
from station.domain.specs import StrategySpec
from station.domain.trade import Trade, TradeState
from station.execution.policy import EntryTerms, most_paid, taken_terms
from station.risk import Fit, Verdict

DECLINED: Final = "declined"


@dataclass(frozen=True, slots=True)
class Look:
    """What taking `qty` of a proposal would be told now, `trade` being as it would be then. `terms` are None
    without a sane quote."""

    trade: Trade
    spec: StrategySpec
    qty: Decimal
    fitted: Fit
    verdict: Verdict
    quote: Quote | None
    terms: EntryTerms | None


class ProposalDesk:
    """One hand at a time: what one has taken, another finds taken."""

    def __init__(
        self, *, clock: Clock, ledger: Ledger, way: TradeWay, preparation: Preparation, judgement: Judgement,
        find: Callable[[Asked], Awaitable[Contract]], positions: Callable[[], tuple[int, int]],
    ) -> None:  # fmt: skip
        """`positions` are the day's so far, and how many it may have."""
        self._positions = positions
        self._clock = clock
        self._ledger = ledger
        self._way = way
        self._preparation = preparation
        self._judgement = judgement
        self._find = find

    def waiting(self) -> tuple[Trade, ...]:
        """The proposals that a hand may take, oldest first."""
        return tuple(trade for trade in self._ledger.live() if trade.awaits_hand)

    async def look(self, trade_id: str, asked: Asked) -> Look:
        """Every rule's verdict now on taking so many (0: all) at the prices that are given. Raises Refused and
        BadInput in one line."""
        await self._watch(self._open(trade_id))
        return self._looked(trade_id, asked)

    async def take(self, trade_id: str, asked: Asked, token: str, by: str) -> Trade:
        """The trade, sent; also where this token took it before. Raises Refused and BadInput with nothing sent;
        what the rules refuse stays open until its time."""
        if not token:
            raise BadInput("taking a proposal needs a token: make a new one for each")
        if (known := self._known(trade_id, token)) is not None:
            return known
        await self._watch(self._open(trade_id))
        async with self._way.offers:
            if (known := self._known(trade_id, token)) is not None:
                return known
            look = self._looked(trade_id, asked)
            self._refuse(look)
            try:
                said = Decision(trade_id, PROPOSAL, "pass", f"taken by {by}", self._clock.now(), f"{look.qty}")
                taken = ProposalTaken(look.qty, by, token, asked.limit, asked.own_exits(), asked.target_pct)
                await self._ledger.record(trade_id, taken, extra=Changes(decisions=(said,)))
            except IllegalTransition:
                self._open(trade_id)
                raise
        await self._way.advance(trade_id)
        return self._ledger.trades[trade_id]

    async def decline(self, trade_id: str, by: str) -> Trade:
        """The trade as it ended; one that was declined before is left so. Raises Refused and BadInput."""
        async with self._way.offers:
            known = self._ledger.trades.get(trade_id)
            if known is not None and known.offer is not None and known.cause == DECLINED:
                return known
            trade = self._open(trade_id)
            await self._way.end_offer(trade, DECLINED, f"declined by {by}", SignalState.REJECTED)
        return self._ledger.trades[trade_id]

    def _known(self, trade_id: str, token: str) -> Trade | None:
        known = self._ledger.by_token(token)
        if known is not None and known.id != trade_id:
            raise BadInput(f"token {token!r} was of {known.id}: make a new one for {trade_id}")
        return known

    def _open(self, trade_id: str) -> Trade:
        trade = self._ledger.trades.get(trade_id)
        if trade is None or trade.offer is None:
            raise BadInput(f"{trade_id!r} is no proposal: the signals screen lists those that are open")
        offer, until = trade.offer, et_text(trade.offer.until_ns)
        if offer.token:
            at = et_text(offer.taken_ns)
            raise Refused("TAKEN", f"{trade_id} was taken by {offer.by} at {at} ET: nothing more is sent")
        if trade.state is not TradeState.WEALTH_SIZED and trade.cause != EXPIRED:
            raise Refused("ENDED", f"{trade_id} is not open any more: {trade.reason or trade.cause}")
        if trade.cause == EXPIRED or self._clock.now() >= offer.until_ns:
            raise Refused("EXPIRED", f"{trade_id} expired at {until} ET: nothing is sent on an old signal")
        return trade

    async def _watch(self, trade: Trade) -> None:
        """Its contract may have left what is kept warm since it was picked."""
        assert trade.contract is not None
        await self._find(Asked.at_market(trade.contract, trade.qty))

    def _looked(self, trade_id: str, asked: Asked) -> Look:
        trade = self._open(trade_id)
        qty = asked.qty or trade.qty
        if not 0 < qty <= trade.qty or qty % 1:
            raise BadInput(f"{trade_id} proposes {trade.qty}: take 1 to {trade.qty}, not {qty}")
        spec = self._may_send(trade)
        assert trade.contract is not None and trade.offer is not None
        quote = self._judgement.quote(trade.contract)
        rule = self._judgement.tick_rule(trade.contract)
        _check(asked, trade, spec, quote, rule)
        wanted = changed(
            trade, qty=qty, own=asked.own_exits(), target_pct=asked.target_pct or trade.target_pct,
            offer=replace(trade.offer, limit=asked.limit),
        )  # fmt: skip
        proposal = self._judgement.proposal(wanted, spec, self._way.confidence_of(trade_id))
        fitted, verdict = self._judgement.verdict(proposal)
        terms = None if quote is None else taken_terms(spec, asked.limit, quote, rule)
        return Look(wanted, spec, qty, fitted, verdict, quote, terms)

    def _may_send(self, trade: Trade) -> StrategySpec:
        """The strategy of a proposal. Raises Refused where it sends nothing now."""
        spec = self._way.specs().get(trade.strategy)
        if spec is None or not spec.enabled:
            raise Refused("STRATEGY", f"{trade.strategy} is switched off: its proposals are not sent")
        barred = self._preparation.barred(spec, trade)
        if barred is not None:
            raise Refused(barred[0].upper().replace(" ", "_"), f"{trade.strategy}: {barred[1]}")
        used, most = self._positions()
        if used >= most:
            raise Refused("POSITIONS", f"{trade.id} is not sent: {used} positions today, {most} are the most")
        return spec

    def _refuse(self, look: Look) -> None:
        """Raises Refused where it would not be sent as it is asked."""
        trade_id = look.trade.id
        if not look.verdict.approved:
            raise Refused(look.verdict.failed[0].code, f"{trade_id} is not sent: {look.verdict.text()}")
        if look.fitted.qty < look.qty:
            raise Refused("SIZE", f"{trade_id}: {look.fitted.qty} fit now, not {look.qty}: take fewer")
        if look.terms is None:
            raise Refused("QUOTE", f"{trade_id}: no sane two-sided quote to price the entry")


def _check(asked: Asked, trade: Trade, spec: StrategySpec, quote: Quote | None, rule: TickRule) -> None:
    """Raises BadInput for prices that are none, on the wrong side, or dearer than the strategy allows."""
    assert trade.contract is not None
    check_prices(asked, trade.contract, rule, quote)
    if asked.target_pct is not None and trade.ladder:
        steps = len(trade.ladder)
        raise BadInput(f"{trade.id} is sold in {steps} steps: give its first target as a price, or none")
    if asked.limit is None or quote is None or quote.mid is None:
        return
    most = most_paid(spec, quote.mid, rule)
    if most is not None and asked.limit > most:
        raise BadInput(f"limit {asked.limit} is over {most}, the most that {trade.strategy} pays now: lower it")
