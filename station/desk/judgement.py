"""What risk needs to know, measured at one instant, and its verdict on a sized trade."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from station.calendars import Calendar
from station.desk.ledger import Ledger
from station.desk.money import MoneyDesk
from station.domain.broker import Position
from station.domain.clock import MINUTE, Clock
from station.domain.instruments import INSTRUMENTS, Contract, Hours, TickRule
from station.domain.market import Quote
from station.domain.orders import Action
from station.domain.signals import Decision
from station.domain.specs import StrategySpec
from station.domain.trade import Trade
from station.market import Market
from station.options import OptionDesk
from station.risk import (
    Controls,
    Gate,
    Held,
    Limits,
    Proposal,
    RiskView,
    Working,
    fit,
    preflight,
)

VIX_AGE_S: Final = 60.0
DAY_SHIELD: Final = "day_shield"


@dataclass(frozen=True, slots=True)
class Refusal:
    code: str
    reason: str


@dataclass(frozen=True, slots=True)
class Judged:
    """`qty` is what may be sent when nothing was `refused`."""

    refused: Refusal | None
    qty: Decimal
    decisions: tuple[Decision, ...]


class Judgement:
    """Builds the risk view from the rooms and asks preflight."""

    def __init__(
        self, *, clock: Clock, calendar: Calendar, market: Market, ledger: Ledger, money: MoneyDesk,
        controls: Callable[[], Controls], limits: Callable[[], Limits], reconciled: Callable[[], bool],
        link_up: Callable[[], bool], day_start: Callable[[], int], options: OptionDesk,
        enabled: Callable[[str], bool], day_shield_usd: Decimal, foreign: Callable[[], tuple[Position, ...]],
    ) -> None:  # fmt: skip
        self._clock = clock
        self._calendar = calendar
        self._market = market
        self._ledger = ledger
        self._money = money
        self._controls = controls
        self._limits = limits
        self._reconciled = reconciled
        self._link_up = link_up
        self._day_start = day_start
        self._options = options
        self._enabled = enabled
        self._day_shield_usd = day_shield_usd
        self._foreign = foreign
        self._rules: dict[Contract, TickRule] = {}

    async def judge(self, trade: Trade, spec: StrategySpec, confidence: int) -> Judged:
        """Size down to what fits, then every rule; the trace names each with its value and limit."""
        assert trade.contract is not None
        view = self.view(trade.contract)
        proposal = self.proposal(trade, spec, confidence)
        fitted = fit(proposal, view, self._limits())
        now = self._clock.now()
        trace = (fitted.decision(trade.id, now),)
        if fitted.qty > 0:
            proposal = Proposal(
                proposal.symbol, proposal.contract, proposal.action, fitted.qty, proposal.limit,
                origin=proposal.origin, strategy=proposal.strategy, confidence=proposal.confidence,
            )  # fmt: skip
        verdict = preflight(proposal, view, self._limits())
        trace += verdict.decisions(trade.id, now)
        if verdict.approved:
            return Judged(None, fitted.qty, trace)
        first = verdict.failed[0]
        return Judged(Refusal(first.code, verdict.text()), fitted.qty, trace)

    def proposal(self, trade: Trade, spec: StrategySpec, confidence: int) -> Proposal:
        assert trade.contract is not None
        return Proposal(
            trade.symbol, trade.contract, Action.BUY, trade.qty, origin=trade.origin.value,
            strategy=spec.strategy_id, confidence=confidence,
        )  # fmt: skip

    def view(self, contract: Contract) -> RiskView:
        """Everything the rules look at, about one contract, now."""
        now = self._clock.now()
        health = self._market.health(contract.symbol)
        session = self._calendar.at(Hours.REGULAR, now)
        controls = self._controls()
        equity = self._money.equity
        month = controls.day.month_baseline
        return RiskView(
            now, controls,
            session_open_ns=session.open_ns if session else None,
            session_close_ns=session.close_ns if session else None,
            link_up=self._link_up(), reconciled=self._reconciled() and not self._ledger.degraded,
            instrument_enabled=contract.symbol in INSTRUMENTS and self._enabled(contract.symbol),
            halted=self._market.halted(contract.symbol),
            quote=self._market.quote(contract), greeks=self._options.greeks(contract, now),
            feed_mode=health.mode, feed_age_s=health.age_s, feed_score=health.score,
            vix=self._vix(), vix_watched="VIX" in self._market.symbols, equity=equity,
            buying_power=self._money.buying_power, day_pnl=self._money.day_pnl(),
            month_pnl=equity - month if month is not None else Decimal(0),
            held=self._held(), working=self._working(),
            orders_today=self._orders_since(self._day_start()),
            orders_last_minute=self._orders_since(now - MINUTE),
        )  # fmt: skip

    def entries_open(self, symbol: str) -> bool:
        """Whether anything at all may be opened on this symbol now."""
        controls = self._controls()
        return (
            controls.gate.state is Gate.OPEN
            and not controls.kill.on
            and controls.quarantine_of(symbol) is None
            and not self._ledger.degraded
            and self._link_up()
        )

    def day_shield_hit(self, strategy: str, shield: str) -> bool:
        """Whether a strategy under the day shield has used up its loss ceiling of the session."""
        return shield == DAY_SHIELD and self._money.day_pnl_of(strategy) <= -self._day_shield_usd

    def quote(self, contract: Contract) -> Quote | None:
        return self._market.quote(contract)

    def tick_rule(self, contract: Contract) -> TickRule:
        """The broker's rule where it was asked, the catalogue's otherwise."""
        known = self._rules.get(contract)
        if known is not None:
            return known
        instrument = INSTRUMENTS[contract.symbol]
        return instrument.option_ticks if contract.is_option else instrument.tick

    def learn_rule(self, contract: Contract, rule: TickRule) -> None:
        self._rules[contract] = rule

    def _vix(self) -> float | None:
        """The VIX while it is fresh enough to judge by."""
        if "VIX" not in self._market.symbols or self._market.health("VIX").age_s > VIX_AGE_S:
            return None
        return self._market.last_price("VIX")

    def _held(self) -> tuple[Held, ...]:
        held: list[Held] = []
        for trade in self._ledger.open_trades():
            if trade.contract is None:
                continue
            waiting = trade.qty - trade.entry_filled if not trade.entry_done else Decimal(0)
            qty = trade.open_qty + waiting
            if qty == 0:
                continue
            price = self._money.mark_of(trade) or trade.entry_price or trade.selected_ask
            greeks = self._market.greeks(trade.contract)
            held.append(
                Held(
                    trade.symbol, trade.contract, qty, price * qty * trade.contract.multiplier,
                    delta=greeks.delta if greeks else 0.0, gamma=greeks.gamma if greeks else 0.0,
                    vega=greeks.vega if greeks else 0.0, theta=greeks.theta if greeks else 0.0,
                )
            )  # fmt: skip
        return (*held, *(self._held_abroad(position) for position in self._foreign()))

    def _held_abroad(self, position: Position) -> Held:
        """A position that is not ours counts in risk all the same (FAULTS 36)."""
        quote = self._market.quote(position.contract)
        price = quote.mid if quote is not None and quote.mid is not None else position.avg_cost
        value = price * position.qty * position.contract.multiplier
        return Held(position.contract.symbol, position.contract, position.qty, value)

    def _working(self) -> tuple[Working, ...]:
        return tuple(
            Working(order.ticket.contract, order.ticket.action, not order.ticket.purpose.is_exit)
            for order in self._ledger.book.working()
        )

    def _orders_since(self, since_ns: int) -> int:
        return sum(order.created_ns >= since_ns for order in self._ledger.book.orders.values())
