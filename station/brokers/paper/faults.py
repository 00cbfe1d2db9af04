"""What can be made to go wrong, by name and time: for tests and the emulator's command line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from station.brokers.paper.draws import between, uniform
from station.calendars import at_et
from station.domain.clock import SECOND
from station.domain.errors import BadInput

ONE_SHOT: Final = {
    "reject_entry": "the next opening order is rejected (201)",
    "reject_child": "the next order of a bracket is rejected (201)",
    "reject_modify": "the next change is refused (105), the order stays",
    "drop_ack": "the next acknowledgement is never sent",
    "drop_cancel": "the next cancel is lost on its way",
    "drop_order": "the next order is lost on its way",
    "duplicate_execution": "the next fill is reported twice",
    "fill_before_ack": "the next acknowledgement comes after the fill",
    "status_before_fill": "the next final status is sent, its execution is not (query it)",
    "commission_lost": "the next commission is never reported",
    "commission_early": "the next commission comes before its fill",
    "correct_execution": "a second after the next fill its price is corrected by a tick (`.02`)",
    "overfill": "the next fill that would complete an order is one too many",
    "cancel_takes_group": "the next cancel in an OCA group ends its other legs too",
    "oca_ignored": "the next fill in an OCA group leaves the other legs as they are",
    "backward_status": "after the next fill an old status is repeated",
}
TIMED: Final = {
    "disconnect": "the connection drops; connecting again works after `seconds`",
    "link_lost": "1100, then after `seconds` 1102 with data kept",
    "data_lost": "1100, then after `seconds` 1101: subscriptions are gone",
    "farm": "the data farm of `symbol` breaks (2103) for `seconds`",
    "halt": "`symbol` halts for `seconds`",
    "stale_quotes": "no quote of `symbol` is sent for `seconds`",
    "zero_bid": "bids of `symbol` vanish for `seconds`",
    "crossed": "quotes of `symbol` are crossed for `seconds`",
    "no_greeks": "greeks of `symbol` read −2 for `seconds`",
    "delayed": "quotes of `symbol` are graded delayed for `seconds`",
    "silent_ticks": "no tick of `symbol` is sent for `seconds`",
    "competing": "10197: another session takes the data for `seconds`",
}
FAULTS: Final = {**ONE_SHOT, **TIMED}
_DEFAULT_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class Fault:
    """One mishap: from `at_ns` on, `count` times (one-shot) or for `seconds` (timed); all symbols if empty."""

    name: str
    at_ns: int = 0
    count: int = 1
    seconds: float = _DEFAULT_S
    symbol: str = ""

    def __post_init__(self) -> None:
        if self.name not in FAULTS:
            raise BadInput(f"unknown fault {self.name!r}: choose one of {', '.join(sorted(FAULTS))}")

    @property
    def until_ns(self) -> int:
        return self.at_ns + round(self.seconds * SECOND)

    @property
    def timed(self) -> bool:
        return self.name in TIMED


def parse_fault(text: str, session: date) -> Fault:
    """`NAME[@HH:MM:SS]`, exchange time of `session`. Raises BadInput."""
    name, _, clock = text.partition("@")
    if not clock:
        return Fault(name)
    try:
        return Fault(name, at_et(session, clock))
    except ValueError:
        raise BadInput(f"fault {text!r}: {clock!r} is not a time, write {name}@HH:MM:SS (ET)") from None


def rare_halts(seed: int, session: date, symbols: Sequence[str], chance: float = 0.01) -> tuple[Fault, ...]:
    """The seeded market's own halts: each share stops for five minutes with this `chance` a session, at an
    instant of its own. Off unless asked for."""
    found: list[Fault] = []
    for symbol in symbols:
        if uniform(seed, "halt", symbol, session.toordinal()) < chance:
            after = between(5 * 60, 350 * 60, seed, "halt at", symbol, session.toordinal())
            found.append(Fault("halt", at_et(session, "09:30") + after * SECOND, seconds=300.0, symbol=symbol))
    return tuple(found)


class FaultPlan:
    """Which faults hold now; how often the one-shot ones have struck is told by and kept for the book."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.faults = tuple(faults)
        self.struck = [0] * len(self.faults)
        self._timed = tuple(fault for fault in self.faults if fault.timed)

    def strike(self, name: str, now_ns: int, symbol: str = "") -> bool:
        """Whether a one-shot fault of this name happens now; it is then used up by one."""
        for index, fault in enumerate(self.faults):
            fits = fault.name == name and fault.at_ns <= now_ns and fault.symbol in ("", symbol)
            if fits and self.struck[index] < fault.count:
                self.struck[index] += 1
                return True
        return False

    def holds(self, name: str, now_ns: int, symbol: str = "") -> bool:
        """Whether a timed fault of this name is on."""
        return bool(self._timed) and any(
            fault.name == name and fault.at_ns <= now_ns < fault.until_ns and fault.symbol in ("", symbol)
            for fault in self._timed
        )

    @property
    def timed(self) -> tuple[Fault, ...]:
        return self._timed
