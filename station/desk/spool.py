"""The reserved spool (FAULTS 54, 55): when the database cannot commit, exit intents, what the broker reports of
our orders, and what stops trading are written here instead, into space allocated beforehand; the next commit
that works carries them along."""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import msgspec

from station.domain.errors import StorageUnavailable
from station.domain.events import EVENT_TYPES, Recorded
from station.domain.orders import Execution
from station.domain.ports import Changes, OrderFailure

SIZE: Final = 256 * 1024
_LENGTH: Final = struct.Struct(">I")


@dataclass(frozen=True, slots=True)
class Rows:
    """What is committed with events and cannot be derived from them."""

    executions: tuple[Execution, ...] = ()
    failures: tuple[OrderFailure, ...] = ()
    cancels: tuple[tuple[str, str, int], ...] = ()
    controls: dict[str, str] = field(default_factory=dict[str, str])

    @classmethod
    def of(cls, changes: Changes) -> Rows:
        return cls(changes.executions, changes.failures, changes.cancels, dict(changes.controls))

    @property
    def changes(self) -> Changes:
        return Changes(
            executions=self.executions, failures=self.failures, cancels=self.cancels, controls=self.controls
        )


@dataclass(frozen=True, slots=True)
class Batch:
    """One commit that the database did not take."""

    events: tuple[Recorded, ...]
    rows: Rows


class ExitSpool:
    """An append-only run of batches in a preallocated file; a zero length ends it."""

    def __init__(self, path: Path) -> None:
        self._handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        if os.fstat(self._handle).st_size < SIZE:
            os.posix_fallocate(self._handle, 0, SIZE)
        self._end = 0
        self._batches = self._read()

    @property
    def pending(self) -> tuple[Batch, ...]:
        """What was spooled and has not been carried into the database."""
        return tuple(self._batches)

    def append(self, batch: Batch) -> None:
        """Write and sync. Raises StorageUnavailable when the reserve is full."""
        body = msgspec.json.encode(
            [
                [[i.trade_id, i.at_ns, i.event.type, msgspec.to_builtins(i.event)] for i in batch.events],
                msgspec.to_builtins(batch.rows),
            ]
        )
        if self._end + len(body) + 2 * _LENGTH.size > SIZE:
            raise StorageUnavailable(f"the exit spool is full ({SIZE} bytes): free disk space at once")
        os.pwrite(self._handle, _LENGTH.pack(len(body)) + body + _LENGTH.pack(0), self._end)
        os.fdatasync(self._handle)
        self._end += _LENGTH.size + len(body)
        self._batches.append(batch)

    def clear(self) -> None:
        os.pwrite(self._handle, _LENGTH.pack(0), 0)
        os.fdatasync(self._handle)
        self._end = 0
        self._batches.clear()

    def close(self) -> None:
        os.close(self._handle)

    def _read(self) -> list[Batch]:
        batches: list[Batch] = []
        while self._end + _LENGTH.size <= SIZE:
            (length,) = _LENGTH.unpack(os.pread(self._handle, _LENGTH.size, self._end))
            if length == 0 or self._end + length > SIZE:
                break
            events, rows = msgspec.json.decode(os.pread(self._handle, length, self._end + _LENGTH.size))
            recorded = tuple(
                Recorded(msgspec.convert(data, EVENT_TYPES[kind]), at_ns, trade_id)
                for trade_id, at_ns, kind, data in events
            )
            batches.append(Batch(recorded, msgspec.convert(rows, Rows)))
            self._end += _LENGTH.size + length
        return batches
