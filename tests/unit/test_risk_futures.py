"""A future outright is sized by its margin and by what it risks to its stop; leverage counts it in full."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from station.domain.instruments import INSTRUMENTS, underlying_contract
from station.domain.orders import Action
from station.risk import Held, Limits, Proposal, RiskView, fit
from station.risk.rules_account import settled_funds, stop_distance
from station.risk.rules_book import leverage
from station.risk.rules_size import buying_power, capital_at_risk, notional, position_size
from tests.unit.risk_cases import held, proposal, view

D = Decimal
ES = underlying_contract(INSTRUMENTS["ES"], "20261218")
NQ = underlying_contract(INSTRUMENTS["NQ"], "20261218")
SHARE = underlying_contract(INSTRUMENTS["SPY"])
PRICE = D(5900)
SAID = (("ES", D(19_000)), ("NQ", D(30_000)))
RULES = {
    "notional": notional, "buying power": buying_power, "position size": position_size,
    "capital at risk": capital_at_risk, "leverage": leverage, "settled": settled_funds,
}  # fmt: skip
CASH = Limits(account_kind="cash")


def future(qty: int = 1, **more: Any) -> Proposal:
    """ES at 5900: a notional of $295,000 a contract."""
    return replace(Proposal("ES", ES, Action.BUY, D(qty), PRICE), **more)


def sold(**more: Any) -> Proposal:
    return future(action=Action.SELL, **more)


def another(qty: int, contract: Any = ES) -> Held:
    return Held(contract.symbol, contract, D(qty), D(qty) * 295_000)


def seen(equity: str = "1000000", power: str = "1000000", *others: Held, **more: Any) -> RiskView:
    return view(equity=D(equity), buying_power=D(power), future_margins=SAID, held=others, **more)


UNSAID: dict[str, Any] = {"future_margins": ()}
HEDGED: dict[str, Any] = {"future_margins": (("ES", D(0)),)}
FREED: dict[str, Any] = {"future_margins": (("ES", D(-19_000)),)}


@pytest.mark.parametrize(
    ("rule", "asked", "now", "limits", "ok"),
    [
        # what it ties up: the broker's margin, else 10 % of the notional
        ("buying power", future(), seen(power="19000"), Limits(), True),
        ("buying power", future(), seen(power="18999.99"), Limits(), False),
        ("buying power", future(3), seen(power="57000"), Limits(), True),
        ("buying power", future(3), seen(power="56999.99"), Limits(), False),
        ("buying power", future(), replace(seen(power="29500"), **UNSAID), Limits(), True),
        ("buying power", future(), replace(seen(power="29499.99"), **UNSAID), Limits(), False),
        # a margin that another hand's hedge takes away is not one contract's
        ("buying power", future(), replace(seen(power="29499.99"), **HEDGED), Limits(), False),
        ("buying power", future(), replace(seen(power="29499.99"), **FREED), Limits(), False),
        ("buying power", future(), replace(seen(power="29500"), **FREED), Limits(), True),
        ("buying power", sold(), seen(power="18999.99"), Limits(), False),
        ("buying power", future(symbol="SPY", contract=SHARE), seen(power="5900"), Limits(), True),
        ("buying power", future(symbol="SPY", contract=SHARE), seen(power="5899.99"), Limits(), False),
        ("settled", future(), seen(settled_cash=D(19_000)), CASH, True),
        ("settled", future(), seen(settled_cash=D("18999.99")), CASH, False),
        # with all that is held, futures by their margin
        ("notional", future(), seen("20000"), Limits(), True),
        ("notional", future(), seen("19999.99"), Limits(), False),
        ("notional", future(), seen("40000", "0", another(1)), Limits(), True),
        ("notional", future(), seen("39999.99", "0", another(1)), Limits(), False),
        ("notional", future(), seen("40000", "0", another(-1)), Limits(), True),
        ("notional", future(), seen("39999.99", "0", another(-1)), Limits(), False),
        ("notional", future(), seen("20952.63", "0", held("SPX", value="905")), Limits(), False),
        ("notional", future(), seen("20952.64", "0", held("SPX", value="905")), Limits(), True),
        ("notional", future(limit=None), seen("1000000", "0", quote=None), Limits(), False),
        # what it can lose: to its stop, 20 % of the notional without one that is on its side
        ("position size", future(stop=D(5890)), seen("10000"), Limits(), True),
        ("position size", future(stop=D(5890)), seen("9999.99"), Limits(), False),
        ("position size", future(stop=D("5889.75")), seen("10249.99"), Limits(), False),
        ("position size", future(2, stop=D(5890)), seen("20000"), Limits(), True),
        ("position size", future(2, stop=D(5890)), seen("19999.99"), Limits(), False),
        ("position size", sold(stop=D(5910)), seen("10000"), Limits(), True),
        ("position size", sold(stop=D(5910)), seen("9999.99"), Limits(), False),
        ("position size", future(), seen("1180000"), Limits(), True),
        ("position size", future(), seen("1179999.99"), Limits(), False),
        ("position size", future(stop=PRICE), seen("1179999.99"), Limits(), False),
        ("position size", future(stop=D("5900.25")), seen("1179999.99"), Limits(), False),
        ("position size", sold(stop=D("5899.75")), seen("1179999.99"), Limits(), False),
        ("position size", future(stop=D("5899.75")), seen("250"), Limits(), True),
        ("position size", future(stop=D("5899.75")), seen("249.99"), Limits(), False),
        ("position size", future(stop=D("5899.99")), seen("10"), Limits(), True),
        ("position size", future(limit=None), seen(quote=None), Limits(), False),
        ("capital at risk", future(stop=D(5700)), seen(), Limits(), True),
        ("capital at risk", future(stop=D("5699.75")), seen(), Limits(), False),
        ("capital at risk", future(stop=D(5700)), seen("1", "1", held("SPX", value="1")), Limits(), False),
        ("capital at risk", future(limit=None, stop=D(5899)), seen(quote=None), Limits(), False),
        # leverage: the whole notional
        ("leverage", future(), seen("73750"), Limits(), True),
        ("leverage", future(), seen("73749.99"), Limits(), False),
        ("leverage", future(), seen("147500", "0", another(1)), Limits(), True),
        ("leverage", future(), seen("147499.99", "0", another(1)), Limits(), False),
    ],
)  # fmt: skip
def test_what_a_future_ties_up_and_what_it_can_lose(
    rule: str, asked: Proposal, now: RiskView, limits: Limits, ok: bool
) -> None:
    assert RULES[rule](asked, now, limits).passed is ok


@pytest.mark.parametrize(
    ("equity", "power", "stop", "fits", "bound"),
    [
        ("1000000", "56999", "5890", 2, "buying power"),
        ("1000000", "57000", "5890", 2, "portfolio delta"),
        ("25000", "57000", "5890", 0, "leverage"),
        ("74000", "57000", "5826", 1, "position size"),
        ("73999.99", "57000", "5826", 0, "position size"),
        ("200000", "57000", "5890", 2, "portfolio delta"),
        ("147500", "57000", "5890", 2, "portfolio delta"),
        ("147499.99", "57000", "5890", 1, "leverage"),
    ],
)
def test_as_many_fit_as_every_limit_lets(equity: str, power: str, stop: str, fits: int, bound: str) -> None:
    found = fit(future(5, stop=D(stop)), seen(equity, power), Limits())
    assert (found.qty, found.bound_by and found.bound_by.rule) == (fits, bound)


def test_an_options_size_is_what_it_costs_whatever_its_stop() -> None:
    option = proposal("3", stop=D("4.00"))
    assert not position_size(option, view(equity=D(25_199), future_margins=SAID), Limits()).passed
    assert position_size(option, view(equity=D(25_200), future_margins=SAID), Limits()).passed


@pytest.mark.parametrize(("contract", "asked"), [(SHARE, True), (ES, False), (NQ, False)])
def test_the_distance_of_a_stop_is_asked_of_shares_alone(contract: Any, asked: bool) -> None:
    near = future(symbol=contract.symbol, contract=contract, stop=D("5899.75"))
    assert stop_distance(near, seen(), Limits()).passed is not asked
