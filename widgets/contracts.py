"""Orders of what stands on the screen: a label, a firing, a row of the chain."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from station.domain.instruments import INSTRUMENTS
from station.link import Chain, FiringRow, Price
from widgets.order import BUY, Order
from widgets.sight import nearest_strike, strike_text

TARGET_DELTA: Final = {"C": 0.30, "P": 0.25}
"""Of an option that a firing proposes (the house's default in picking contracts)."""


def order_of_label(label: str, action: str) -> Order | None:
    """One of the contract of a label (`SPXW 20251120 5940C`, `SPY`, `ES 20251219`); None where it is none."""
    parts = label.split()
    owners = {known.option_class: known.symbol for known in INSTRUMENTS.values() if known.option_class}
    if len(parts) == 3 and parts[2][-1:] in ("C", "P"):
        return Order(
            action, 1, owners.get(parts[0], parts[0]), Decimal(parts[2][:-1]), parts[2][-1], parts[1]
        )  # fmt: skip
    return Order(action, 1, parts[0]) if 0 < len(parts) < 3 else None


def order_of_firing(firing: FiringRow, chain: Chain) -> Order | None:
    """One of the quoted option nearest the house's delta on the firing's side, as sure as its score."""
    right = "C" if firing.side == "CALL" else "P"
    quoted = [
        (abs(abs(side.delta) - TARGET_DELTA[right]), row.strike)
        for row in chain.rows
        if (side := row.call if right == "C" else row.put) is not None and side.delta is not None and side.bid
    ]
    if not quoted:
        return None
    strike = min(quoted)[1]
    return Order(
        BUY, 1, firing.instrument, strike, right, chain.expiry, confidence=min(max(firing.score, 0), 100)
    )


def around(price: Price) -> tuple[str, ...]:
    """The options nearest a price, as its symbol's chain would list them; none where it has no options."""
    known = INSTRUMENTS.get(price.symbol)
    if known is None or not known.has_options or not price.last:
        return ()
    money = (Decimal(str(price.last)) / known.strike_step).to_integral_value() * known.strike_step
    strikes = (
        money + known.strike_step * step for step in (0, 1, -1, 2, -2) if money + known.strike_step * step > 0
    )
    return tuple(f"{strike_text(strike)}{right}" for strike in strikes for right in "CP")


def contracts_of(chain: Chain, chosen: str) -> tuple[str, ...]:
    """Options of a chain, the one under the cursor first, then those nearest the money."""
    money = nearest_strike(chain) or Decimal(0)
    rows = sorted(chain.rows, key=lambda row: (abs(row.strike - money), row.strike))
    names = [f"{strike_text(row.strike)}{right}" for row in rows for right in "CP"]
    return (chosen, *(name for name in names if name != chosen)) if chosen else tuple(names)
