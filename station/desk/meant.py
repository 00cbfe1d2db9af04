"""What an entry is meant to be, whoever means it: a strategy's row, or the order of a hand."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final, Protocol

from station.desk.judgement import Judged, Judgement
from station.domain.events import ManualOpened
from station.domain.hand import HandOrder, OwnExits, Reversal
from station.domain.instruments import Contract, Right, Side, TickRule
from station.domain.market import Quote
from station.domain.orders import ZERO, Action, OrderKind
from station.domain.specs import StrategySpec
from station.domain.trade import Trade
from station.execution.policy import EntryTerms, hand_terms, taken_terms
from station.risk import Proposal

WALK: Final = "walk"


class Meant(Protocol):
    """How a sized trade is judged, priced and timed."""

    @property
    def timeout_s(self) -> int: ...

    @property
    def walks(self) -> bool: ...

    def judge(self, trade: Trade, priced: Decimal | None = None) -> Judged:
        """`priced` is the limit of its ticket, once it has one."""
        ...

    def terms(self, quote: Quote, ticks: TickRule) -> EntryTerms | None: ...

    async def settle(self, judged: Judged) -> None:
        """Book what the approval used up. Raises Refused where there is none of it left."""
        ...


@dataclass(frozen=True, slots=True)
class ByStrategy:
    """An entry under a strategy's row; `limit` is of the hand that took what was proposed."""

    spec: StrategySpec
    confidence: int
    judgement: Judgement
    limit: Decimal | None = None

    @property
    def timeout_s(self) -> int:
        return self.spec.entry_timeout_s

    @property
    def walks(self) -> bool:
        return self.spec.entry_policy == WALK and self.limit is None

    def judge(self, trade: Trade, priced: Decimal | None = None) -> Judged:
        del priced
        return self.judgement.judge(trade, self.spec, self.confidence)

    def terms(self, quote: Quote, ticks: TickRule) -> EntryTerms | None:
        return taken_terms(self.spec, self.limit, quote, ticks)

    async def settle(self, judged: Judged) -> None:
        return None


@dataclass(frozen=True, slots=True)
class ByHand:
    """An entry that a hand has written."""

    hand: HandOrder
    judgement: Judgement
    use_override: Callable[[], Awaitable[None]]

    @property
    def timeout_s(self) -> int:
        return self.hand.timeout_s

    @property
    def walks(self) -> bool:
        return False

    def judge(self, trade: Trade, priced: Decimal | None = None) -> Judged:
        assert trade.contract is not None
        quote, ticks = self.judgement.quote(trade.contract), self.judgement.tick_rule(trade.contract)
        hand = self.hand if priced is None else replace(self.hand, limit=priced)
        return self.judgement.by_hand(hand_proposal(trade.contract, hand, trade.own, quote, ticks), trade.id)

    def terms(self, quote: Quote, ticks: TickRule) -> EntryTerms | None:
        return hand_terms(self.hand.kind, self.hand.limit, self.hand.stop, quote, ticks)

    async def settle(self, judged: Judged) -> None:
        """One override of the day, where a rule was overridden."""
        if judged.overridden:
            await self.use_override()


def hand_proposal(
    contract: Contract, hand: HandOrder, own: OwnExits | None, quote: Quote | None, ticks: TickRule
) -> Proposal:  # fmt: skip
    """What preflight is asked about an order of a hand. One at mid may pay the limit that it gets there, a stop
    order what triggers it."""
    price = hand.limit if hand.limit is not None else hand.stop
    if price is None and quote is not None:
        terms = hand_terms(hand.kind, None, None, quote, ticks)
        price = None if terms is None else terms.limit
    paid = price if price is not None or quote is None else quote.ask
    stop = own.stop_at(paid) if own is not None and paid is not None else None
    return Proposal(
        contract.symbol, contract, Action.BUY, hand.qty, limit=price, origin="MANUAL", stop=stop,
        override=hand.override, self_report=hand.self_report,
    )  # fmt: skip


OPPOSITE: Final = ":opposite"


def turned(
    trade: Trade, reversal: Reversal, quote: Quote | None, underlying: float, timeout_s: int
) -> ManualOpened:
    """The trade that a reversal opens: at market, with the percents of the one it follows. Its token is of the
    reversal's, so that it is opened once."""
    token = f"{reversal.token}{OPPOSITE}"
    hand = HandOrder(token, reversal.by, reversal.qty, OrderKind.MARKET, timeout_s=timeout_s)
    stop_pct = trade.own.stop_pct if trade.own is not None else None
    bid = quote.bid if quote is not None and quote.bid is not None else ZERO
    ask = quote.ask if quote is not None and quote.ask is not None else ZERO
    return ManualOpened(
        trade.account, trade.environment, reversal.contract, side_of(reversal.contract), bid, ask,
        trade.target_pct, trade.shield, trade.wealth_plan, underlying, reversal.delta, hand,
        None if stop_pct is None else OwnExits(stop_pct=stop_pct),
    )  # fmt: skip


def side_of(contract: Contract) -> Side:
    return Side.PUT if contract.right is Right.PUT else Side.CALL


def size_of(trade: Trade, sized: Decimal) -> Decimal:
    """What a hand asks for is never sized by a plan."""
    return sized if trade.hand is None else trade.hand.qty
