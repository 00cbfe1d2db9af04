"""A proposal and a view that pass every rule, to be spoilt one fact at a time."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

from station.domain.clock import HOUR, MINUTE, SECOND
from station.domain.instruments import INSTRUMENTS, Contract, Right, option_contract
from station.domain.market import Greeks, Quote
from station.domain.orders import Action
from station.risk import Controls, DayBook, Held, Proposal, RiskView

OPEN_NS = 1_795_185_000 * SECOND  # 2026-11-20 09:30 ET
CLOSE_NS = OPEN_NS + 390 * MINUTE
NOON = OPEN_NS + 2 * HOUR + 30 * MINUTE
EQUITY = Decimal(35_000)


def call(strike: int = 5940, symbol: str = "SPX", expiry: str = "20261120") -> Contract:
    return option_contract(INSTRUMENTS[symbol], expiry, Decimal(strike), Right.CALL)


def quote(bid: str = "4.10", ask: str = "4.20", at_ns: int = NOON, **more: Any) -> Quote:
    return Quote(call(), Decimal(bid), Decimal(ask), 40, 40, at_ns, **more)


def greeks(**more: Any) -> Greeks:
    return replace(Greeks(call(), 0.18, 0.30, 0.008, -2.0, 150.0, 5912.0, NOON), **more)


def held(symbol: str, strike: int = 5900, value: str = "1000", qty: int = 1, **more: Any) -> Held:
    return Held(symbol, replace(call(strike), symbol=symbol), Decimal(qty), Decimal(value), **more)


def controls(**day: Any) -> Controls:
    book = DayBook(session="2026-11-20", baseline=EQUITY, month_baseline=EQUITY, peak=EQUITY)
    return Controls(day=replace(book, **day))


def view(**more: Any) -> RiskView:
    sound = RiskView(
        now_ns=NOON, controls=controls(), session_open_ns=OPEN_NS, session_close_ns=CLOSE_NS, quote=quote(),
        greeks=greeks(), vix=14.1, equity=EQUITY, buying_power=EQUITY,
    )  # fmt: skip
    return replace(sound, **more)


def proposal(qty: str = "3", **more: Any) -> Proposal:
    return replace(Proposal("SPX", call(), Action.BUY, Decimal(qty), Decimal("4.20"), confidence=74), **more)
