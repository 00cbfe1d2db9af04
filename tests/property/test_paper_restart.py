"""A paper exchange taken down and brought up at any instants lives the same life as one that ran through."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from station.brokers.paper import Tape
from station.domain.clock import SECOND
from tests.unit.paper_script import UNTIL_S, books, play, tape

TAPE: Tape = tape()


@cache
def uninterrupted() -> dict[str, list[tuple[object, ...]]]:
    with tempfile.TemporaryDirectory() as folder:
        play(Path(folder), playing=TAPE)
        return books(Path(folder))


@settings(max_examples=8)
@given(st.lists(st.floats(0.0, UNTIL_S - 1), min_size=1, max_size=3).map(sorted))
def test_restarts_at_any_instants_change_nothing(cuts: list[float]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        runtime = Path(folder)
        seen_ns = 0
        for cut in cuts:
            run = play(runtime, cut, playing=TAPE, resume_at_least_ns=seen_ns)
            seen_ns = max(seen_ns, run.clock.now())
        play(runtime, playing=TAPE, resume_at_least_ns=seen_ns)
        assert books(runtime) == uninterrupted()
    assert seen_ns <= TAPE.open_ns + round(UNTIL_S * SECOND)
