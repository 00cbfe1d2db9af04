"""The crash hook: end the process, as a power cut would, at a named point. For proofs only."""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Callable

from station.domain.errors import BadInput

VARIABLE = "VIGIL_FAULT"
Probe = Callable[[str], None]


def probe_from_environment() -> Probe | None:
    """A probe that kills this process with SIGKILL at `VIGIL_FAULT=point#n` (the n-th time, from 1), or with
    `*#n` at the n-th point of any name. None where the variable is not set."""
    wanted = os.environ.get(VARIABLE)
    return crash_at(wanted) if wanted else None


def crash_at(wanted: str) -> Probe:
    """The probe that `wanted` describes. Raises BadInput."""
    point, _, number = wanted.partition("#")
    if not number.isdigit() or int(number) < 1:
        raise BadInput(f"{VARIABLE}={wanted}: write point#n with n from 1, for instance send.before:entry#1")
    passed: Counter[str] = Counter()

    def probe(name: str) -> None:
        for key in (name, "*"):
            passed[key] += 1
        if point in (name, "*") and passed[point] == int(number):
            os.kill(os.getpid(), signal.SIGKILL)

    return probe
