"""Signals with the trade, entry order and first fill that each led to, in one question."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import Final, NamedTuple

import msgspec

from station.domain.instruments import Contract
from station.domain.signals import SignalState

_STATE: Final = (
    f"CASE WHEN s.state = '{SignalState.GENERATED.value}' AND s.valid_until_ns <= :now "
    f"THEN '{SignalState.EXPIRED.value}' ELSE s.state END"
)
"""One that a newer firing of its scanner has followed is marked when the day ends, and is over before that."""
_FROM: Final = """FROM signals s
    LEFT JOIN trades t ON s.trade_id <> '' AND t.id = s.trade_id
    LEFT JOIN orders o ON o.order_ref = t.entry_ref
WHERE s.published_ns >= :since AND s.published_ns < :until
    AND :symbol IN ('', s.instrument) AND :side IN ('', s.side)"""
_CHAINS: Final = f"""SELECT s.id, s.published_ns, s.bar_close_ns, s.scanner, s.instrument, s.timeframe, s.side,
    s.confidence, {_STATE}, s.trade_id, t.strategy, t.contract, t.state, t.cause, t.reason, t.net_pnl,
    o.order_ref, o.state, o.created_ns, o.filled, o.avg_price,
    (SELECT MIN(at_ns) FROM order_fills f WHERE f.order_ref = o.order_ref),
    (SELECT d.stage || ': ' || d.reason FROM decisions d WHERE d.trade_id = s.id ORDER BY d.seq DESC LIMIT 1)
    {_FROM} AND :state IN ('', {_STATE}) ORDER BY s.published_ns DESC, s.id DESC LIMIT :limit"""
_COUNTS: Final = f"SELECT {_STATE} AS now_in, COUNT(*) {_FROM} GROUP BY now_in ORDER BY now_in"


@dataclass(frozen=True, slots=True)
class ChainFilter:
    """Which signals: published in since_ns <= t < until_ns, in the state they are in at now_ns; an empty field
    does not restrict."""

    since_ns: int
    until_ns: int
    now_ns: int
    symbol: str = ""
    side: str = ""
    state: str = ""
    limit: int = 300


class Chain(NamedTuple):
    """A signal and its way; None where it did not get so far. Prices and quantities as decimal text."""

    id: str
    published_ns: int
    bar_close_ns: int
    scanner: str
    instrument: str
    timeframe: str
    side: str
    confidence: int
    state: str
    trade_id: str
    strategy: str | None
    contract: Contract | None
    trade_state: str | None
    cause: str | None
    reason: str | None
    net_pnl: str | None
    order_ref: str | None
    order_state: str | None
    ordered_ns: int | None
    filled: str | None
    average: str | None
    filled_ns: int | None
    passed_over: str | None
    """Where which strategy left it last, and why, where none took it."""


def read_chains(
    wanted: ChainFilter, connection: sqlite3.Connection
) -> tuple[tuple[Chain, ...], dict[str, int]]:
    """The newest chains first, and how many signals there are by state, whatever state is wanted."""
    values = {
        "since": wanted.since_ns, "until": wanted.until_ns, "now": wanted.now_ns,
        "symbol": wanted.symbol, "side": wanted.side,
    }  # fmt: skip
    chosen = values | {"state": wanted.state, "limit": wanted.limit}
    rows = connection.execute(_CHAINS, chosen).fetchall()
    counts = connection.execute(_COUNTS, values).fetchall()
    return tuple(Chain(*row)._replace(contract=_parsed(row[11])) for row in rows), dict(counts)


def _parsed(contract: str | None) -> Contract | None:
    return msgspec.json.decode(contract, type=Contract) if contract else None
