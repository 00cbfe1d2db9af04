"""One client's connection: bytes in, requests out, answers back. A hostile client loses only its own."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable

from station.brokers.tws import answers
from station.brokers.tws.answers import Message
from station.brokers.tws.faults import WireFaults
from station.brokers.tws.requests import Request, StartApi, parse
from station.brokers.tws.wire import Framer, WireError, frame
from station.domain.clock import SECOND, Clock
from station.domain.errors import VigilError

READ_SIZE = 65_536
MAX_UNSENT = 16 * 1024 * 1024
NOT_STARTED = -1
TOO_MANY = "Max rate of messages per second has been exceeded"

log = logging.getLogger(__name__)

Handler = Callable[["ClientSession", Request], Awaitable[None]]
Starter = Callable[["ClientSession", int], bool]


class ClientSession:
    """The server's end of one connection. `client_id` is NOT_STARTED until startApi."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, clock: Clock, faults: WireFaults
    ) -> None:
        self.client_id = NOT_STARTED
        self.closed = False
        self.wants_positions = False
        self.account_updates = ""
        self.multi_updates: dict[int, str] = {}
        self.pnl: dict[int, str] = {}
        self._reader = reader
        self._writer = writer
        self._clock = clock
        self._faults = faults
        self._send_after = 0
        self._taken: deque[int] = deque()

    async def serve(self, start: Starter, handle: Handler) -> None:
        """Read until the client goes or sends what no client sends."""
        framer = Framer()
        greeted = False
        try:
            while not self.closed and (data := await self._reader.read(READ_SIZE)):
                for fields in framer.feed(data):
                    if greeted and self._too_many():
                        self.send(answers.error(-1, 100, TOO_MANY))
                    elif greeted:
                        await self._one(parse(fields), start, handle)
                    else:
                        self._greet(fields)
                        greeted = True
                    if self.closed:
                        break
        except WireError as error:
            log.warning("client %s closed: %s", self.client_id, error)
        except ConnectionError:
            pass
        finally:
            self.close()

    def _too_many(self) -> bool:
        """Whether this message is over the rate; it is dropped then."""
        now = self._clock.now()
        while self._taken and self._taken[0] <= now - SECOND:
            self._taken.popleft()
        if self._faults.a_second and len(self._taken) >= self._faults.a_second:
            return True
        self._taken.append(now)
        return False

    def _greet(self, fields: tuple[str, ...]) -> None:
        low, _, high = fields[0].removeprefix("v").partition(" ")[0].partition("..") if fields else ("", "", "")
        if not (low.isdigit() and (high or low).isdigit()):
            raise WireError(f"version range {fields!r} is not v157..178")
        if not int(low) <= answers.SERVER_VERSION <= int(high or low):
            raise WireError(f"client speaks {low} to {high or low}, this server {answers.SERVER_VERSION} only")
        self.send(answers.handshake(self._clock.now()))

    async def _one(self, request: Request, start: Starter, handle: Handler) -> None:
        if isinstance(request, StartApi):
            if start(self, request.client_id):
                await handle(self, request)
            return
        if self.client_id == NOT_STARTED:
            self.send(answers.error(-1, 504, "Not connected: send startApi first"))
            return
        try:
            await handle(self, request)
        except VigilError as error:
            self.send(answers.error(-1, 321, f"Error validating request: {error}"))
        except Exception as error:
            log.exception("request %s of client %s", type(request).__name__, self.client_id)
            self.send(answers.error(-1, 320, f"Server error when reading an API client request: {error!r}"))

    def send(self, *messages: Message) -> None:
        """Queue messages to the client, together; silently nothing once it has gone or while muted."""
        if self.closed or self._faults.muted:
            return
        data = b"".join(frame(message) for message in messages)
        if self._faults.delay_s <= 0 and self._send_after <= self._clock.now():
            self._write(data)
            return
        delayed = self._clock.now() + round(self._faults.delay_s * SECOND)
        self._send_after = max(self._send_after, delayed)
        self._clock.call_at(self._send_after, lambda: self._write(data))

    def _write(self, data: bytes) -> None:
        if self.closed:
            return
        self._writer.write(data)
        if self._writer.transport.get_write_buffer_size() > MAX_UNSENT:
            log.warning("client %s closed: it reads too slowly", self.client_id)
            self.drop()

    def drop(self) -> None:
        """Cut the connection at once, unsent bytes lost."""
        self.closed = True
        self._writer.transport.abort()

    def close(self) -> None:
        self.closed = True
        self._writer.close()
