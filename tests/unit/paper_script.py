"""A busy four minutes for restart and determinism tests; run as a program it can be killed at any commit.

`python paper_script.py RUNTIME KILL_AT`: it kills itself at that call of the probe, never at 0.
"""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import sys
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from station.brokers.paper import Fault, GeneratedTape, Tape
from station.calendars import load_calendar
from tests.unit.paper_harness import (
    DAY,
    Action,
    Alone,
    Deed,
    OcaType,
    OrderKind,
    Right,
    alone,
    at_the_money,
    cancel,
    modify,
    option,
    place,
    ticket,
)

UNTIL_S = 240.0
SEED = 11
TABLES = ("orders", "order_events", "executions", "cash", "settlements")


def tape(seed: int = SEED) -> Tape:
    return GeneratedTape(seed, DAY, load_calendar(), None)


def script(playing: Tape, seed: int = 1) -> list[tuple[float, Deed]]:
    """Entries, exits, brackets, changes and cancels at fixed instants."""
    drawn = random.Random(seed)
    deeds: list[tuple[float, Deed]] = []
    for number in range(14):
        symbol = drawn.choice(("SPX", "SPY", "ES"))
        right = drawn.choice(tuple(Right))
        strike = at_the_money(playing, symbol) + drawn.choice((-2, -1, 0, 1, 2)) * (
            1 if symbol == "SPY" else 10
        )
        contract = option(symbol, strike, right)
        at_s = 3 + number * 16 + round(drawn.random() * 9, 3)
        qty = drawn.choice((1, 2, 5, 40, 90))
        entry = ticket(f"E{number}", contract, Action.BUY, qty)
        common = {"oca_group": f"g{number}", "oca_type": drawn.choice(tuple(OcaType)[:2])}
        target = ticket(f"T{number}", contract, Action.SELL, qty, limit="90.00", **common)
        stop = ticket(f"X{number}", contract, Action.SELL, qty, stop="0.50", **common)
        deeds.append((at_s, place(entry)))
        deeds.append((at_s + 2.5, place(target, stop)))
        match drawn.randrange(3):
            case 0:
                deeds.append((at_s + 5, modify(replace(target, kind=OrderKind.MARKET, limit=None))))
            case 1:
                deeds.append((at_s + 5.1, cancel(stop.order_ref)))
            case _:
                deeds.append((at_s + 6.2, modify(replace(stop, stop=Decimal("80.00")))))
    return deeds


def play(
    runtime: Path, until_s: float = UNTIL_S, *, playing: Tape | None = None,
    probe: Callable[[str], None] | None = None, resume_at_least_ns: int = 0, faults: Sequence[Fault] = (),
) -> Alone:  # fmt: skip
    """Run the script, or go on with it where the book stands."""
    found = playing or tape()
    return alone(
        runtime,
        script(found),
        until_s,
        tape=found,
        probe=probe,
        resume_at_least_ns=resume_at_least_ns,
        faults=faults,
    )


def books(runtime: Path) -> dict[str, list[tuple[object, ...]]]:
    """Every row of the book that says what happened."""
    with closing(sqlite3.connect(runtime / "paper.db")) as connection:
        return {table: connection.execute(f"SELECT * FROM {table} ORDER BY 1").fetchall() for table in TABLES}


def kill_at(number: int) -> Callable[[str], None]:
    """A probe that ends the process, without any farewell, at its `number`-th call."""
    calls = 0

    def probe(name: str) -> None:
        nonlocal calls
        calls += 1
        if calls == number:
            os.kill(os.getpid(), signal.SIGKILL)

    return probe


if __name__ == "__main__":
    where, killed = Path(sys.argv[1]), int(sys.argv[2])
    done = play(where, probe=kill_at(killed) if killed else None)
    print(done.digest())
