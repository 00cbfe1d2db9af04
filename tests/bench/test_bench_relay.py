"""The wire that the benchmark cuts: every byte through it, nobody through it while it is cut."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress

from station.engine.bench.relay import Relay, relay


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(1024):
        writer.write(data.upper())
    writer.close()


@asynccontextmanager
async def relayed() -> AsyncGenerator[Relay]:
    server = await asyncio.start_server(_answer, "127.0.0.1", 0)
    async with server, relay(server.sockets[0].getsockname()[1]) as wire:
        yield wire


async def said(wire: Relay, words: bytes) -> bytes:
    """What comes back; nothing where the connection ends instead."""
    reader, writer = await asyncio.open_connection("127.0.0.1", wire.port)
    writer.write(words)
    try:
        return await reader.read(1024)
    except ConnectionResetError:
        return b""
    finally:
        writer.close()


async def test_a_cut_drops_who_is_there_and_lets_nobody_in_until_it_is_mended() -> None:
    async with relayed() as wire:
        assert await said(wire, b"before") == b"BEFORE"
        reader, writer = await asyncio.open_connection("127.0.0.1", wire.port)
        writer.write(b"there")
        assert await reader.read(1024) == b"THERE"
        wire.cut()
        with suppress(ConnectionResetError):
            assert await reader.read(1024) == b""
        writer.close()
        assert await said(wire, b"cut") == b""
        wire.mend()
        assert await said(wire, b"after") == b"AFTER"
