"""How a command is handled, and what its handler's end means to the screen that asked."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from station.domain.errors import Refused, VigilError
from station.link.answering import FaultSink
from station.link.messages import Ack, Command, Reply

Handler = Callable[[Command], Awaitable[Reply]]


def unheard(_where: str, _fault: BaseException) -> None:
    """A fault sink that listens to nothing."""


def outcome(command: Command, done: asyncio.Task[Reply], on_fault: FaultSink) -> Reply:
    """The reply that a finished handler stands for; what it raised becomes a refusal in one line."""
    if done.cancelled():
        return Ack(False, "the engine is stopping", "STOPPING")
    fault = done.exception()
    if fault is None:
        return done.result()
    if isinstance(fault, Refused):
        return Ack(False, str(fault), fault.code)
    if isinstance(fault, VigilError):
        return Ack(False, str(fault), type(fault).__name__.upper())
    on_fault(f"command {type(command).__name__}", fault)
    return Ack(False, f"{type(command).__name__} failed inside the engine: {fault!r}", "FAULT")
