"""What the screen looks at: one symbol, one timeframe, one option; and what it asks the engine for."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final

from station.link import Ask, Chain

TIMEFRAMES: Final = ("1m", "2m", "3m", "5m", "10m", "15m", "30m", "1h", "4h", "1d")
EXPIRIES: Final = ("0dte", "weekly", "monthly")
CHART_BARS: Final = 300
SWITCHES: Final = ("ema", "vwap", "day", "opening", "plan", "volume")
"""What of the chart can be switched off."""


@dataclass(frozen=True, slots=True)
class Sight:
    """`contract` is `5940C` of the chain, empty while none is known; `picked` that somebody chose it; `group`
    the watchlist's, empty for all of it. The flags are the chart's SWITCHES."""

    symbol: str = ""
    timeframe: str = "5m"
    expiry: str = EXPIRIES[0]
    contract: str = ""
    picked: bool = False
    ema: bool = True
    vwap: bool = True
    day: bool = True
    opening: bool = True
    plan: bool = False
    volume: bool = True
    group: str = ""

    @property
    def chart(self) -> Ask:
        return Ask("chart", self.symbol, self.timeframe, CHART_BARS)

    @property
    def tip(self) -> Ask:
        return Ask("tip", self.symbol, self.timeframe)

    @property
    def chain(self) -> Ask:
        return Ask("chain", self.symbol, expiry=self.expiry)

    @property
    def book(self) -> Ask:
        return Ask("book", self.symbol, expiry=self.expiry, contract=self.contract)

    def asks(self, shown: Collection[str]) -> tuple[Ask, ...]:
        """What the panes shown need, in one order always."""
        wanted = [Ask(name) for name in ("account", "watch", "wealth") if name in shown]
        if self.symbol and "chart" in shown:
            wanted += [self.chart, self.tip]
        if self.symbol and ("chain" in shown or "book" in shown):
            wanted.append(self.chain)
        if self.contract and "book" in shown:
            wanted.append(self.book)
        return tuple(wanted)

    def at(self, symbol: str) -> Sight:
        """The same look at another underlying; its contract is chosen anew."""
        return self if symbol == self.symbol else replace(self, symbol=symbol, contract="", picked=False)

    def stepped(self, step: int) -> Sight:
        """A longer (or shorter) timeframe, as far as there is one."""
        here = TIMEFRAMES.index(self.timeframe)
        return replace(self, timeframe=TIMEFRAMES[min(max(here + step, 0), len(TIMEFRAMES) - 1)])

    def next_expiry(self) -> Sight:
        following = EXPIRIES[(EXPIRIES.index(self.expiry) + 1) % len(EXPIRIES)]
        return replace(self, expiry=following, contract="", picked=False)


NOWHERE: Final = Sight()


def strike_text(strike: Decimal) -> str:
    return f"{strike.normalize():f}"


def nearest_strike(chain: Chain) -> Decimal | None:
    """The strike at the money: the nearest to the spot, the lower of two."""
    if chain.spot is None or not chain.rows:
        return None
    spot = Decimal(str(chain.spot))
    return min((row.strike for row in chain.rows), key=lambda strike: (abs(strike - spot), strike))


def lists(chain: Chain, contract: str) -> bool:
    """Whether the chain has the option."""
    return bool(contract) and any(
        strike_text(row.strike) == contract[:-1] and (row.call if contract[-1] == "C" else row.put) is not None
        for row in chain.rows
    )


def at_the_money(chain: Chain) -> str:
    """The call at the money, `5940C`; empty where the chain knows none."""
    strike = nearest_strike(chain)
    return "" if strike is None else f"{strike_text(strike)}C"
