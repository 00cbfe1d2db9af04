"""A proposal from a plain mapping, as `preflight --proposal` and a screen's ticket write it.

`{"symbol": "SPX", "expiry": "20261118", "strike": "6900", "right": "C", "action": "BUY", "qty": 3}` and, where
they are known, `limit`, `stop`, `strategy`, `confidence`, `self_report`, `override`, `opens_risk`,
`protective`, `origin`. Without `right` it is the underlying itself (a share, where the catalogue has none).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any, Final, NoReturn

from station.domain.errors import BadInput
from station.domain.instruments import (
    INSTRUMENTS,
    Contract,
    Right,
    SecType,
    option_contract,
    underlying_contract,
)
from station.domain.orders import Action
from station.risk.proposal import Proposal

ORIGINS: Final = ("STRATEGY", "MANUAL", "ADOPTED")
FIELDS: Final = (
    "symbol", "expiry", "strike", "right", "action", "qty", "limit", "stop", "strategy", "confidence",
    "self_report", "override", "opens_risk", "protective", "origin",
)  # fmt: skip
_LARGEST: Final = Decimal(1_000_000)


def parse_proposal(row: Mapping[str, Any]) -> Proposal:
    """The proposal that `row` describes. Raises BadInput in one line naming key, value and mend."""
    for key in row:
        if key not in FIELDS:
            _refuse(key, row[key], f"is no part of a proposal: use {', '.join(FIELDS)}")
    symbol = _text(row, "symbol", "")
    if not symbol:
        _refuse("symbol", row.get("symbol"), 'must be a text: write "symbol": "SPX"')
    action = _choice(row, "action", ("BUY", "SELL"), "BUY")
    strategy = _text(row, "strategy", "")
    origin = _choice(row, "origin", ORIGINS, "STRATEGY" if strategy else "MANUAL")
    return Proposal(
        symbol, _contract(row, symbol), Action(action), _required(row, "qty"),
        _number(row, "limit"), opens_risk=_flag(row, "opens_risk", True),
        protective=_flag(row, "protective", False), origin=origin, strategy=strategy,
        confidence=_score(row, "confidence"), stop=_number(row, "stop"),
        override=_flag(row, "override", False), self_report=_score(row, "self_report"),
    )  # fmt: skip


def _contract(row: Mapping[str, Any], symbol: str) -> Contract:
    instrument = INSTRUMENTS.get(symbol)
    expiry = _text(row, "expiry", "")
    if expiry and not _is_day(expiry):
        _refuse("expiry", expiry, 'must be a day YYYYMMDD: write "expiry": "20261118"')
    if row.get("right") is None:
        if row.get("strike") is not None:
            _refuse("right", None, 'is missing beside a strike: write "right": "C" or "P"')
        if instrument is None:
            return Contract(symbol, SecType.STOCK, trading_class=symbol)
        return underlying_contract(instrument, expiry)
    right = Right(_choice(row, "right", ("C", "P"), ""))
    strike = _required(row, "strike")
    if not expiry:
        _refuse("expiry", row.get("expiry"), 'is missing for an option: write "expiry": "20261118"')
    if instrument is None:
        return Contract(symbol, SecType.OPTION, expiry, strike, right, symbol, 100)
    if not instrument.has_options:
        _refuse("right", row["right"], f"{symbol} has no options: leave right and strike out")
    return option_contract(instrument, expiry, strike, right)


def _is_day(text: str) -> bool:
    try:
        return len(text) == 8 and text.isdecimal() and bool(date.fromisoformat(text))
    except ValueError:
        return False


def _text(row: Mapping[str, Any], key: str, default: str) -> str:
    value = row.get(key)
    if value is None:
        return default
    if not isinstance(value, str):
        _refuse(key, value, f'must be a text: write "{key}": "…"')
    return value.strip()


def _choice(row: Mapping[str, Any], key: str, allowed: tuple[str, ...], default: str) -> str:
    value = _text(row, key, default).upper()
    if value not in allowed:
        _refuse(key, row.get(key), f"is not known: use {', '.join(allowed)}")
    return value


def _number(row: Mapping[str, Any], key: str) -> Decimal | None:
    return None if row.get(key) is None else _required(row, key)


def _required(row: Mapping[str, Any], key: str) -> Decimal:
    value = row.get(key)
    try:
        number = Decimal(str(value)) if isinstance(value, str | int | float | Decimal) else Decimal("NaN")
    except InvalidOperation:
        number = Decimal("NaN")
    if isinstance(value, bool) or not number.is_finite() or not 0 < number <= _LARGEST:
        _refuse(key, value, f'must be a number over 0 and up to {_LARGEST}: write "{key}": "3"')
    return number


def _score(row: Mapping[str, Any], key: str) -> int | None:
    value = row.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= 100:
        _refuse(key, value, f'must be a whole number from 0 to 100: write "{key}": 70')
    return value


def _flag(row: Mapping[str, Any], key: str, default: bool) -> bool:
    value = row.get(key, default)
    if not isinstance(value, bool):
        _refuse(key, value, f'must be true or false: write "{key}": {str(default).lower()}')
    return value


def _refuse(key: str, value: object, mend: str) -> NoReturn:
    raise BadInput(f"proposal: {key} = {value!r} {mend}")
