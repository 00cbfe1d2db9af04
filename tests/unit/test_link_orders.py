"""The order messages cross the door whole, and a read-only screen may only look."""

from __future__ import annotations

import pytest

from station.clock import WallClock
from station.link import (
    CancelAll,
    ClosePart,
    Command,
    DeclineProposal,
    Link,
    LocalLink,
    ModifyOrder,
    PlaceOrder,
    PreviewOrder,
    PreviewProposal,
    PreviewReverse,
    Reply,
    ReverseTrade,
    TakeProposal,
    Ticket,
)
from station.link.codec import decode_command, raw
from station.link.floor import Floor
from station.link.messages import Ack, Data

TICKET = Ticket("SPX", "BUY", 2, "C", "5940", "0dte", "LIMIT", limit="4.20", target_pct="23", stop_pct="22")
ORDERS: tuple[Command, ...] = (
    PlaceOrder(TICKET, "t1", "screen"), ModifyOrder("V1-A-T-E-1", 1, "4.10"), ClosePart("T1", 1),
    TakeProposal("T1", "t2", 1, "screen"), DeclineProposal("T1"),
    ReverseTrade("T1", "t2"), CancelAll("screen"),
)  # fmt: skip
LOOKS: tuple[Command, ...] = (PreviewOrder(TICKET), PreviewProposal("T1", 2), PreviewReverse("T1"))


@pytest.mark.parametrize("command", [*ORDERS, *LOOKS])
def test_an_order_message_is_the_same_on_the_other_side(command: Command) -> None:
    assert decode_command(raw(command)) == command


async def test_a_read_only_screen_previews_and_orders_nothing() -> None:
    heard: list[Command] = []

    async def handler(command: Command) -> Reply:
        heard.append(command)
        return Data("{}")

    link: Link = LocalLink(handler, Floor, clock=WallClock(), read_only=True)
    await link.open()
    for command in ORDERS:
        assert await link.ask(command) == Ack(False, "this screen is attached read-only", "READ_ONLY")
    for command in LOOKS:
        assert await link.ask(command) == Data("{}")
    assert heard == [*LOOKS]
