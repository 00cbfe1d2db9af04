"""One screen at the engine's door: its greeting, its calls, and the newest of every part it lacks."""

from __future__ import annotations

import asyncio
import os
from typing import Final, Protocol

from station.domain.clock import SECOND
from station.link import door
from station.link.answering import Answers
from station.link.asked import Ask
from station.link.codec import (
    MAX_TO_CLIENT,
    MAX_TO_SERVER,
    FrameError,
    FrameReader,
    decode_command,
    decode_to_server,
    frame,
    raw,
)
from station.link.floor import PART_NAMES, Versions
from station.link.messages import (
    CORE_TEXT,
    MAX_ASKS,
    PROTOCOL,
    READ_ONLY_COMMANDS,
    Ack,
    Answer,
    Attach,
    Call,
    Command,
    Farewell,
    Greeting,
    Hello,
    Part,
    Pulse,
    Reply,
)

WRITE_LIMIT: Final = 256 * 1024
MAX_CLIENTS: Final = 32
MAX_IN_FLIGHT: Final = 64
HELLO_LIMIT_S: Final = 5.0
PULSE_S: Final = 1.0


class Host(Protocol):
    """What a connection asks of the server that it belongs to."""

    def joined(self, client: Connection) -> bool:
        """Whether there was room for one more."""
        ...

    def left(self, client: Connection) -> None: ...

    def call(self, client: Connection, call_id: int, command: Command) -> None:
        """Have a command answered; `answered` hears of it."""
        ...

    def publish_soon(self) -> None: ...

    def encode(self, name: str) -> bytes:
        """The newest version of a part, framed."""
        ...

    def perf(self) -> int: ...


