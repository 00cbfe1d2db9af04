"""What is held, as risk sees it: every position of ours and not ours, with its greeks, mark and stop."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Final

import numpy as np
from numpy.typing import NDArray

from station.calendars import Calendar, et_date, series_hours
from station.desk.ledger import Ledger
from station.desk.money import MoneyDesk
from station.domain.broker import Position
from station.domain.clock import Clock
from station.domain.errors import BadInput
from station.domain.instruments import INSTRUMENTS, Contract, Right, Timeframe
from station.domain.specs import StrategySpec
from station.domain.trade import Trade
from station.market import Market
from station.options import OptionDesk
from station.pricing import expiry_instant, greeks, implied_vol, year_fraction
from station.risk import Held, risk_to_stop
from station.series import Bars

Ints = NDArray[np.int64]

RAPID_SHIELD: Final = "rapid_shield"
VOLUME_SESSIONS: Final = 14
"""The kept series begins somewhere inside its first day, which is left out."""
TEN: Final = 10
"""One unit of the S&P 500 is ten shares of SPY, near enough."""


class HoldingsView:
    """Builds Held positions from the rooms. A position without greeks of the broker's or the desk's is priced
    from its own mark, and where even that is not possible it counts with a delta of one."""

    def __init__(
        self, *, clock: Clock, calendar: Calendar, market: Market, ledger: Ledger, money: MoneyDesk,
        options: OptionDesk, foreign: Callable[[], tuple[Position, ...]], rapid_shield_pct: Decimal,
        specs: Callable[[], Mapping[str, StrategySpec]],
    ) -> None:  # fmt: skip
        self._clock = clock
        self._calendar = calendar
        self._market = market
        self._ledger = ledger
        self._money = money
        self._options = options
        self._foreign = foreign
        self._rapid_shield_pct = rapid_shield_pct
        self._specs = specs
        self._expiries: dict[str, int] = {}
        self._volumes: dict[str, tuple[date, float | None]] = {}

    def held(self, but: str = "") -> tuple[Held, ...]:
        """Our positions and working entries, one trade left out, then what is in the account beside them
        (FAULTS 36)."""
        trades = (trade for trade in self._ledger.open_trades() if trade.id != but)
        ours = [held for trade in trades if (held := self._ours(trade)) is not None]
        return (*ours, *(self._not_ours(position) for position in self._foreign()))

    def index_level(self) -> float | None:
        """The S&P 500: the index itself, else its future, else ten SPY; None where none is watched."""
        for symbol, factor in (("SPX", 1), ("ES", 1), ("SPY", TEN)):
            level = self.spot(symbol)
            if level is not None:
                return level * factor
        return None

    def configure(self, rapid_shield_pct: Decimal) -> None:
        """How far under its entry a rapid shield stands from now on, percent."""
        self._rapid_shield_pct = rapid_shield_pct

    def spot(self, symbol: str) -> float | None:
        return self._market.last_price(symbol) if symbol in self._market.symbols else None

    def expiry_ns(self, contract: Contract) -> int | None:
        """When an option ends, UTC ns; None for anything else."""
        if not contract.is_option or not contract.expiry:
            return None
        if contract.expiry not in self._expiries:
            self._expiries[contract.expiry] = expiry_instant(contract.expiry, self._calendar)
        return self._expiries[contract.expiry]

    def daily_returns(self, symbol: str) -> np.ndarray:
        """Returns from close to close of the sessions that the 5-minute series holds; empty without it."""
        bars, firsts, _ = self._sessions(symbol)
        if len(firsts) < 2:
            return np.empty(0)
        closes = bars.close[np.append(firsts[1:], len(bars.close)) - 1]
        return closes[1:] / closes[:-1] - 1

    def average_volume(self, contract: Contract) -> float | None:
        """Contracts or shares a day that an order is measured against: of a share or future its mean over the
        last 14 sessions, of an option its open interest or today's volume, whichever is more, since most of
        them live too short for an average. None where it is not known."""
        if contract.is_option:
            quote = self._market.quote(contract)
            return None if quote is None else float(max(quote.volume, quote.open_interest)) or None
        today = et_date(self._clock.now())
        known = self._volumes.get(contract.symbol)
        if known is None or known[0] != today:
            known = self._volumes[contract.symbol] = today, self._mean_volume(contract.symbol, today)
        return known[1]

    def _mean_volume(self, symbol: str, today: date) -> float | None:
        bars, firsts, days = self._sessions(symbol)
        if not len(firsts):
            return None
        sums = np.add.reduceat(bars.volume, firsts)[days < today.toordinal()]
        whole = sums[1:][-VOLUME_SESSIONS:]
        return float(whole.mean()) or None if len(whole) else None

    def _sessions(self, symbol: str) -> tuple[Bars, Ints, Ints]:
        """The 5-minute series, where each of its sessions begins in it, and the ordinal of its trade date;
        empty where there is no such series."""
        try:
            bars = self._market.series(symbol, Timeframe.M5).bars
        except BadInput:
            none = np.empty(0, np.int64)
            return Bars.empty(), none, none
        table = self._calendar.table(series_hours(INSTRUMENTS[symbol]))
        session = np.searchsorted(table.open_ns, bars.start_ns, side="right") - 1
        firsts = np.flatnonzero(np.diff(session, prepend=-1))
        return bars, firsts, table.day[session[firsts]]

    def _ours(self, trade: Trade) -> Held | None:
        if trade.contract is None:
            return None
        waiting = trade.qty - trade.entry_filled if not trade.entry_done else Decimal(0)
        qty = trade.open_qty + waiting
        if qty == 0:
            return None
        mark = self._money.mark_of(trade) or trade.entry_price or trade.selected_ask
        held = self._weighed(trade.contract, qty, mark)
        stop = self.stop_of(trade, trade.entry_price or trade.selected_ask)
        risk = None if stop is None else risk_to_stop(mark, stop, qty, trade.contract.multiplier)
        return replace(held, strategy=trade.strategy, open_risk=risk)

    def stop_of(self, trade: Trade, entry: Decimal) -> Decimal | None:
        """The highest bid at which protection sells at market; None for a trade without a stop."""
        spec = self._specs().get(trade.strategy)
        own = spec.stop_pct if spec is not None else Decimal(0)
        shield = self._rapid_shield_pct if trade.shield == RAPID_SHIELD else Decimal(0)
        by_hand = trade.own.stop_at(entry) if trade.own is not None else None
        pcts = (own, shield) if by_hand is None else (shield,)
        stops = [entry * (100 - pct) / 100 for pct in pcts if pct > 0]
        return max(stops if by_hand is None else [*stops, by_hand], default=None)

    def _not_ours(self, position: Position) -> Held:
        quote = self._market.quote(position.contract)
        price = quote.mid if quote is not None and quote.mid is not None else position.avg_cost
        return self._weighed(position.contract, position.qty, price)

    def _weighed(self, contract: Contract, qty: Decimal, mark: Decimal) -> Held:
        now, spot = self._clock.now(), self.spot(contract.symbol)
        bare = Held(contract.symbol, contract, qty, mark * qty * contract.multiplier, delta=1.0, spot=spot)
        expiry_ns = self.expiry_ns(contract)
        if expiry_ns is None:
            return bare
        known = self._options.greeks(contract, now) if spot is not None else None
        if known is not None:
            return replace(
                bare, delta=known.delta, gamma=known.gamma, vega=known.vega, theta=known.theta, iv=known.iv,
                expiry_ns=expiry_ns,
            )  # fmt: skip
        return _from_mark(replace(bare, expiry_ns=expiry_ns), mark, now)


def _from_mark(held: Held, mark: Decimal, now_ns: int) -> Held:
    """Greeks by the volatility that the mark implies; at intrinsic value those of an option without any."""
    call = held.contract.right is Right.CALL
    if held.spot is None or held.expiry_ns is None:
        return replace(held, delta=1.0 if call else -1.0)
    strike, years = float(held.contract.strike), year_fraction(now_ns, held.expiry_ns)
    found = float(implied_vol(float(mark), held.spot, strike, years, call))
    vol = 0.0 if np.isnan(found) else found
    known = greeks(held.spot, strike, years, vol, call)
    return replace(
        held, delta=float(known.delta), gamma=float(known.gamma), vega=float(known.vega),
        theta=float(known.theta), iv=vol,
    )  # fmt: skip
