"""The screen's end of the door: attaches, re-attaches with back-off, and keeps the newest of everything."""

from __future__ import annotations

import asyncio
from itertools import count
from pathlib import Path
from typing import Final

import msgspec

from station.domain.clock import SECOND, Clock
from station.link import door
from station.link.asked import ASKED, Ask, AskedPart
from station.link.codec import (
    MAX_TO_CLIENT,
    MAX_TO_SERVER,
    FrameError,
    FrameReader,
    decode_part,
    decode_to_client,
    frame,
    raw,
)
from station.link.floor import is_urgent
from station.link.messages import (
    PROTOCOL,
    Ack,
    Answer,
    Attach,
    Call,
    Command,
    Farewell,
    Greeting,
    Hello,
    Part,
    Reply,
)
from station.link.port import LinkDown, LinkState, View, nobody

READ_CHUNK: Final = 64 * 1024
FIRST_WAIT_S: Final = 0.1
LAST_WAIT_S: Final = 2.0
SILENT_S: Final = 3.0
WRAPPING: Final = 64
"""Bytes that a command gains in its frame, at most."""


class _Wire:
    """One connection: greeted on `connect`, then whole messages."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self.writer = writer
        self._frames = FrameReader(MAX_TO_CLIENT)
        self._ready: list[bytes] = []

    @classmethod
    async def connect(cls, path: Path, role: str, protocol: int) -> tuple[_Wire, Greeting]:
        place = door.address(path)
        try:
            reader, writer = await asyncio.open_unix_connection(str(place), limit=READ_CHUNK)
        except OSError as fault:
            raise LinkDown(f"no engine answers at {place} ({fault.strerror or fault})") from fault
        wire = cls(reader, writer)
        try:
            wire.send(Hello(role, protocol))
            greeting = await wire.receive()
        except BaseException:
            wire.close()
            raise
        if not isinstance(greeting, Greeting):
            wire.close()
            raise LinkDown(f"{place} answered hello with {type(greeting).__name__}")
        return wire, greeting

    def send(self, message: Hello | Call) -> None:
        self.writer.write(frame(message))

    async def receive(self) -> Greeting | Answer | Part | msgspec.Struct:
        """The next message. Raises LinkDown at the end of the stream or on damage."""
        try:
            while not self._ready:
                data = await self._reader.read(READ_CHUNK)
                if not data:
                    raise LinkDown("the engine closed the connection")
                self._ready = list(self._frames.feed(data))[::-1]
            return decode_to_client(self._ready.pop())
        except (OSError, FrameError) as fault:
            raise LinkDown(f"the link broke: {fault}") from fault

    def close(self) -> None:
        self.writer.close()


def _too_long(command: Command) -> Ack | None:
    """Why a command is not sent: a frame over the limit would cost the attachment."""
    size = len(frame(command)) + WRAPPING
    if size <= MAX_TO_SERVER:
        return None
    return Ack(False, f"{size:,} bytes are over the {MAX_TO_SERVER:,} of one message: nothing was sent", "LONG")


async def request(
    path: Path, command: Command, timeout_s: float = 5.0, *, role: str = "verb", protocol: int = PROTOCOL
) -> Reply:
    """Ask the engine at `path` once. Raises LinkDown where none runs or it gave no answer in time."""
    if (refused := _too_long(command)) is not None:
        return refused
    try:
        async with asyncio.timeout(timeout_s):
            wire, _greeting = await _Wire.connect(path, role, protocol)
            try:
                wire.send(Call(1, raw(command)))
                while True:
                    message = await wire.receive()
                    if isinstance(message, Answer):
                        return message.reply
                    if isinstance(message, Farewell):
                        raise LinkDown(message.reason)
            finally:
                wire.close()
    except TimeoutError as fault:
        raise LinkDown(f"the engine gave no answer within {timeout_s:g} s") from fault


class LinkClient:
    """A screen's lasting attachment. `role` is screen or observer; `hz` the pace of the floor. It is CONNECTING
    until `opened` is done, where that is given: an engine that still starts is not one that was lost."""

    def __init__(
        self, path: Path, *, clock: Clock, role: str = "screen", hz: float = 4.0, protocol: int = PROTOCOL,
        opened: asyncio.Future[None] | None = None,
    ) -> None:  # fmt: skip
        self.view = View()
        self.on_news = nobody
        self._path = path
        self._clock = clock
        self._role = role
        self._hz = hz
        self._protocol = protocol
        self._opened = opened
        self._state = LinkState.CONNECTING
        self._detail = ""
        self._wire: _Wire | None = None
        self._ids = count(1)
        self._waiting: dict[int, asyncio.Future[Reply]] = {}
        self._keeper: asyncio.Task[None] | None = None
        self.attachments = 0

    @property
    def state(self) -> LinkState:
        if self._state is LinkState.CONNECTED and self.silence_s > SILENT_S:
            return LinkState.SILENT
        return self._state

    @property
    def detail(self) -> str:
        if self.state is LinkState.SILENT:
            return f"the engine has said nothing for {self.silence_s:.0f} s"
        return self._detail

    @property
    def silence_s(self) -> float:
        """Seconds since anything was heard."""
        return (self._clock.perf() - self.view.heard_ns) / SECOND if self.view.heard_ns else 0.0

    def pull(self) -> None: ...

    def look(self, asks: tuple[Ask, ...]) -> None:
        if asks == self.view.asks:
            return
        self.view.aim(asks, answered=self._state is LinkState.CONNECTED)
        if self._wire is not None and self._state is LinkState.CONNECTED:
            self._wire.send(Call(0, raw(Attach(self._hz, asks))))

    async def open(self) -> None:
        if self._keeper is None:
            self._keeper = asyncio.get_running_loop().create_task(self._keep(), name="link keeper")

    async def close(self) -> None:
        self._state = LinkState.CLOSED
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.wait([self._keeper])
            self._keeper = None
        self._hang_up("the screen closed the link")

    async def ask(self, command: Command, timeout_s: float = 5.0) -> Reply:
        wire = self._wire
        if wire is None:
            raise LinkDown(self._detail or "not attached yet")
        if (refused := _too_long(command)) is not None:
            return refused
        number = next(self._ids)
        answer: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self._waiting[number] = answer
        try:
            wire.send(Call(number, raw(command)))
            async with asyncio.timeout(timeout_s):
                return await answer
        except TimeoutError as fault:
            raise LinkDown(f"the engine gave no answer within {timeout_s:g} s") from fault
        finally:
            self._waiting.pop(number, None)

    async def _keep(self) -> None:
        if self._opened is not None:
            await asyncio.wait([self._opened])
        wait_s = FIRST_WAIT_S
        while True:
            before = self.attachments
            try:
                await self._attend()
            except LinkDown as fault:
                self._hang_up(str(fault))
            if self.attachments > before:
                wait_s = FIRST_WAIT_S
            await self._clock.sleep(wait_s)
            wait_s = min(wait_s * 2, LAST_WAIT_S)

    async def _attend(self) -> None:
        """One attachment, from hello to the end of its stream."""
        try:
            async with asyncio.timeout(SILENT_S):
                self._wire, greeting = await _Wire.connect(self._path, self._role, self._protocol)
        except TimeoutError as fault:
            raise LinkDown(f"the engine has not greeted within {SILENT_S:g} s") from fault
        self.view.heard_ns = self._clock.perf()
        if greeting.accepted:
            self.view.aim(self.view.asks)
            self._wire.send(Call(0, raw(Attach(self._hz, self.view.asks))))
            self._state, self._detail = LinkState.CONNECTED, ""
            self.attachments += 1
        else:
            self._state, self._detail = LinkState.MISMATCH, greeting.text
        while True:
            self._heard(await self._wire.receive())

    def _heard(self, message: msgspec.Struct) -> None:
        self.view.heard_ns = self._clock.perf()
        match message:
            case Answer(id=number, reply=reply):
                answer = self._waiting.pop(number, None)
                if answer is not None and not answer.done():
                    answer.set_result(reply)
            case Part(name=name, body=body):
                self._adopt(name, body)
            case Farewell(reason=reason):
                raise LinkDown(reason)
            case _:
                pass

    def _adopt(self, name: str, body: msgspec.Raw) -> None:
        try:
            part = decode_part(name, body)
        except FrameError as fault:
            raise LinkDown(str(fault)) from fault
        if name in ASKED and isinstance(part, AskedPart):
            if self.view.answer(name, part):
                self.on_news()
        elif part is not None:
            before = getattr(self.view.floor, name)
            self.view.floor = msgspec.structs.replace(self.view.floor, **{name: part})
            self.view.versions[name] += 1
            if is_urgent(before, part):
                self.on_news()

    def _hang_up(self, reason: str) -> None:
        if self._wire is not None:
            self._wire.close()
            self._wire = None
        if self._state is not LinkState.CLOSED:
            self._state, self._detail = LinkState.LOST, reason
            self.on_news()
        waiting, self._waiting = self._waiting, {}
        for answer in waiting.values():
            if not answer.done():
                answer.set_exception(LinkDown(reason))
