"""Firings and signals: from a scanner's mark on a bar to the order it led to."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final, NamedTuple

from station.domain.changed import changed
from station.domain.instruments import Side, Timeframe


@dataclass(frozen=True, slots=True)
class Firing:
    """A scanner's rule held on a finished bar, before any gate. `score` 0–100."""

    scanner: str
    instrument: str
    timeframe: Timeframe
    side: Side
    score: int
    bar_start_ns: int
    bar_close_ns: int
    price: float
    provenance: str = ""


class SignalState(Enum):
    GENERATED = "GENERATED"
    VALIDATED = "VALIDATED"
    REJECTED = "REJECTED"
    EXPIRED = "EXPIRED"
    EXECUTING = "EXECUTING"
    EXECUTED = "EXECUTED"


SIGNAL_STEPS: Final[dict[SignalState, frozenset[SignalState]]] = {
    SignalState.GENERATED: frozenset({SignalState.VALIDATED, SignalState.REJECTED, SignalState.EXPIRED}),
    SignalState.VALIDATED: frozenset({SignalState.EXECUTING, SignalState.REJECTED, SignalState.EXPIRED}),
    SignalState.EXECUTING: frozenset({SignalState.EXECUTED, SignalState.REJECTED}),
    SignalState.REJECTED: frozenset(),
    SignalState.EXPIRED: frozenset(),
    SignalState.EXECUTED: frozenset(),
}


@dataclass(frozen=True)
class Signal:
    """A published firing. `confidence` 0–100 (under 50 is not traded); lives until `valid_until_ns`."""

    id: str
    firing: Firing
    confidence: int
    priority: int
    published_ns: int
    valid_until_ns: int
    state: SignalState = SignalState.GENERATED
    trade_id: str = ""
    rationale: str = ""
    warnings: tuple[str, ...] = ()

    def moved(self, state: SignalState, trade_id: str = "") -> Signal:
        """This signal in `state`; itself where that is no legal step."""
        if state not in SIGNAL_STEPS[self.state]:
            return self
        return changed(self, state=state, trade_id=trade_id or self.trade_id)


class Gate(Enum):
    """The four gates before a firing is published, in order."""

    CONFIG = "config"
    HOURS = "hours"
    COOLDOWN = "cooldown"
    BAR = "bar"


class Decision(NamedTuple):
    """One stage's verdict in a trade's decision trace. `value` and `limit` as text with their units. Of a case
    that never became a trade, `trade_id` is the signal's id and the stage `passed_over`."""

    trade_id: str
    stage: str
    verdict: str
    reason: str
    at_ns: int
    value: str = ""
    limit: str = ""


def passed_over(strategy: str, stage: str) -> str:
    """The stage of a verdict kept with a signal: where which strategy left it."""
    return f"{stage}@{strategy}"


def stage_of(text: str) -> tuple[str, str]:
    """Stage and strategy (empty in a trade's own trace) of a stored stage."""
    stage, _, strategy = text.partition("@")
    return stage, strategy
