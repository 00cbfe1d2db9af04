"""Frames: four bytes of big-endian length, then one msgpack message."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

from station.domain.errors import VigilError
from station.link.asked import ASKED, AskedPart
from station.link.floor import Alerts, Feed, Header, Orders, Positions, Strategies
from station.link.messages import Command, CoreCommand, ToClient, ToServer

HEAD: Final = 4
MAX_TO_SERVER: Final = 64 * 1024
MAX_TO_CLIENT: Final = 8 * 1024 * 1024

FloorPart = Header | Feed | Positions | Orders | Alerts | Strategies | AskedPart


class FrameError(VigilError):
    """Bytes that are no frame or no message of ours; the connection they came by is closed."""


class FrameReader:
    """Cuts a byte stream into frame bodies of at most `limit` bytes."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._pending = bytearray()

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The bodies completed by `data`. Raises FrameError for a length of zero or over the limit, after
        yielding what came before it."""
        self._pending += data
        while len(self._pending) >= HEAD:
            length = int.from_bytes(self._pending[:HEAD])
            if not 0 < length <= self._limit:
                raise FrameError(f"frame of {length} bytes; the limit is {self._limit}")
            end = HEAD + length
            if len(self._pending) < end:
                return
            body = bytes(self._pending[HEAD:end])
            del self._pending[:end]
            yield body


_encoder: Final = msgspec.msgpack.Encoder()
_to_server: Final = msgspec.msgpack.Decoder(ToServer)
_to_client: Final = msgspec.msgpack.Decoder(ToClient)
_command: Final = msgspec.msgpack.Decoder(Command)
_core: Final = msgspec.msgpack.Decoder(CoreCommand)
_parts: Final[dict[str, msgspec.msgpack.Decoder[FloorPart]]] = {
    "header": msgspec.msgpack.Decoder(Header),
    "feed": msgspec.msgpack.Decoder(Feed),
    "positions": msgspec.msgpack.Decoder(Positions),
    "orders": msgspec.msgpack.Decoder(Orders),
    "alerts": msgspec.msgpack.Decoder(Alerts),
    "strategies": msgspec.msgpack.Decoder(Strategies),
    **{name: msgspec.msgpack.Decoder(kind) for name, kind in ASKED.items()},
}


def raw(value: msgspec.Struct) -> msgspec.Raw:
    """The bare msgpack of a message, for embedding in another."""
    return msgspec.Raw(_encoder.encode(value))


def frame(message: msgspec.Struct) -> bytes:
    """One message, ready for the socket."""
    body = _encoder.encode(message)
    return len(body).to_bytes(HEAD) + body


def decode_to_server(body: bytes) -> ToServer:
    """Raises FrameError for anything but a message a client may send."""
    try:
        return _to_server.decode(body)
    except (msgspec.MsgspecError, RecursionError) as fault:
        raise FrameError(f"not a message of ours: {fault}") from fault


def decode_to_client(body: bytes) -> ToClient:
    """Raises FrameError for anything but a message a server may send."""
    try:
        return _to_client.decode(body)
    except (msgspec.MsgspecError, RecursionError) as fault:
        raise FrameError(f"not a message of the engine: {fault}") from fault


def decode_command(body: msgspec.Raw, *, core_only: bool = False) -> Command:
    """The command of a call; with `core_only`, only one of the frozen core. Raises FrameError."""
    try:
        return _core.decode(body) if core_only else _command.decode(body)
    except (msgspec.MsgspecError, RecursionError) as fault:
        raise FrameError(f"not a command: {fault}") from fault


def decode_part(name: str, body: msgspec.Raw) -> FloorPart | None:
    """A part of the floor, None for a name this version does not know. Raises FrameError."""
    decoder = _parts.get(name)
    if decoder is None:
        return None
    try:
        return decoder.decode(body)
    except (msgspec.MsgspecError, RecursionError) as fault:
        raise FrameError(f"part {name} is damaged: {fault}") from fault
