"""JSON logs with correlation ids: one line an event, to `vigil.log` in the runtime directory."""

from __future__ import annotations

import os
from pathlib import Path
from typing import IO, Final, TextIO, cast

import structlog
from structlog.typing import EventDict, FilteringBoundLogger, WrappedLogger

from station.domain.clock import Clock, utc_text
from station.domain.events import (
    Alerted,
    Event,
    HandlerFailed,
    KillChanged,
    LinkChanged,
    Reconciled,
    TradeFailed,
)

LOG: Final = "vigil.log"


def level_of(event: Event) -> str:
    """How loud an event's line is: info, warning, error or critical."""
    match event:
        case Alerted(severity="critical"):
            return "critical"
        case HandlerFailed():
            return "error"
        case Alerted(severity="warning") | TradeFailed() | KillChanged(on=True):
            return "warning"
        case LinkChanged(up=False) | Reconciled(clean=False):
            return "warning"
        case _:
            return "info"


class LogFile:
    """Appends to a path, and to a new file once the old one was moved away."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stream = self._opened()

    def write(self, text: str) -> int:
        if self._moved():
            self._stream.close()
            self._stream = self._opened()
        return self._stream.write(text)

    def flush(self) -> None:
        self._stream.flush()

    def _opened(self) -> IO[str]:
        handle = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        return os.fdopen(handle, "w", buffering=1)

    def _moved(self) -> bool:
        try:
            return self._path.stat().st_ino != os.fstat(self._stream.fileno()).st_ino
        except FileNotFoundError:
            return True


def open_log(runtime: Path, clock: Clock, level: str) -> FilteringBoundLogger:
    """A logger that stamps the station's own clock and leaves out what is less loud than `level`; bind
    `trade_id` to correlate."""
    stream = LogFile(runtime / LOG)

    def stamp(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
        event.setdefault("ts_utc", utc_text(clock.now()))
        return event

    logger = structlog.wrap_logger(
        structlog.WriteLogger(cast("TextIO", stream)),
        processors=[
            structlog.processors.add_log_level,
            stamp,
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(sort_keys=True, default=str),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
    )
    return cast("FilteringBoundLogger", logger)
