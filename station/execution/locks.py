"""One lock an instrument, so that an entry and an exit never race on it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager


class InstrumentLocks:
    """Re-entrant for the task that holds it; first come, first served for the others."""

    def __init__(self) -> None:
        self._locks: dict[str, asyncio.Lock] = {}
        self._owners: dict[str, asyncio.Task[object]] = {}

    @asynccontextmanager
    async def hold(self, symbol: str) -> AsyncGenerator[None]:
        task = asyncio.current_task()
        if task is not None and self._owners.get(symbol) is task:
            yield
            return
        async with self._locks.setdefault(symbol, asyncio.Lock()):
            if task is not None:
                self._owners[symbol] = task
            try:
                yield
            finally:
                self._owners.pop(symbol, None)
