"""What the synthetic engine answers to the questions of the screens beside the floor."""

from __future__ import annotations

import json
from collections.abc import Callable

from station.link import Ack, Data, Query, Reply, Scanners

RULES = (
    ("SPX_V3_CALL", "v3", "5m", "CALL", 300, 1000, True), ("SPX_V3_PUT", "v3", "5m", "PUT", 300, 1000, True),
    ("SPX_FIB_1HR_CALL", "fibonacci", "1h", "CALL", 3600, 55, True),
    ("ES_FIB_PUT_1HR", "fibonacci", "1h", "PUT", 3600, 55, False),
    ("SPX_4HR_STOCHASTIC_MOMENTUM_CALL", "stochastic_momentum", "4h", "CALL", 14400, 70, True),
    ("SPY_21_200_PUT", "cross_21_200", "5m", "PUT", 300, 1000, True),
)  # fmt: skip


def question(command: Query | Scanners) -> str:
    """The name by which a test replaces an answer."""
    return command.name if isinstance(command, Query) else "scanners"


def scanners() -> Reply:
    keys = ("name", "family", "timeframe", "side", "cooldown_s", "warmup_bars", "enabled")
    rows = [dict(zip(keys, rule, strict=True)) for rule in RULES]
    return Data(json.dumps({"v": 1, "scanners": rows}))


ANSWERS: dict[str, Callable[[], Reply]] = {"scanners": scanners}


def answer(command: Query | Scanners) -> Reply:
    known = ANSWERS.get(question(command))
    return known() if known is not None else Ack(False, f"no question {question(command)!r}", "BADINPUT")
