"""Orders of a hand: found in the chain, written down, placed once, changed, closed in part, turned round.

A hand's entry is a trade like any other: it enters at OPTION_SELECTED and goes the way of all trades, judged by
the same rules. What a hand wants of an open trade is written down, and protection carries it out.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Final

from station.desk.asked import Asked, Pricing, check_prices
from station.desk.judgement import Judgement
from station.desk.ledger import Ledger
from station.desk.meant import hand_proposal, side_of
from station.desk.preparation import Identity
from station.desk.way import TradeWay
from station.domain.broker import Broker
from station.domain.clock import SECOND, Clock, Ids
from station.domain.errors import BadInput, BrokerUnavailable, Refused
from station.domain.events import ManualOpened, PartAsked, ReverseAsked
from station.domain.hand import HandOrder, Reversal
from station.domain.instruments import INSTRUMENTS, Contract, Right, SecType
from station.domain.orders import ZERO, Action, OrderKind, Purpose, Ticket
from station.domain.trade import Trade, TradeState
from station.execution import within
from station.options import OptionDesk, Wanted

QUOTE_WAIT_S: Final = 2.5
QUOTE_STEP_S: Final = 0.05
MARGIN_S: Final = 1.5
ANSWER_S: Final = 3.0
"""A screen waits five seconds for an answer; the broker's part of it has less."""
FOUND_S: Final = 4.5
"""A contract found and quoted, both together."""
_HELD: Final = (TradeState.BUY_FILLED, TradeState.SELL_SUBMITTED)


@dataclass(frozen=True, slots=True)
class HandTerms:
    """What a ticket that says nothing gets: seconds for an order that should fill at once, the house's target,
    and the plan its result is booked on."""

    timeout_s: int
    target_pct: Decimal
    wealth_plan: str


