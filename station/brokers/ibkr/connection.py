"""The link to TWS: connecting under one client id, noticing that it died, and staying sure that it lives."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from ib_async.ib import StartupFetch

from station.brokers.ibkr.asking import limit_ns
from station.brokers.ibkr.tap import Ears, TappedIB
from station.domain.clock import Clock, Timer
from station.domain.errors import BrokerUnavailable, Fatal

ID_IN_USE = 326
MAX_ID_REFUSALS = 5
NOTHING_HEARD = "nothing heard for {:g} s"


class Connection:
    """One TappedIB at a time. Reports through `on_lost` when an established one ends unasked; `venue_up` is
    false while TWS itself has no connection (1100)."""

    def __init__(
        self, host: str, port: int, client_id: int, clock: Clock, *, tws_zone: str, connect_timeout_s: float,
        heartbeat_s: float, silence_s: float, on_lost: Callable[[str], None],
    ) -> None:  # fmt: skip
        self.client_id = client_id
        self.venue_up = True
        self._host = host
        self._port = port
        self._clock = clock
        self._tws_zone = tws_zone
        self._connect_timeout_s = connect_timeout_s
        self._heartbeat_s = heartbeat_s
        self._silence_s = silence_s
        self._on_lost = on_lost
        self._ib: TappedIB | None = None
        self._up = False
        self._refused: asyncio.Future[str] | None = None
        self._refusals = 0
        self._heard_ns = 0
        self._timer: Timer | None = None
        self._why = ""

    @property
    def up(self) -> bool:
        return self._up

    def ib(self) -> TappedIB:
        """The library's connection. Raises BrokerUnavailable while there is none."""
        if self._ib is None or not self._up:
            raise BrokerUnavailable(f"not connected to TWS at {self._host}:{self._port}")
        if not self.venue_up:
            raise BrokerUnavailable("TWS has lost its connection to IBKR (1100): wait for it, then reconcile")
        return self._ib

    async def open(self, ears: Ears) -> TappedIB:
        """Connect and synchronise orders, positions and executions. Raises BrokerUnavailable; Fatal once
        the client id has been refused again and again."""
        ib = TappedIB(ears, self._clock, self._tws_zone)
        self._ib, self._why = ib, ""
        self._refused = asyncio.get_running_loop().create_future()
        ib.client.on_end = self._cut_short
        fetch = StartupFetch.POSITIONS | StartupFetch.ORDERS_OPEN | StartupFetch.EXECUTIONS
        connecting = asyncio.ensure_future(
            ib.connectAsync(
                self._host, self._port, self.client_id, self._connect_timeout_s, raiseSyncErrors=True,
                fetchFields=fetch,
            )
        )  # fmt: skip
        try:
            await asyncio.wait({connecting, self._refused}, return_when=asyncio.FIRST_COMPLETED)
            if self._refused.done():
                self._turned_away(self._refused.result())
            await connecting
        except (OSError, TimeoutError) as error:
            raise BrokerUnavailable(
                f"TWS at {self._host}:{self._port} did not take the connection: {error or 'no answer'}"
            ) from error
        finally:
            if not connecting.done():
                connecting.cancel()
            await asyncio.gather(connecting, return_exceptions=True)
        self._refusals = 0
        self._up = self.venue_up = True
        self.heard()
        self._beat()
        return ib

    def _cut_short(self) -> None:
        if self._refused is not None and not self._refused.done():
            self._refused.set_result("")

    def _turned_away(self, text: str) -> None:
        """326: the same id again later, never another one (FAULTS 27)."""
        if not text:
            raise BrokerUnavailable(f"{self._host}:{self._port} closed the connection during the handshake")
        self._refusals += 1
        line = f"client id {self.client_id} is in use at {self._host}:{self._port} ({text})"
        if self._refusals >= MAX_ID_REFUSALS:
            raise Fatal(f"{line}: refused {self._refusals} times, end the other client or configure another id")
        raise BrokerUnavailable(line)

    def refused(self, text: str) -> None:
        if self._refused is not None and not self._refused.done():
            self._refused.set_result(text)

    def heard(self) -> None:
        self._heard_ns = self._clock.now()

    def drop(self, why: str) -> None:
        """Give the link up: it is reported lost as soon as the socket has gone."""
        if self._up and self._ib is not None:
            self._why = why
            self._ib.abort()

    def closed(self) -> None:
        """The library says that the socket ended."""
        if self._up:
            self._end(self._why or "TWS closed the connection")
            self._on_lost(self._why or "TWS closed the connection")

    def close(self) -> None:
        """Disconnect on purpose; nothing is reported."""
        was_up = self._up
        self._end("disconnected")
        if was_up and self._ib is not None:
            self._ib.disconnect()

    def _end(self, reason: str) -> None:
        self._up = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._ib is not None:
            self._ib.client.lanes.close(reason)

    def _beat(self) -> None:
        """A half-open socket takes bytes and answers none: ask the time, and drop it if nothing comes."""
        if not self._up or self._ib is None:
            return
        idle_ns, beat_ns = self._clock.now() - self._heard_ns, limit_ns(self._clock, self._heartbeat_s)
        if idle_ns >= limit_ns(self._clock, self._silence_s):
            self.drop(NOTHING_HEARD.format(self._silence_s))
            return
        if idle_ns >= beat_ns:
            try:
                self._ib.client.reqCurrentTime()
            except ConnectionError as error:
                self.drop(str(error))
                return
        self._timer = self._clock.call_at(self._clock.now() + beat_ns, self._beat)
