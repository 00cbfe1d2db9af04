"""JSON logs with correlation ids: one line an event, to `vigil.log` in the runtime directory."""

from __future__ import annotations

import os
from pathlib import Path
from typing import IO, cast

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


def open_log(runtime: Path, clock: Clock) -> FilteringBoundLogger:
    """A logger that stamps the station's own clock; bind `trade_id` to correlate."""
    handle = os.open(runtime / "vigil.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    stream: IO[str] = os.fdopen(handle, "w", buffering=1)

    def stamp(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
        event.setdefault("ts_utc", utc_text(clock.now()))
        return event

    logger = structlog.wrap_logger(
        structlog.WriteLogger(stream),
        processors=[
            structlog.processors.add_log_level,
            stamp,
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(sort_keys=True, default=str),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(20),
    )
    return cast("FilteringBoundLogger", logger)
