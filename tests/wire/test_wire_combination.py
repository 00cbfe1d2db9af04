"""A combination that another hand works in TWS, as the real client library hears it (FAULTS 19)."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from decimal import Decimal

from station.brokers.tws import answers
from station.brokers.tws.answers import Message
from station.brokers.tws.order_answer import OrderIds, open_order
from station.domain.broker import ExecutionReport, NoticeReport
from station.domain.instruments import Contract
from station.domain.orders import Action, Execution, OrderKind, OrderState, Purpose, Ticket
from tests.wire.wire_rig import ACCOUNT, Rig, turn

COMBINATION_ID = 28812380
PERM_ID = 771
OTHER_CLIENT = 9
NO_LEGS: Message = ("", 0, 0, 0, "", "", "", "")


def in_combination(message: Message, leg: Contract, at: int) -> Message:
    """The message with the eleven fields of a leg, at `at`, replaced by those of the combination."""
    assert message[at] == leg.con_id
    bag: Message = (COMBINATION_ID, leg.symbol, "BAG", "", "0", "", "", "SMART", "USD", leg.symbol, leg.symbol)
    return (*message[:at], *bag, *message[at + len(bag) :])


def working(legs: tuple[Contract, Contract], ticket: Ticket, status: str) -> Message:
    """openOrder of the combination with both its legs."""
    message = open_order(ticket, OrderIds(0, OTHER_CLIENT, PERM_ID), status)
    (at,) = [n for n in range(len(message)) if message[n : n + len(NO_LEGS)] == NO_LEGS]
    described: list[object] = ["", 2]
    for leg, action in zip(legs, ("SELL", "BUY"), strict=True):
        described += [leg.con_id, 1, action, "SMART", 0, 0, "", -1]
    with_legs: Message = (*message[:at], *described, *message[at + 2 :])  # pyright: ignore[reportAssignmentType]
    return in_combination(with_legs, legs[0], 2)


def filled(execution: Execution) -> Message:
    return answers.exec_details(-1, 0, OTHER_CLIENT, execution, execution.qty, execution.price)


async def test_fault_19_a_combination_of_another_hand_is_told_once_and_its_legs_are_booked_one_by_one(
    rig: Rig,
) -> None:
    short, long = await rig.option(), await rig.option(5)
    mine = rig.buy(short, 1, Decimal("1.05"))
    await rig.broker.place([mine])
    await rig.heard.state(mine.order_ref, OrderState.SUBMITTED)
    ticket = Ticket(
        "", ACCOUNT, short, Action.SELL, Decimal(2), OrderKind.LIMIT, Purpose.ENTRY, Decimal("3.10")
    )
    done = Execution(
        "0000e1a7.01", "", ACCOUNT, short, Action.SELL, Decimal(2), Decimal("3.10"), rig.clock.now(), PERM_ID
    )  # fmt: skip
    legs = (
        replace(done, exec_id="0000e1a7.02", price=Decimal("5.20")),
        replace(done, exec_id="0000e1a7.03", contract=long, action=Action.BUY, price=Decimal("2.10")),
    )
    whole = in_combination(filled(done), short, 3)
    rig.server.say(working((short, long), ticket, "Submitted"), whole, filled(legs[0]), filled(legs[1]))
    await rig.heard.until(lambda: len(rig.heard.of(ExecutionReport)) == 2, "both legs")
    assert [report.execution for report in rig.heard.of(ExecutionReport)] == [
        replace(leg, at_ns=leg.at_ns // 10**9 * 10**9) for leg in legs
    ]
    (told,) = [notice for notice in rig.heard.of(NoticeReport) if notice.code == 0]
    assert told.text.startswith("execution 0000e1a7.01 in BAG SPX") and told.text.endswith(
        "its legs count one by one"
    )

    question = asyncio.create_task(rig.broker.open_orders())
    await turn()
    rig.server.say(working((short, long), ticket, "Submitted"))
    (shown,) = await question
    assert (shown.order_ref, shown.ticket) == (mine.order_ref, mine)
    *_, order = [notice for notice in rig.heard.of(NoticeReport) if notice.code == 0]
    assert order.text.startswith(f"order {PERM_ID} in BAG SPX")
