"""The engine's end of the door. It never waits for a screen: what a client has not read does not exist yet."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from station.domain.clock import SECOND, Clock
from station.link import door
from station.link.answering import Answerer, Answers, FaultSink, silent
from station.link.asked import Ask
from station.link.codec import frame, raw
from station.link.connection import MAX_CLIENTS, Connection
from station.link.floor import Floor, Versions
from station.link.handling import Handler, outcome, unheard
from station.link.messages import Command, Farewell, Part, Reply


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
        self._clients: list[Connection] = []
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
        self._server = await loop.create_unix_server(lambda: Connection(self), sock=listener)
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

    def joined(self, client: Connection) -> bool:
        if len(self._clients) >= MAX_CLIENTS:
            return False
        self._clients.append(client)
        self._crowd.set()
        return True

    def left(self, client: Connection) -> None:
        if client in self._clients:
            self._clients.remove(client)
        if not self._clients:
            self._crowd.clear()

    def call(self, client: Connection, call_id: int, command: Command) -> None:
        """Run the handler to its end, even if the caller hangs up: a kill is a kill."""

        async def handle() -> Reply:
            return await self._handler(command)

        task = asyncio.get_running_loop().create_task(handle(), name=f"link {type(command).__name__}")
        self._calls.add(task)
        task.add_done_callback(lambda done: self._called(client, call_id, command, done))

    def perf(self) -> int:
        return self._clock.perf()

    def _called(self, client: Connection, call_id: int, command: Command, done: asyncio.Task[Reply]) -> None:
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
