"""What the synthetic engine answers to the questions of the screens beside the floor."""

from __future__ import annotations

import json

from station.link import Ack, Data, Query, Reply, Scanners, Story
from tests.tui import synthetic_journal, synthetic_rooms


def question(command: Query | Scanners | Story) -> str:
    """The name by which a test replaces an answer."""
    return command.name if isinstance(command, Query) else type(command).__name__.lower()


def answer(command: Query | Scanners | Story, *, busy: bool = False) -> Reply:
    name = question(command)
    args = command.args if isinstance(command, Query) else {"trade_id": getattr(command, "trade_id", "")}
    told = synthetic_rooms.answer(name, args, busy=busy)
    if told is not None:
        return Data(told)
    document = synthetic_journal.answer(name, args, busy=busy)
    return Ack(False, f"no question {name!r}", "BADINPUT") if document is None else Data(json.dumps(document))
