"""What risk needs to know, measured at one instant, and its verdict on a sized trade."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Final

from station.calendars import Calendar, et_date
from station.desk.holdings import HoldingsView
from station.desk.ledger import Ledger
from station.desk.money import MoneyDesk
from station.domain.clock import MINUTE, SECOND, Clock
from station.domain.errors import Refused
from station.domain.instruments import INSTRUMENTS, Contract, Hours, TickRule
from station.domain.market import FeedHealth, FeedMode, Greeks, Quote
from station.domain.orders import Action
from station.domain.signals import Decision
from station.domain.specs import StrategySpec
from station.domain.trade import Trade
from station.market import Market
from station.options import OptionDesk
from station.risk import (
    ComingEvent,
    Controls,
    Fit,
    Gate,
    Limits,
    Portfolio,
    Proposal,
    RiskView,
    StrategyTerms,
    Verdict,
    Working,
    assess,
    fit,
    preflight,
)

VIX_AGE_S: Final = 60.0
DAY_SHIELD: Final = "day_shield"
PDT_SESSIONS: Final = 5


@dataclass(frozen=True, slots=True)
class Refusal:
    code: str
    reason: str


@dataclass(frozen=True, slots=True)
class Judged:
    """`qty` is what may be sent when nothing was `refused`; `overridden` where a hand passed advice."""

    refused: Refusal | None
    qty: Decimal
    decisions: tuple[Decision, ...]
    overridden: bool = False


class Judgement:
    """Builds the risk view from the rooms and asks preflight."""

    def __init__(
        self, *, clock: Clock, calendar: Calendar, market: Market, ledger: Ledger, money: MoneyDesk,
        controls: Callable[[], Controls], limits: Callable[[], Limits], reconciled: Callable[[], bool],
        link_up: Callable[[], bool], day_start: Callable[[], int], options: OptionDesk,
        enabled: Callable[[str], bool], day_shield_usd: Decimal, holdings: HoldingsView,
        events: Callable[[], tuple[tuple[str, date, str], ...]] = lambda: (),
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
        self._holdings = holdings
        self._events = events
        self._sessions: tuple[date, frozenset[date]] | None = None
        self._rules: dict[Contract, TickRule] = {}
        self._margins: dict[str, Decimal] = {}

    def configure(self, day_shield_usd: Decimal) -> None:
        """Where the day shield stands from now on, dollars of loss."""
        self._day_shield_usd = day_shield_usd

    def judge(self, trade: Trade, spec: StrategySpec, confidence: int) -> Judged:
        """Size down to what fits, then every rule; the trace names each with its value and limit."""
        assert trade.contract is not None
        view = self.view(trade.contract, spec.strategy_id)
        proposal = self.proposal(trade, spec, confidence)
        fitted = fit(proposal, view, self._limits())
        now = self._clock.now()
        trace = (fitted.decision(trade.id, now),)
        if fitted.qty > 0:
            proposal = replace(proposal, qty=fitted.qty)
        verdict = preflight(proposal, view, self._limits(), fitted.findings)
        trace += verdict.decisions(trade.id, now)
        if verdict.approved:
            return Judged(None, fitted.qty, trace)
        first = verdict.failed[0]
        return Judged(Refusal(first.code, verdict.text()), fitted.qty, trace)

    def proposal(self, trade: Trade, spec: StrategySpec, confidence: int) -> Proposal:
        assert trade.contract is not None
        limit = trade.offer.limit if trade.offer is not None else None
        quote = self.quote(trade.contract)
        paid = limit if limit is not None or quote is None else quote.ask
        stop = trade.own.stop_at(paid) if trade.own is not None and paid is not None else None
        return Proposal(
            trade.symbol, trade.contract, Action.BUY, trade.qty, limit, origin=trade.origin.value,
            strategy=spec.strategy_id, confidence=confidence, stop=stop, terms=terms_of(spec),
        )  # fmt: skip

    def by_hand(self, proposal: Proposal, trade_id: str) -> Judged:
        """Every rule on what a hand asks, which is never cut down; the trace names each with its value."""
        verdict = preflight(proposal, self.view(proposal.contract), self._limits())
        trace = verdict.decisions(trade_id, self._clock.now())
        if verdict.approved:
            return Judged(None, proposal.qty, trace, verdict.overridden)
        return Judged(Refusal(verdict.failed[0].code, verdict.text()), proposal.qty, trace)

    def verdict(self, proposal: Proposal, but: str = "") -> tuple[Fit, Verdict]:
        """What would be said of any proposal now, as if one trade were not there: the quantity that fits, and
        every rule on what was asked."""
        view = self.view(proposal.contract, proposal.strategy, but)
        return fit(proposal, view, self._limits()), preflight(proposal, view, self._limits())

    def refuse_closing(self, trade: Trade, by: str, qty: Decimal | None = None) -> None:
        """Raises Refused where the gate lets no hand shrink this trade's position, by `qty` or whole (SPEC §7:
        a closed gate passes protection alone, a reducing one also hands)."""
        if trade.contract is None or trade.open_qty <= 0:
            return
        asked = Proposal(
            trade.symbol, trade.contract, Action.SELL, qty or trade.open_qty, opens_risk=False, origin="MANUAL"
        )
        _, verdict = self.verdict(asked)
        if not verdict.approved:
            first = verdict.failed[0]
            raise Refused(first.code, f"close {trade.id} by {by}: {first.reason}: set the gate to reducing")

    def portfolio(self) -> Portfolio:
        """The whole book now."""
        held = self._holdings.held()
        returns = {each.symbol: self._holdings.daily_returns(each.symbol) for each in held}
        index = self._holdings.index_level()
        return assess(held, self._clock.now(), self._money.equity, index, returns, self._limits())

    def view(self, contract: Contract, strategy: str = "", but: str = "") -> RiskView:
        """Everything the rules look at, about one contract, now, as if the trade `but` were not there."""
        now = self._clock.now()
        health = self._health(contract.symbol)
        session = self._calendar.at(Hours.REGULAR, now)
        controls = self._controls()
        equity = self._money.equity
        month = controls.day.month_baseline
        return RiskView(
            now, controls,
            session_open_ns=session.open_ns if session else None,
            session_close_ns=session.close_ns if session else None,
            link_up=self._link_up(), reconciled=self._reconciled(), storage_ok=not self._ledger.degraded,
            instrument_enabled=contract.symbol in INSTRUMENTS and self._enabled(contract.symbol),
            halted=contract.symbol in self._market.symbols and self._market.halted(contract.symbol),
            quote=self._market.quote(contract), greeks=self._greeks(contract, now),
            feed_mode=health.mode, feed_age_s=health.age_s, feed_score=health.score,
            vix=self._vix(now), vix_watched="VIX" in self._market.symbols, equity=equity,
            buying_power=self._money.buying_power, day_pnl=self._money.day_pnl(),
            month_pnl=equity - month if month is not None else Decimal(0),
            held=self._holdings.held(but), working=self._working(but),
            orders_today=self._orders_since(self._day_start()),
            orders_last_minute=self._orders_since(now - MINUTE),
            index_level=self._holdings.index_level(), spot=self._holdings.spot(contract.symbol),
            expiry_ns=self._holdings.expiry_ns(contract), day_trades=self._day_trades(now),
            settled_cash=self._settled_cash(), events=self._coming(now),
            avg_volume=self._holdings.average_volume(contract),
            strategy_pnl=self._money.day_pnl_of(strategy) if strategy else Decimal(0),
            future_margins=tuple(self._margins.items()),
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

    def window_left_s(self, symbol: str) -> int:
        """Seconds until no entry on this symbol is taken any more today; 0 outside a session."""
        now = self._clock.now()
        session = self._calendar.at(Hours.REGULAR, now)
        if session is None:
            return 0
        ends_ns = session.close_ns - self._limits().window_of(symbol).before_close_s * SECOND
        return max((ends_ns - now) // SECOND, 0)

    def day_shield_hit(self, strategy: str, shield: str) -> bool:
        """Whether a strategy under the day shield has used up its loss ceiling of the session."""
        return shield == DAY_SHIELD and self._money.day_pnl_of(strategy) <= -self._day_shield_usd

    def stop_of(self, trade: Trade, entry: Decimal) -> Decimal | None:
        """The highest bid at which protection sells a trade entered at `entry`, unrounded; None without one."""
        return self._holdings.stop_of(trade, entry)

    def spot(self, symbol: str) -> float:
        """The underlying's last price, 0 where it is not known."""
        return self._holdings.spot(symbol) or 0.0

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

    def learn_margin(self, symbol: str, dollars: Decimal) -> None:
        """The broker's initial margin of one contract of a future."""
        self._margins[symbol] = dollars

    def _health(self, symbol: str) -> FeedHealth:
        if symbol in self._market.symbols:
            return self._market.health(symbol)
        return FeedHealth(symbol, FeedMode.CLOSED, "", math.inf, 0, 0, note="not watched")

    def _greeks(self, contract: Contract, now_ns: int) -> Greeks | None:
        watched = contract.is_option and contract.symbol in self._market.symbols
        return self._options.greeks(contract, now_ns) if watched else None

    def _day_trades(self, now_ns: int) -> int:
        """Trades bought and sold on one day within five sessions, this one included."""
        today = et_date(now_ns)
        if self._sessions is None or self._sessions[0] != today:
            days = [today]
            while len(days) < PDT_SESSIONS:
                days.append(self._calendar.previous(Hours.REGULAR, days[-1]).day)
            self._sessions = today, frozenset(days)
        return self._money.book.day_trades(today, self._sessions[1])

    def _settled_cash(self) -> Decimal | None:
        """Cash less what was sold since the trade date began (T+1); None unless it is a cash account."""
        if self._limits().account_kind != "cash" or self._money.account is None:
            return None
        since = self._day_start()
        trades = (trade for trade in self._ledger.trades.values() if trade.updated_ns >= since)
        return self._money.account.cash - sum((trade.exit_value for trade in trades), Decimal(0))

    def _coming(self, now_ns: int) -> tuple[ComingEvent, ...]:
        known = self._events()
        today = et_date(now_ns) if known else None
        return tuple(
            ComingEvent(symbol, f"{day:%Y%m%d}", what, (day - today).days)
            for symbol, day, what in known
            if today is not None
        )

    def _vix(self, now_ns: int) -> float | None:
        """The VIX while it is fresh enough to judge by."""
        if "VIX" not in self._market.symbols:
            return None
        if now_ns - self._market.last_update_ns("VIX") > VIX_AGE_S * SECOND:
            return None
        return self._market.last_price("VIX")

    def _working(self, but: str) -> tuple[Working, ...]:
        return tuple(
            Working(order.ticket.contract, order.ticket.action, not order.ticket.purpose.is_exit)
            for order in self._ledger.book.working()
            if not but or order.trade_id != but
        )

    def _orders_since(self, since_ns: int) -> int:
        return self._ledger.book.created_since(since_ns)


def terms_of(spec: StrategySpec) -> StrategyTerms:
    """The strategy's own limits; what its row leaves at 0 is open."""
    return StrategyTerms(
        spec.version, spec.position_size_pct or None, spec.day_loss_pct or None, spec.drawdown_pct or None
    )
