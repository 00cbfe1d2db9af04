"""The questions of the screens beside the floor, each to the document that answers it, as JSON text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from station.engine.config_answers import row_document, scanner_room, settings_document, strategy_room
from station.engine.engine import Engine
from station.engine.signal_answers import signal_document, signals_document

SCREEN_QUERIES: Final = ("signals", "signal", "scanner_room", "strategy_room", "settings", "config_row")


async def screen_answer(engine: Engine, name: str, args: Mapping[str, str]) -> str:
    """The document of that name. Raises BadInput for arguments that cannot be read."""
    match name:
        case "signals":
            document: msgspec.Struct = await signals_document(engine, args)
        case "signal":
            document = await signal_document(engine, args)
        case "scanner_room":
            document = await scanner_room(engine)
        case "strategy_room":
            document = await strategy_room(engine)
        case "settings":
            document = await settings_document(engine)
        case _:
            document = await row_document(engine, args)
    return msgspec.json.encode(document).decode()
