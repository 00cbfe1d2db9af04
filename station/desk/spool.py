"""The reserved spool (FAULTS 54, 55): when the database cannot commit, exit intents, what the broker reports of
our orders, and what stops trading are written here instead, into space allocated beforehand; the next commit
that works carries them along."""

from __future__ import annotations

import os
import struct
import zlib
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import msgspec

from station.domain.errors import StorageUnavailable
from station.domain.events import EVENT_TYPES, Recorded
from station.domain.orders import Execution
from station.domain.ports import Changes, OrderFailure

SIZE: Final = 256 * 1024
_HEAD: Final = struct.Struct(">II")
_END: Final = _HEAD.pack(0, 0)


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
    """One commit that the database did not take. The spool numbers them, and numbers go on after a `clear`."""

    events: tuple[Recorded, ...]
    rows: Rows
    number: int = 0


class ExitSpool:
    """An append-only run of batches in a preallocated file, each with its length and CRC-32; a zero length ends
    it. What was cut off while being written was never acknowledged: it ends the run and is told by `torn`."""

    def __init__(self, path: Path) -> None:
        self._handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        if os.fstat(self._handle).st_size < SIZE:
            os.posix_fallocate(self._handle, 0, SIZE)
        self._path = path
        self._end = 0
        self.torn = ""
        self._batches = self._read()
        self.last = self._batches[-1].number if self._batches else 0

    @property
    def pending(self) -> tuple[Batch, ...]:
        """What was spooled and has not been carried into the database."""
        return tuple(self._batches)

    def resume_after(self, number: int) -> None:
        """The database holds every batch up to `number`: those are not pending, and the next is above it."""
        self._batches = [batch for batch in self._batches if batch.number > number]
        self.last = max(self.last, number)

    def append(self, batch: Batch) -> None:
        """Write and sync. Raises StorageUnavailable when the reserve is full."""
        numbered = replace(batch, number=self.last + 1)
        body = _encoded(numbered)
        if self._end + len(body) + 2 * _HEAD.size > SIZE:
            raise StorageUnavailable(f"the exit spool is full ({SIZE} bytes): free disk space at once")
        os.pwrite(self._handle, _HEAD.pack(len(body), zlib.crc32(body)) + body + _END, self._end)
        os.fdatasync(self._handle)
        self._end += _HEAD.size + len(body)
        self.last = numbered.number
        self._batches.append(numbered)

    def clear(self) -> None:
        os.pwrite(self._handle, _END, 0)
        os.fdatasync(self._handle)
        self._end = 0
        self._batches.clear()

    def close(self) -> None:
        os.close(self._handle)

    def _read(self) -> list[Batch]:
        batches: list[Batch] = []
        while self._end + _HEAD.size <= SIZE:
            length, crc = _HEAD.unpack(os.pread(self._handle, _HEAD.size, self._end))
            if length == 0:
                break
            body = os.pread(self._handle, length, self._end + _HEAD.size) if length <= SIZE else b""
            if len(body) != length or zlib.crc32(body) != crc:
                self.torn = (
                    f"{self._path.name}: record {len(batches) + 1} at byte {self._end} is incomplete and was "
                    "dropped; reconciliation takes what is missing from the broker"
                )
                break
            batches.append(_decoded(body))
            self._end += _HEAD.size + length
        return batches


def _encoded(batch: Batch) -> bytes:
    events = [[i.trade_id, i.at_ns, i.event.type, msgspec.to_builtins(i.event)] for i in batch.events]
    return msgspec.json.encode([batch.number, events, msgspec.to_builtins(batch.rows)])


def _decoded(body: bytes) -> Batch:
    number, events, rows = msgspec.json.decode(body)
    recorded = tuple(
        Recorded(msgspec.convert(data, EVENT_TYPES[kind]), at_ns, trade_id)
        for trade_id, at_ns, kind, data in events
    )
    return Batch(recorded, msgspec.convert(rows, Rows), number)
