"""A few mornings of a wild hand; `python -m tests.hands` plays as many as there is time for."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.hands import Wild


@pytest.mark.parametrize("seed", [9, 16, 22])
def test_whatever_a_hand_does_nothing_is_oversold_left_or_shown_otherwise(tmp_path: Path, seed: int) -> None:
    wild = Wild(seed, tmp_path)
    assert wild.run() == [], wild.done
    assert len(wild.done) > 5
