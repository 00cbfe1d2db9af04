"""What the synthetic engine answers to the questions of the screens beside the floor."""

from __future__ import annotations

import json
from collections.abc import Callable

from station.link import Ack, Data, Query, Reply, Scanners, Story
from tests.tui import synthetic_journal

RULES = (
    ("SPX_V3_CALL", "v3", "5m", "CALL", 300, 1000, True), ("SPX_V3_PUT", "v3", "5m", "PUT", 300, 1000, True),
    ("SPX_FIB_1HR_CALL", "fibonacci", "1h", "CALL", 3600, 55, True),
    ("ES_FIB_PUT_1HR", "fibonacci", "1h", "PUT", 3600, 55, False),
    ("SPX_4HR_STOCHASTIC_MOMENTUM_CALL", "stochastic_momentum", "4h", "CALL", 14400, 70, True),
    ("SPY_21_200_PUT", "cross_21_200", "5m", "PUT", 300, 1000, True),
)  # fmt: skip


def question(command: Query | Scanners | Story) -> str:
    """The name by which a test replaces an answer."""
    return command.name if isinstance(command, Query) else type(command).__name__.lower()


def scanners() -> Reply:
    keys = ("name", "family", "timeframe", "side", "cooldown_s", "warmup_bars", "enabled")
    rows = [dict(zip(keys, rule, strict=True)) for rule in RULES]
    return Data(json.dumps({"v": 1, "scanners": rows}))


ANSWERS: dict[str, Callable[[], Reply]] = {"scanners": scanners}


def answer(command: Query | Scanners | Story, *, busy: bool = False) -> Reply:
    name = question(command)
    known = ANSWERS.get(name)
    if known is not None:
        return known()
    args = command.args if isinstance(command, Query) else {"trade_id": getattr(command, "trade_id", "")}
    document = synthetic_journal.answer(name, args, busy=busy)
    return Ack(False, f"no question {name!r}", "BADINPUT") if document is None else Data(json.dumps(document))
