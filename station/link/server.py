"""The engine's end of the door. It never waits for a screen: what a client has not read does not exist yet."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

from station.domain.clock import SECOND, Clock
from station.link import door
from station.link.answering import Answerer, Answers, FaultSink, silent
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
from station.link.floor import PART_NAMES, Floor, Versions
from station.link.handling import Handler, outcome, unheard
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


class LinkServer:
    """Answers commands and publishes the floor, latest version wins.

    `handler` answers every command but Attach; a VigilError it raises becomes a refusal. `floor` is called
    at `hz` while anyone is attached, `answer` for each part that someone asks for; neither may wait. `clock`
    must be a wall clock. A client whose buffer stays full for
    `stall_limit_s` is dropped. `on_fault(where, error)` hears of errors that are the engine's own.
    """

    def __init__(
        self, path: Path, handler: Handler, floor: Callable[[], Floor], *, clock: Clock, hz: float = 4.0,
        stall_limit_s: float = 20.0, on_fault: FaultSink = unheard, answer: Answerer = silent,
    ) -> None:  # fmt: skip
        self._path = path
        self._handler = handler
        self._floor = floor
        self._clock = clock
        self._hz = hz
        self._stall_limit_ns = round(stall_limit_s * SECOND)
        self._on_fault = on_fault
        self._versions = Versions()
        self._answers = Answers(answer, on_fault)
        self._clients: list[_Client] = []
        self._calls: set[asyncio.Task[Reply]] = set()
        self._crowd = asyncio.Event()
        self._server: asyncio.Server | None = None
        self._publisher: asyncio.Task[None] | None = None
        self._place, self._inode = path, 0
        self.dropped = 0

    @property
    def clients(self) -> int:
        """How many connections are open."""
        return len(self._clients)

    async def start(self) -> None:
        """Open the socket. Raises Fatal where another engine answers there."""
        listener, self._place = door.listen(self._path)
        self._inode = self._place.lstat().st_ino
        loop = asyncio.get_running_loop()
        self._server = await loop.create_unix_server(lambda: _Client(self), sock=listener)
        self._begin_publishing()

    async def stop(self, reason: str = "the engine stopped") -> None:
        """Say farewell, flush what can be flushed within half a second, and remove the socket."""
        if self._server is None:
            return
        self._server.close()
        self._server = None
        door.leave(self._path, self._place, self._inode)
        if self._publisher is not None:
            self._publisher.cancel()
        pending = {call for call in self._calls if call is not asyncio.current_task()}
        if pending:
            await asyncio.wait(pending, timeout=0.5)
        leaving = list(self._clients)
        for client in leaving:
            client.send(Farewell(reason))
            client.close()
        if leaving:
            await asyncio.wait([asyncio.ensure_future(client.gone.wait()) for client in leaving], timeout=0.5)
        for client in list(self._clients):
            client.abort()

    def tick(self) -> None:
        """Publish once to everyone who is due; drop who is stuck or never said hello."""
        now = self._clock.perf()
        for client in list(self._clients):
            if client.overdue(now, self._stall_limit_ns):
                self.dropped += 1
                client.abort()
        due = [client for client in self._clients if client.is_due(now)]
        if not due:
            return
        self._versions.take(self._floor())
        self._answers.keep(ask for client in self._clients for ask in client.asks)
        self._answers.refresh(ask for client in due for ask in client.asks)
        encoded: dict[str | Ask, bytes] = {}
        for client in due:
            client.publish(self._versions, self._answers, encoded, now)

    def hurry(self) -> None:
        """Something happened that must reach the eye: publish now, whoever's turn it is."""
        for client in self._clients:
            client.hurry()
        if self._clients:
            self.publish_soon()

    def publish_soon(self) -> None:
        """Answer what was newly asked now, not at the next beat."""
        asyncio.get_running_loop().call_soon(self._publish_now)

    def _publish_now(self) -> None:
        try:
            self.tick()
        except Exception as fault:  # noqa: BLE001 - as the publisher's, it is reported and publishing goes on
            self._on_fault("publishing the floor", fault)

    def encode(self, name: str) -> bytes:
        part = Part(name, self._versions.of[name], raw(getattr(self._versions.floor, name)))
        return frame(part)

    # --- what the clients tell ---------------------------------------------------------------------

    def joined(self, client: _Client) -> bool:
        if len(self._clients) >= MAX_CLIENTS:
            return False
        self._clients.append(client)
        self._crowd.set()
        return True

    def left(self, client: _Client) -> None:
        if client in self._clients:
            self._clients.remove(client)
        if not self._clients:
            self._crowd.clear()

    def call(self, client: _Client, call_id: int, command: Command) -> None:
        """Run the handler to its end, even if the caller hangs up: a kill is a kill."""

        async def handle() -> Reply:
            return await self._handler(command)

        task = asyncio.get_running_loop().create_task(handle(), name=f"link {type(command).__name__}")
        self._calls.add(task)
        task.add_done_callback(lambda done: self._called(client, call_id, command, done))

    def perf(self) -> int:
        return self._clock.perf()

    def _called(self, client: _Client, call_id: int, command: Command, done: asyncio.Task[Reply]) -> None:
        self._calls.discard(done)
        client.answered(call_id, outcome(command, done, self._on_fault))

    # --- the publisher -----------------------------------------------------------------------------

    def _begin_publishing(self) -> None:
        self._publisher = asyncio.get_running_loop().create_task(self._publish(), name="link publisher")
        self._publisher.add_done_callback(self._published)

    async def _publish(self) -> None:
        while True:
            await self._crowd.wait()
            await self._clock.sleep(1 / self._hz)
            self.tick()

    def _published(self, done: asyncio.Task[None]) -> None:
        if done.cancelled() or self._server is None:
            return
        fault = done.exception()
        if fault is not None:
            self._on_fault("publishing the floor", fault)
        self._begin_publishing()


class _Client(asyncio.Protocol):
    """One connection."""

    def __init__(self, server: LinkServer) -> None:
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