class Connection(asyncio.Protocol):
    """One connection."""

    def __init__(self, server: Host) -> None:
        self._server = server
        self._reader = FrameReader(MAX_TO_SERVER)
        self._transport: asyncio.Transport | None = None
        self._hello: Hello | None = None
        self._compatible = False
        self._sent: dict[str | Ask, int] = {}
        self.asks: tuple[Ask, ...] = ()
        self._held: list[Answer] = []
        self._in_flight = 0
        self._interval_ns = 0
        self._next_ns = 0
        self._last_ns = 0
        self._connected_ns = 0
        self._paused_ns: int | None = None
        self.gone = asyncio.Event()

    # --- the transport's side ----------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._connected_ns = self._server.perf()
        transport.set_write_buffer_limits(high=WRITE_LIMIT)
        if door.peer_uid(transport.get_extra_info("socket")) not in (os.getuid(), 0):
            transport.abort()
        elif not self._server.joined(self):
            self.send(Greeting(PROTOCOL, os.getpid(), False, f"{MAX_CLIENTS} screens are attached already"))
            transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._server.left(self)
        self.gone.set()

    def pause_writing(self) -> None:
        self._paused_ns = self._server.perf()

    def resume_writing(self) -> None:
        self._paused_ns = None
        held, self._held = self._held, []
        for number, answer in enumerate(held):
            if self._paused_ns is not None:
                self._held = held[number:]
                return
            self._reply(answer)

    def data_received(self, data: bytes) -> None:
        try:
            for body in self._reader.feed(data):
                self._received(body)
        except FrameError as fault:
            self.send(Farewell(str(fault)))
            self.close()

    # --- the conversation --------------------------------------------------------------------------

    def _received(self, body: bytes) -> None:
        if self._closing:
            return
        message = decode_to_server(body)
        if isinstance(message, Hello):
            self._greet(message)
        else:
            self._call(message)

    def _greet(self, hello: Hello) -> None:
        if self._hello is not None:
            raise FrameError("hello came twice")
        self._hello = hello
        self._compatible = hello.protocol == PROTOCOL
        text = "" if self._compatible else self._mismatch()
        self.send(Greeting(PROTOCOL, os.getpid(), self._compatible, text))

    def _mismatch(self) -> str:
        theirs = self._hello.protocol if self._hello else 0
        older = "screen" if theirs < PROTOCOL else "engine"
        spoken = f"the engine speaks protocol {PROTOCOL}, this screen {theirs}"
        return f"{spoken}: restart the {older}, it is the older one; {CORE_TEXT}"

    def _call(self, call: Call) -> None:
        if self._hello is None:
            raise FrameError("a command before hello")
        try:
            command = decode_command(call.command, core_only=not self._compatible)
        except FrameError as fault:
            if self._compatible:
                raise FrameError(f"call {call.id}: {fault}") from fault
            self._answer(call.id, Ack(False, self._mismatch(), "PROTOCOL"))
            return
        if isinstance(command, Attach):
            self._attach(command)
            self._answer(call.id, Ack(True, f"attached at {command.hz:g} Hz"))
        elif self._hello.role == "observer" and not isinstance(command, READ_ONLY_COMMANDS):
            self._answer(call.id, Ack(False, "this screen is attached read-only", "READ_ONLY"))
        else:
            self._in_flight += 1
            self._server.call(self, call.id, command)
            self._bound()

    def _attach(self, command: Attach) -> None:
        hz = min(max(command.hz, 0.1), 20.0)
        self._interval_ns = round(SECOND / hz)
        self._next_ns = 0
        self.asks = tuple(dict.fromkeys(command.asks))[:MAX_ASKS]
        self._sent = {of: sent for of, sent in self._sent.items() if isinstance(of, str) or of in self.asks}
        if self.asks:
            self._server.publish_soon()

    def answered(self, call_id: int, reply: Reply) -> None:
        self._in_flight -= 1
        self._answer(call_id, reply)

    def _answer(self, call_id: int, reply: Reply) -> None:
        answer = Answer(call_id, reply)
        if self._paused_ns is None:
            self._reply(answer)
        else:
            self._held.append(answer)
            self._bound()

    def _bound(self) -> None:
        if self._in_flight + len(self._held) > MAX_IN_FLIGHT:
            self.abort()

    def _reply(self, answer: Answer) -> None:
        data = frame(answer)
        if len(data) > MAX_TO_CLIENT:
            text = f"the answer is {len(data)} bytes, over the link's {MAX_TO_CLIENT}: ask for less"
            data = frame(Answer(answer.id, Ack(False, text, "TOO_LARGE")))
        self._write(data)

    # --- the stream --------------------------------------------------------------------------------

    def overdue(self, now_ns: int, stall_limit_ns: int) -> bool:
        """Stuck for too long, or silent since it connected."""
        if self._closing:
            return False
        if self._paused_ns is not None:
            return now_ns - self._paused_ns > stall_limit_ns
        return self._hello is None and now_ns - self._connected_ns > HELLO_LIMIT_S * SECOND

    def hurry(self) -> None:
        """It is due at once."""
        self._next_ns = 0

    def is_due(self, now_ns: int) -> bool:
        attached = self._interval_ns > 0 and self._compatible and not self._closing
        return attached and self._paused_ns is None and now_ns >= self._next_ns

    def publish(
        self, versions: Versions, answers: Answers, encoded: dict[str | Ask, bytes], now_ns: int
    ) -> None:
        """Send the newest version of every part this client lacks, until its buffer is full."""
        self._next_ns = now_ns + self._interval_ns - self._interval_ns // 10
        for name in PART_NAMES:
            version = versions.of[name]
            if version == self._sent.get(name, 0):
                continue
            if name not in encoded:
                encoded[name] = self._server.encode(name)
            self._write(encoded[name])
            self._sent[name] = version
            if self._paused_ns is not None:
                return
        for ask in self.asks:
            known = answers.of(ask)
            if known is None or known[1] == self._sent.get(ask):
                continue
            if ask not in encoded:
                encoded[ask] = frame(Part(ask.part, known[1], raw(known[0])))
            self._write(encoded[ask])
            self._sent[ask] = known[1]
            if self._paused_ns is not None:
                return
        if now_ns - self._last_ns > PULSE_S * SECOND:
            self.send(Pulse())

    def send(self, message: Greeting | Farewell | Pulse) -> None:
        self._write(frame(message))

    @property
    def _closing(self) -> bool:
        return self._transport is None or self._transport.is_closing()

    def _write(self, data: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._last_ns = self._server.perf()
            self._transport.write(data)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()
