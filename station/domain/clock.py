"""The seams of time and identity. Instants are int UTC nanoseconds."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Protocol

MICROSECOND = 1_000
MILLISECOND = 1_000_000
SECOND = 1_000_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR


class Timer(Protocol):
    """A pending callback; `cancel` is idempotent."""

    def cancel(self) -> None: ...


class Clock(Protocol):
    """The only source of time. Wall, replay and virtual clocks implement it."""

    def now(self) -> int:
        """The current instant, UTC ns."""
        ...

    def perf(self) -> int:
        """Host monotonic ns, for measuring latency only; never stored with a decision."""
        ...

    def call_at(self, at_ns: int, callback: Callable[[], None]) -> Timer:
        """Run `callback` once at or after `at_ns`; timers of one instant run in the order they were set."""
        ...

    async def sleep_until(self, at_ns: int) -> None: ...

    async def sleep(self, seconds: float) -> None: ...


class Ids(Protocol):
    """The only source of identity: deterministic per runtime directory, never reused after a restart."""

    def trade_id(self, session: date) -> str: ...

    def signal_id(self, session: date) -> str: ...

    def taken(self, trade_id: str) -> None:
        """A trade id that is known elsewhere, at the broker, is never handed out."""
        ...


def utc_text(at_ns: int) -> str:
    """`YYYY-MM-DDTHH:MM:SS.ffffffZ`, the form of every time in JSON."""
    seconds, rest = divmod(at_ns, SECOND)
    stamp = datetime.fromtimestamp(seconds, UTC)
    return f"{stamp:%Y-%m-%dT%H:%M:%S}.{rest // MICROSECOND:06d}Z"


def from_datetime(moment: datetime) -> int:
    """UTC ns of an aware datetime. Raises ValueError for a naive one."""
    if moment.tzinfo is None:
        raise ValueError(f"naive datetime {moment!r}: give it a zone")
    whole = int(moment.replace(microsecond=0).timestamp())
    return whole * SECOND + moment.microsecond * MICROSECOND


def to_datetime(at_ns: int) -> datetime:
    """The aware UTC datetime of an instant, to the microsecond."""
    seconds, rest = divmod(at_ns, SECOND)
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest // MICROSECOND)
