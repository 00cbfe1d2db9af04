"""The same port without a socket: screen and engine on one loop."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Final

import msgspec

from station.domain.clock import Clock
from station.link.answering import Answerer, Answers, FaultSink, silent
from station.link.asked import Ask
from station.link.floor import PART_NAMES, Floor, Versions
from station.link.handling import Handler, outcome, unheard
from station.link.messages import READ_ONLY_COMMANDS, Ack, Attach, Command, Reply
from station.link.port import LinkDown, LinkState, View, nobody

log: Final = logging.getLogger(__name__)


class LocalLink:
    """Fulfils Link over the engine's own handler and floor. After a floor that raises, the last one stands."""

    def __init__(
        self, handler: Handler, floor: Callable[[], Floor], *, clock: Clock, read_only: bool = False,
        on_fault: FaultSink = unheard, answer: Answerer = silent,
    ) -> None:  # fmt: skip
        self.view = View()
        self.on_news = nobody
        self._answers = Answers(answer, on_fault)
        self._told: dict[Ask, int] = {}
        self._handler = handler
        self._floor = floor
        self._clock = clock
        self._read_only = read_only
        self._on_fault = on_fault
        self._versions = Versions()
        self._state = LinkState.CONNECTING
        self._detail = ""
        self._calls: set[asyncio.Task[Reply]] = set()

    @property
    def state(self) -> LinkState:
        return self._state

    @property
    def detail(self) -> str:
        return self._detail

    async def open(self) -> None:
        self._state = LinkState.CONNECTED

    async def close(self) -> None:
        self._state = LinkState.CLOSED

    def pull(self) -> None:
        if self._state not in (LinkState.CONNECTED, LinkState.SILENT):
            return
        try:
            floor = self._floor()
            self._answers.refresh(self.view.asks)
        except Exception as fault:
            log.exception("the engine's floor cannot be read")
            self._state, self._detail = LinkState.SILENT, f"the engine's picture failed: {fault!r}"
            return
        self._state, self._detail = LinkState.CONNECTED, ""
        self._versions.take(floor)
        plain = {name: getattr(self._versions.floor, name) for name in PART_NAMES}
        self.view.floor = msgspec.structs.replace(self.view.floor, **plain)
        self.view.versions.update(self._versions.of)
        self.view.heard_ns = self._clock.perf()
        for ask in self.view.asks:
            known = self._answers.of(ask)
            if known is not None and self._told.get(ask) != known[1]:
                self._told[ask] = known[1]
                self.view.answer(ask.part, known[0])

    def look(self, asks: tuple[Ask, ...]) -> None:
        if asks != self.view.asks:
            self.view.aim(asks)
            self._answers.keep(asks)
            self._told = {ask: told for ask, told in self._told.items() if ask in asks}
            self.pull()
            self.on_news()

    async def ask(self, command: Command, timeout_s: float = 5.0) -> Reply:
        if self._state is LinkState.CLOSED:
            raise LinkDown("the screen closed the link")
        if isinstance(command, Attach):
            return Ack(True, "attached in process")
        if self._read_only and not isinstance(command, READ_ONLY_COMMANDS):
            return Ack(False, "this screen is attached read-only", "READ_ONLY")

        async def handle() -> Reply:
            return await self._handler(command)

        call = asyncio.get_running_loop().create_task(handle(), name=f"link {type(command).__name__}")
        self._calls.add(call)
        call.add_done_callback(self._calls.discard)
        done, _ = await asyncio.wait({call}, timeout=timeout_s)
        if not done:
            call.add_done_callback(lambda late: outcome(command, late, self._on_fault))
            raise LinkDown(f"the engine gave no answer within {timeout_s:g} s")
        return outcome(command, call, self._on_fault)