class ManualDesk:
    """One order of a hand is written down at a time, so that no token is looked up meanwhile; what the broker
    has to be asked for comes before, so that no hand waits for another's answer."""

    def __init__(
        self, *, clock: Clock, ledger: Ledger, way: TradeWay, options: OptionDesk, broker: Broker,
        judgement: Judgement, ids: Ids, identity: Callable[[], Identity], session: Callable[[], date],
        symbols: tuple[str, ...], protect: Callable[[str], None], terms: HandTerms,
    ) -> None:  # fmt: skip
        self._clock = clock
        self._ledger = ledger
        self._way = way
        self._options = options
        self._broker = broker
        self._judgement = judgement
        self._ids = ids
        self._identity = identity
        self._session = session
        self._symbols = symbols
        self._protect = protect
        self._turn = asyncio.Lock()
        self.terms = terms

    # --- finding ------------------------------------------------------------------------------------

    async def find(self, asked: Asked) -> Contract:
        """The contract that is asked for, watched, with its tick rule known. Raises BadInput in one line,
        Refused while the broker cannot be asked."""
        if asked.symbol not in self._symbols:
            raise BadInput(f"{asked.symbol} is not watched here: take {', '.join(self._symbols)}")
        began = self._clock.now()
        try:
            contract = await within(self._clock, self._found(asked), ANSWER_S, f"contract of {asked.symbol}")
        except BrokerUnavailable as error:
            raise Refused("LINK_DOWN", f"{asked.symbol} cannot be looked up: {error}") from None
        wait_s = min(QUOTE_WAIT_S, FOUND_S - (self._clock.now() - began) / SECOND)
        await self._quoted(contract, wait_s)
        return contract

    async def _found(self, asked: Asked) -> Contract:
        if asked.right is not None:
            wanted = Wanted(asked.symbol, asked.expiry, asked.strike, asked.right)
            contract = await self._options.named(self._broker, wanted)
        else:
            contract = await self._underlying(asked.symbol)
        self._judgement.learn_rule(contract, await self._broker.tick_rule(contract))
        return contract

    async def _underlying(self, symbol: str) -> Contract:
        instrument = INSTRUMENTS[symbol]
        if instrument.sec_type is SecType.INDEX:
            raise BadInput(f"{symbol} is an index, which takes no orders: give right, strike and expiry")
        contract = await self._broker.resolve(instrument)
        await self._broker.watch(contract)
        if contract.sec_type is SecType.FUTURE and self._broker.capabilities.what_if:
            await self._ask_margin(contract)
        return contract

    async def _ask_margin(self, contract: Contract) -> None:
        """What one contract ties up; where the broker does not say, what it said before stands, else the
        house's share of the notional."""
        one = Ticket(
            "", self._identity().account, contract, Action.BUY, Decimal(1), OrderKind.MARKET, Purpose.ENTRY
        )
        with contextlib.suppress(BrokerUnavailable, Refused):
            asked = self._broker.what_if(one)
            margin = await within(self._clock, asked, MARGIN_S, f"margin of {contract.symbol}")
            self._judgement.learn_margin(contract.symbol, margin.initial)

    async def _quoted(self, contract: Contract, wait_s: float) -> None:
        """Wait a little for the first quote of what was not watched before."""
        until = self._clock.now() + round(wait_s * SECOND)
        while self._judgement.quote(contract) is None and self._clock.now() < until:
            await self._clock.sleep(QUOTE_STEP_S)

    def order(self, asked: Asked, contract: Contract, token: str, by: str) -> HandOrder:
        """The entry as it will be written down. Raises BadInput for its prices."""
        rule = self._judgement.tick_rule(contract)
        check_prices(asked, contract, rule, self._judgement.quote(contract))
        timeout_s = asked.valid_s or self.terms.timeout_s
        if asked.pricing.rests and not asked.valid_s:
            timeout_s = max(self._judgement.window_left_s(asked.symbol), timeout_s)
        return HandOrder(
            token, by, asked.qty, asked.pricing.kind, asked.limit, asked.stop, timeout_s, asked.override,
            asked.self_report,
        )  # fmt: skip

    # --- placing ------------------------------------------------------------------------------------

    async def place(self, asked: Asked, token: str, by: str) -> Trade:
        """The trade that the order became, or had become when this token was placed before; FAILED where it
        was refused by a rule. Raises BadInput and Refused with nothing written."""
        if not token:
            raise BadInput("an order needs a token: make a new one for each order")
        if (known := self._ledger.by_token(token)) is not None:
            return known
        contract = await self.find(asked)
        async with self._turn:
            if (known := self._ledger.by_token(token)) is not None:
                return known
            if asked.action is Action.SELL:
                return await self._sell(asked, contract, token, by)
            opened = self._opened(asked, contract, self.order(asked, contract, token, by))
            trade_id = self._ids.trade_id(self._session())
            await self._ledger.record(trade_id, opened)
        await self._way.advance(trade_id)
        return self._ledger.trades[trade_id]

    def _opened(self, asked: Asked, contract: Contract, hand: HandOrder) -> ManualOpened:
        whose, quote = self._identity(), self._judgement.quote(contract)
        greeks = self._options.greeks(contract, self._clock.now()) if contract.is_option else None
        return ManualOpened(
            whose.account, whose.environment, contract, side_of(contract), _side(quote and quote.bid),
            _side(quote and quote.ask), asked.target_pct or self.terms.target_pct, "none",
            self.terms.wealth_plan, self._judgement.spot(contract.symbol),
            greeks.delta if greeks is not None else 0.0, hand, asked.own_exits(),
        )  # fmt: skip

    # --- leaving ------------------------------------------------------------------------------------

    async def _sell(self, asked: Asked, contract: Contract, token: str, by: str) -> Trade:
        """A sell closes what is held, at market; nothing is sold short."""
        trade = self.closes(asked, contract)
        self._judgement.refuse_closing(trade, by, asked.qty)
        return await self._part(trade, asked.qty, by, token)

    def closes(self, asked: Asked, contract: Contract) -> Trade:
        """The oldest trade that a sell can be taken from. Raises Refused and BadInput where there is none."""
        held = [trade for trade in self._ledger.open_trades() if trade.contract == contract]
        left = sum((_left(trade) for trade in held), ZERO)
        if left < asked.qty:
            code, what = ("NAKED", "no option") if contract.is_option else ("SHORT", "nothing")
            raise Refused(
                code, f"SELL {asked.qty} {contract.label}: {left} held, and {what} is sold short here"
            )
        if asked.pricing.kind is not OrderKind.MARKET:
            raise BadInput(
                f"a sell of what is held goes at MARKET, not {asked.pricing.value}: change its target"
            )
        found = next((trade for trade in held if _left(trade) >= asked.qty), None)
        if found is None:
            names = ", ".join(trade.id for trade in held)
            raise BadInput(
                f"{asked.qty} {contract.label} are held in several trades ({names}): close each by id"
            )
        return found

    async def part(self, trade_id: str, qty: Decimal, token: str, by: str) -> Trade:
        """Take `qty` out at market; once, however often this token asks. Raises BadInput for more than is held,
        Refused where the gate forbids."""
        if not token:
            raise BadInput("closing a part needs a token: make a new one for each")
        async with self._turn:
            if (known := self._ledger.by_token(token)) is not None:
                return known
            trade = self._held(trade_id)
            if not 0 < qty <= _left(trade):
                raise BadInput(f"{trade_id}: {qty} cannot be closed, {_left(trade)} is left to close")
            self._judgement.refuse_closing(trade, by, qty)
            return await self._part(trade, qty, by, token)

    async def _part(self, trade: Trade, qty: Decimal, by: str, token: str) -> Trade:
        after = await self._ledger.record(trade.id, PartAsked(qty, by, token))
        self._protect(trade.id)
        return after or trade

    def _held(self, trade_id: str) -> Trade:
        trade = self._ledger.trades.get(trade_id)
        if trade is None or trade.state not in _HELD or trade.open_qty <= 0:
            raise BadInput(f"trade {trade_id!r} holds no position: `trades` lists those that do")
        return trade

    async def reverse(self, trade_id: str, token: str, by: str) -> Trade:
        """Close a trade and, once that has filled, buy the other right: of the same expiry, nearest the delta
        that the trade has now, else at its strike. Raises Refused where either half would be; then nothing
        is closed."""
        if not token:
            raise BadInput("a reversal needs a token: make a new one for each")
        if (known := self._ledger.by_token(token)) is not None:
            return known
        reversal = await self._reversal(self._held(trade_id), token, by)
        async with self._turn:
            if (known := self._ledger.by_token(token)) is not None:
                return known
            trade = self._held(trade_id)
            if trade.reversal is not None:
                raise BadInput(f"{trade_id} is being reversed already, by {trade.reversal.by}")
            self._judgement.refuse_closing(trade, by)
            reversal = replace(reversal, qty=_turns(trade))
            self._refuse_opposite(trade, reversal)
            after = await self._ledger.record(trade.id, ReverseAsked(reversal))
        self._protect(trade.id)
        return after or trade

    async def _reversal(self, trade: Trade, token: str, by: str) -> Reversal:
        contract, now = trade.contract, self._clock.now()
        if contract is None or contract.right is None:
            raise Refused("SHORT", f"{trade.id} holds {trade.symbol} itself, and nothing is sold short here")
        greeks = self._options.greeks(contract, now)
        delta = abs(greeks.delta if greeks is not None else trade.delta)
        other = Right.PUT if contract.right is Right.CALL else Right.CALL
        near = self._options.opposite(contract, delta, now)
        strike = contract.strike if near is None else near.strike
        asked = Asked(
            trade.symbol, Action.BUY, _turns(trade), Pricing.MARKET, contract.expiry, strike, other
        )  # fmt: skip
        found = await self.find(asked)
        known = self._options.greeks(found, self._clock.now())
        delta = known.delta if known is not None else 0.0
        return Reversal(token, by, found, asked.qty, delta, now)

    async def opposite(self, trade_id: str, by: str) -> Reversal:
        """What reversing a trade would buy now, under no token. Raises Refused and BadInput."""
        reversal = await self._reversal(self._held(trade_id), "", by)
        self._judgement.refuse_closing(self._held(trade_id), by)
        return reversal

    def _refuse_opposite(self, trade: Trade, reversal: Reversal) -> None:
        quote = self._judgement.quote(reversal.contract)
        ticks = self._judgement.tick_rule(reversal.contract)
        proposal = hand_proposal(reversal.contract, reversal.order, None, quote, ticks)
        _, verdict = self._judgement.verdict(proposal, but=trade.id)
        if not verdict.approved:
            text = f"{trade.id} is not reversed, {reversal.contract.label} would be refused: {verdict.text()}"
            raise Refused(verdict.failed[0].code, text)


def _left(trade: Trade) -> Decimal:
    """What is held and not leaving already."""
    return trade.open_qty - min(trade.leaving, trade.open_qty) if trade.state in _HELD else ZERO


def _turns(trade: Trade) -> Decimal:
    """What a reversal turns round: what is held but a part that leaves already. Raises BadInput for nothing."""
    qty = _left(trade)
    if qty <= 0:
        raise BadInput(f"{trade.id}: all of it is leaving already, nothing is left to turn round")
    return qty


def _side(price: Decimal | None) -> Decimal:
    return ZERO if price is None else price
