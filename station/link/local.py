"""The same port without a socket: screen and engine on one loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from station.domain.clock import Clock
from station.domain.errors import Refused, VigilError
from station.link.floor import Floor, Versions
from station.link.messages import READ_ONLY_COMMANDS, Ack, Attach, Command, Reply
from station.link.port import LinkDown, LinkState, View
from station.link.server import Handler


class LocalLink:
    """Fulfils Link over the engine's own handler and floor."""

    def __init__(
        self, handler: Handler, floor: Callable[[], Floor], *, clock: Clock, read_only: bool = False
    ) -> None:
        self.view = View()
        self._handler = handler
        self._floor = floor
        self._clock = clock
        self._read_only = read_only
        self._versions = Versions()
        self._state = LinkState.CONNECTING

    @property
    def state(self) -> LinkState:
        return self._state

    @property
    def detail(self) -> str:
        return ""

    async def open(self) -> None:
        self._state = LinkState.CONNECTED

    async def close(self) -> None:
        self._state = LinkState.CLOSED

    def pull(self) -> None:
        if self._state is LinkState.CONNECTED:
            self._versions.take(self._floor())
            self.view.floor = self._versions.floor
            self.view.versions.update(self._versions.of)
            self.view.heard_ns = self._clock.perf()

    async def ask(self, command: Command, timeout_s: float = 5.0) -> Reply:
        if self._state is LinkState.CLOSED:
            raise LinkDown("the screen closed the link")
        if isinstance(command, Attach):
            return Ack(True, "attached in process")
        if self._read_only and not isinstance(command, READ_ONLY_COMMANDS):
            return Ack(False, "this screen is attached read-only", "READ_ONLY")

        async def handle() -> Reply:
            return await self._handler(command)

        work = asyncio.get_running_loop().create_task(handle())
        done, _ = await asyncio.wait({work}, timeout=timeout_s)
        if not done:
            work.add_done_callback(_forget)
            raise LinkDown(f"the engine gave no answer within {timeout_s:g} s")
        try:
            return work.result()
        except Refused as fault:
            return Ack(False, str(fault), fault.code)
        except VigilError as fault:
            return Ack(False, str(fault), type(fault).__name__.upper())


def _forget(work: asyncio.Task[Reply]) -> None:
    if not work.cancelled():
        work.exception()
