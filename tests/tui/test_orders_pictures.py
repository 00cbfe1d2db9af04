"""Tickets, the order line and working orders as pictures."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from textual.pilot import Pilot

from tests.tui import synthetic
from tests.tui.stage import Stage
from tests.tui.ticket_hand import press

SIZES = {"80x24": (80, 24), "120x40": (120, 40), "200x50": (200, 50)}
Compare = Callable[..., bool]


@pytest.fixture(autouse=True)
def plain_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)


def pressing(stage: Stage, keys: list[str]) -> Callable[[Pilot[str]], object]:
    return lambda pilot: press(stage, pilot, *keys)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    ("name", "keys"),
    [("armed", ["o", "b", "enter"]), ("working", ["u", "down"]), ("modify", ["u", "end", "M", "up"])],
)
def test_orders_at_every_size(snap_compare: Compare, size: str, name: str, keys: list[str]) -> None:
    stage = Stage(synthetic.calm())
    assert snap_compare(stage.app, terminal_size=SIZES[size], run_before=pressing(stage, keys)), name


@pytest.mark.parametrize(
    ("name", "keys", "size"),
    [
        ("line", ["colon", "buy 2 SPX 5940C "], "80x24"),
        ("wrong line", ["colon", "buy 2 SPX 5940C now @ 4.20", "enter"], "80x24"),
        ("bracket", ["colon", "buy 2 SPX 5940C @ 4.20 tp 23% sl 3.30 conf 70", "enter", "down"], "120x40"),
        ("reverse", ["p", "V"], "80x24"),
        ("part", ["p", "minus"], "80x24"),
        ("cancel all", ["C"], "80x24"),
    ],
)
def test_what_order_keys_bring_up(snap_compare: Compare, name: str, keys: list[str], size: str) -> None:
    stage = Stage(synthetic.calm())
    assert snap_compare(stage.app, terminal_size=SIZES[size], run_before=pressing(stage, keys)), name


@pytest.mark.parametrize("size", ["80x24", "120x40"])
def test_a_refusal_is_read_at_a_glance(snap_compare: Compare, size: str) -> None:
    stage = Stage(synthetic.busy())
    stage.engine.counterpart.refuses = True
    keys = ["o", "b", "enter"]
    assert snap_compare(stage.app, terminal_size=SIZES[size], run_before=pressing(stage, keys))


def test_a_ticket_in_ascii(snap_compare: Compare) -> None:
    stage = Stage(synthetic.calm(), ascii_only=True)
    assert snap_compare(stage.app, terminal_size=SIZES["80x24"], run_before=pressing(stage, ["o", "b", "tab"]))
