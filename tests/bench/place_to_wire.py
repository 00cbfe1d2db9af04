"""From `place` to bytes on the socket, and from a change to its confirmation by the emulator at 20 ×.

The exchange behind it answers after 20 to 80 simulated ms. Run: python tests/bench/place_to_wire.py
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from ib_async import Contract  # noqa: E402

from station.brokers.ibkr import IbkrBroker  # noqa: E402
from station.clock import WallClock  # noqa: E402
from station.domain.orders import OrderState, Purpose  # noqa: E402
from tests.wire import wire_rig  # noqa: E402

ORDERS = 200
GAP_S = 0.06
QUEUED = 200
WALL = WallClock()
NOWHERE = Contract(secType="IND", symbol="NOPE", exchange="CBOE", currency="USD")


def now() -> float:
    return WALL.perf() / 1e9


def show(name: str, seconds: list[float]) -> None:
    ordered = sorted(seconds)
    p50, p99 = (ordered[min(int(len(ordered) * q), len(ordered) - 1)] * 1e3 for q in (0.5, 0.99))
    print(f"{name:<58} n {len(ordered):>4}   p50 {p50:7.3f} ms   p99 {p99:7.3f} ms")


def floor(rounds: int = 2000) -> list[float]:
    """The machine's own noise: two reads of the clock around nothing."""
    found: list[float] = []
    for _ in range(rounds):
        begun = now()
        found.append(now() - begun)
    return found


class Bench:
    def __init__(self, rig: wire_rig.Rig, broker: IbkrBroker) -> None:
        self.rig = rig
        self.broker = broker
        self.written: list[float] = []
        client = broker._link.ib().client
        self.client = client
        send = client.conn.sendMsg

        def stamped(data: bytes) -> None:
            send(data)
            self.written.append(now())

        client.conn.sendMsg = stamped

    async def placed(self) -> tuple[list[float], list[float]]:
        contract = await self.rig.option()
        to_bytes: list[float] = []
        to_ack: list[float] = []
        for _ in range(ORDERS):
            ticket = self.rig.buy(contract, 1, Decimal("1.05"))
            await WALL.sleep(GAP_S)
            self.written.clear()
            begun = now()
            await self.broker.place([ticket])
            to_bytes.append(self.written[0] - begun)
            await self.rig.heard.state(ticket.order_ref, OrderState.SUBMITTED)
            to_ack.append(now() - begun)
            await self.broker.cancel(ticket.order_ref)
            await self.rig.heard.state(ticket.order_ref, OrderState.CANCELLED)
            self.rig.heard.reports.clear()
        return to_bytes, to_ack

    async def modified(self) -> list[float]:
        ticket = replace(self.rig.buy(await self.rig.option(), 1, Decimal("1.05")), purpose=Purpose.TARGET)
        await self.broker.place([ticket])
        await self.rig.heard.state(ticket.order_ref, OrderState.SUBMITTED)
        found: list[float] = []
        for n in range(ORDERS):
            await WALL.sleep(GAP_S)
            self.rig.heard.reports.clear()
            begun = now()
            await self.broker.modify(replace(ticket, limit=Decimal("1.10") if n % 2 else Decimal("1.15")))
            await self.rig.heard.state(ticket.order_ref, OrderState.SUBMITTED)
            found.append(now() - begun)
        return found

    async def cancelled_behind_data(self) -> list[float]:
        contract = await self.rig.option()
        found: list[float] = []
        for _ in range(20):
            ticket = self.rig.buy(contract, 1, Decimal("1.05"))
            await self.broker.place([ticket])
            await self.rig.heard.state(ticket.order_ref, OrderState.SUBMITTED)
            for _ in range(QUEUED):
                self.client.reqMktData(self.client.getReqId(), NOWHERE, "", False, False, [])
            self.written.clear()
            begun = now()
            await self.broker.cancel(ticket.order_ref)
            found.append(self.written[0] - begun)
            self.client.lanes._queues[2].clear()
            await self.rig.heard.state(ticket.order_ref, OrderState.CANCELLED)
        return found


async def main() -> None:
    wire_rig.SPEED = 20.0
    with tempfile.TemporaryDirectory() as runtime:
        rig = wire_rig.Rig("tws", Path(runtime))
        await rig.open()
        await rig.broker.disconnect()
        broker = IbkrBroker("127.0.0.1", rig.port, 2, clock=WALL, emulator_port=rig.port)
        await broker.connect(rig.heard)
        rig.broker = broker
        bench = Bench(rig, broker)
        show("noise floor of the clock", floor())
        to_bytes, to_ack = await bench.placed()
        show("place() -> bytes on the socket", to_bytes)
        show("place() -> acknowledged by the emulator, 20 x", to_ack)
        show("modify() -> confirmed by the emulator, 20 x", await bench.modified())
        show(f"cancel() -> bytes, {QUEUED} data requests queued", await bench.cancelled_behind_data())
        await broker.disconnect()
        await rig.close()


asyncio.run(main())
