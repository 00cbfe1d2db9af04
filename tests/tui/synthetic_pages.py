"""What the synthetic engine answers to the questions of the screens beside the floor."""

from __future__ import annotations

import json

from station.link import Ack, Data, Query, Reply, Scanners, Story
from tests.tui import synthetic_journal, synthetic_rooms


def question(command: Query | Scanners | Story) -> str:
    """The name by which a test replaces an answer."""
    return command.name if isinstance(command, Query) else type(command).__name__.lower()


def profiles(*, busy: bool) -> dict[str, object]:
    """Paper accounts side by side; a busy house has one with settings of its own."""
    here = {
        "name": "default", "account": "DU1000001", "running": True, "session": "2025-11-20",
        "start_cash": "35000", "result": "412.00", "fees": "38.16", "executions": 24, "open_contracts": 7,
    }  # fmt: skip
    small = {
        "name": "small", "account": "DU1000002", "session": "2025-11-19", "start_cash": "5000",
        "result": "-318.40", "fees": "9.54", "executions": 6, "open_contracts": 0,
        "settings": {"paper.start_cash": "5000", "risk.max_open": "2"},
    }  # fmt: skip
    return {"profiles": [here, small, {"name": "night", "account": "DU1000003"}] if busy else [here]}


def answer(command: Query | Scanners | Story, *, busy: bool = False) -> Reply:
    name = question(command)
    args = command.args if isinstance(command, Query) else {"trade_id": getattr(command, "trade_id", "")}
    if name == "profiles":
        return Data(json.dumps(profiles(busy=busy)))
    told = synthetic_rooms.answer(name, args, busy=busy)
    if told is not None:
        return Data(told)
    document = synthetic_journal.answer(name, args, busy=busy)
    return Ack(False, f"no question {name!r}", "BADINPUT") if document is None else Data(json.dumps(document))
