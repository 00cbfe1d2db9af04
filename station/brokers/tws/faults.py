"""The wire's misbehaviours, switched on by tests and by the `emulator` verb."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from station.domain.errors import BadInput


@dataclass(slots=True)
class WireFaults:
    """What the server does wrong while set. `delay_s` postpones every message, in order, by the clock;
    `a_second` drops what a client sends over that many in a second, with error 100 (0 takes everything)."""

    muted: bool = False
    refuse_clients: bool = False
    hold_acknowledgements: bool = False
    late_perm_ids: bool = False
    refuse_type_changes: bool = False
    delay_s: float = 0.0
    a_second: int = 0


@dataclass(frozen=True, slots=True)
class TimedFault:
    """A fault of the wire and the time of day it strikes, `HH:MM:SS` ET; empty for from the start."""

    name: str
    at: str = ""


WIRE_FAULTS: Final = frozenset(
    {"drop", "mute", "unmute", "delay", "link-down", "link-up", "link-lost-data", "farm-down", "farm-up",
     "competing-session", "hold-acks", "late-perm-ids", "refuse-clients", "refuse-type-changes"}
)  # fmt: skip
_CODES: Final = {
    "1100": "link-down", "1102": "link-up", "1101": "link-lost-data", "2103": "farm-down",
    "2104": "farm-up", "10197": "competing-session",
}  # fmt: skip
_TIMED: Final = re.compile(r"([a-z0-9_\-]+)(?:@(\d\d:\d\d(?::\d\d)?))?", re.ASCII)


def wire_fault(text: str) -> TimedFault | None:
    """`NAME[@HH:MM[:SS]]` as a fault of the wire, or None where NAME is not one (it may be the venue's).

    Names are those of WIRE_FAULTS or IBKR's codes. Raises BadInput for what is neither name nor time.
    """
    found = _TIMED.fullmatch(text.strip().lower())
    if found is None:
        raise BadInput(f"fault {text!r} is not NAME or NAME@HH:MM:SS")
    name, at = _CODES.get(found[1], found[1]), found[2] or ""
    if name not in WIRE_FAULTS:
        return None
    return TimedFault(name, at if len(at) != 5 else f"{at}:00")
