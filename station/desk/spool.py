"""The reserved spool for exits (FAULTS 54, 55): when the database cannot commit, an exit intent is written
here instead, into space allocated beforehand, and sent; the next commit that works carries it along."""

from __future__ import annotations

import os
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from station.domain.errors import StorageUnavailable
from station.domain.events import EVENT_TYPES, Recorded

SIZE: Final = 256 * 1024
_LENGTH: Final = struct.Struct(">I")


class ExitSpool:
    """An append-only run of records in a preallocated file; a zero length ends it."""

    def __init__(self, path: Path) -> None:
        self._handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        if os.fstat(self._handle).st_size < SIZE:
            os.posix_fallocate(self._handle, 0, SIZE)
        self._end = 0
        self._items = self._read()

    @property
    def pending(self) -> tuple[Recorded, ...]:
        """What was spooled and has not been carried into the database."""
        return tuple(self._items)

    def append(self, items: Sequence[Recorded]) -> None:
        """Write and sync. Raises StorageUnavailable when the reserve is full."""
        for item in items:
            body = msgspec.json.encode(
                [item.trade_id, item.at_ns, item.event.type, msgspec.to_builtins(item.event)]
            )
            if self._end + len(body) + 2 * _LENGTH.size > SIZE:
                raise StorageUnavailable(f"the exit spool is full ({SIZE} bytes): free disk space at once")
            record = _LENGTH.pack(len(body)) + body + _LENGTH.pack(0)
            os.pwrite(self._handle, record, self._end)
            self._end += _LENGTH.size + len(body)
            self._items.append(item)
        os.fdatasync(self._handle)

    def clear(self) -> None:
        os.pwrite(self._handle, _LENGTH.pack(0), 0)
        os.fdatasync(self._handle)
        self._end = 0
        self._items.clear()

    def close(self) -> None:
        os.close(self._handle)

    def _read(self) -> list[Recorded]:
        items: list[Recorded] = []
        while self._end + _LENGTH.size <= SIZE:
            (length,) = _LENGTH.unpack(os.pread(self._handle, _LENGTH.size, self._end))
            if length == 0 or self._end + length > SIZE:
                break
            body = os.pread(self._handle, length, self._end + _LENGTH.size)
            trade_id, at_ns, kind, data = msgspec.json.decode(body)
            items.append(Recorded(msgspec.convert(data, EVENT_TYPES[kind]), at_ns, trade_id))
            self._end += _LENGTH.size + length
        return items
