"""A wire between the station and its broker that can be cut."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Final

from station.clock import WallClock

CHUNK: Final = 1 << 16


class Relay:
    """Takes connections on a port of its own and passes every byte on to `port`, until it is cut; nobody gets
    through before it is mended."""

    def __init__(self, port: int) -> None:
        self._far = port
        self._open = True
        self._ends: set[asyncio.StreamWriter] = set()
        self._passing: set[asyncio.Future[tuple[None, None]]] = set()
        self.port = 0

    def cut(self) -> int:
        """Drop every connection at once; the instant at which it happened."""
        self._open = False
        at = WallClock().perf()
        for end in tuple(self._ends):
            end.transport.abort()
        return at

    def mend(self) -> None:
        self._open = True

    async def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """A station that connects."""
        if not self._open:
            writer.transport.abort()
            return
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._far)
        ends = {writer, far_writer}
        self._ends |= ends
        passing = asyncio.gather(_pass_on(reader, far_writer), _pass_on(far_reader, writer))
        self._passing.add(passing)
        try:
            await passing
        finally:
            self._ends -= ends
            self._passing.discard(passing)

    async def end(self) -> None:
        """Cut for good."""
        self.cut()
        if self._passing:
            await asyncio.wait(self._passing)


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Until either end is gone; the other goes with it."""
    try:
        while data := await reader.read(CHUNK):
            writer.write(data)
            await writer.drain()
    except OSError:
        return
    finally:
        writer.close()


@asynccontextmanager
async def relay(port: int) -> AsyncGenerator[Relay]:
    wire = Relay(port)
    server = await asyncio.start_server(wire.take, "127.0.0.1", 0)
    wire.port = int(server.sockets[0].getsockname()[1])
    try:
        yield wire
    finally:
        server.close()
        await wire.end()
