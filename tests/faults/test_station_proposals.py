"""What a strategy only proposes: nothing is sent but by a hand, and by a hand once."""

from __future__ import annotations

import asyncio
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from station.domain.hand import OwnExits
from station.domain.trade import Origin, Trade
from station.engine.view import FloorView
from station.link import (
    Ack,
    Command,
    Data,
    DeclineProposal,
    Gate,
    Kill,
    ModifyOrder,
    PreviewProposal,
    ProposalRow,
    TakeProposal,
    Taking,
)
from tests.faults.station_stage import FIRST_ENTRY, Stage, ours
from tests.lab import assert_sound, paper_rows, play

START = "09:38:30"
AS_IT_IS = Taking()
ENTRIES = "SELECT order_ref FROM orders WHERE purpose = 'entry'"


class Proposing(Stage):
    """A station whose strategies only propose, up to the first proposal."""

    def __init__(self, runtime: Path, *, start: str | None = START, **more: Any) -> None:
        super().__init__(runtime, start=start, strategy={"autonomy": "propose"}, **more)

    async def proposed(self, at: str) -> Trade:
        await self.until(f"{at}:01")
        (row,) = self.rows()
        return self.trade(row.trade_id)

    def rows(self) -> tuple[ProposalRow, ...]:
        part = self.floor().proposals
        assert part is not None
        return part.rows

    async def told(self, command: Command) -> Ack:
        reply = await self.during(self.ask(command))
        assert isinstance(reply, Ack)
        return reply

    async def preview(self, trade_id: str, terms: Taking = AS_IT_IS) -> dict[str, Any]:
        reply = await self.during(self.ask(PreviewProposal(trade_id, terms=terms)))
        assert isinstance(reply, Data)
        return json.loads(reply.json)


def test_a_proposal_ends_with_its_time_or_by_a_hand_and_nothing_is_sent(tmp_path: Path) -> None:
    async def work() -> None:
        async with Proposing(tmp_path, settings={"signals.proposal_s": 60}) as lab:
            view = FloorView(lab.run.engine, "", lambda: None)
            view.attend()
            trade = await lab.proposed(FIRST_ENTRY)
            (row,) = lab.rows()
            assert trade.contract is not None
            assert (row.label, row.qty, row.until_ns) == (trade.contract.label, trade.qty, lab.at("09:41"))
            assert row.confidence >= 50
            alerts = view.floor().alerts
            assert alerts is not None
            assert (alerts.rows[0].kind, f"PROPOSAL {trade.strategy}: BUY" in alerts.rows[0].text) == (
                "proposal", True,
            )  # fmt: skip
            await lab.until("09:41:01")
            assert lab.rows() == ()
            ended = lab.trade(trade.id)
            assert (ended.cause, ended.reason) == ("expired", "nobody took it by 09:41:00 ET")
            said = await lab.told(TakeProposal(trade.id, "t1"))
            assert said.code == "EXPIRED"
            assert said.text == f"{trade.id} expired at 09:41:00 ET: nothing is sent on an old signal"
            await _refused_and_declined(lab)

    play(work)
    assert paper_rows(tmp_path, ENTRIES) == []
    assert_sound(tmp_path)


async def _refused_and_declined(lab: Proposing) -> None:
    """What the rules refuse stays open; what is declined does not."""
    trade = await lab.proposed("09:45")
    await lab.told(Kill())
    assert (await lab.told(TakeProposal(trade.id, "t2"))).code == "KILL_ON"
    assert (await lab.told(TakeProposal(trade.id, "t3", qty=99))).text.endswith("not 99")
    assert [row.trade_id for row in lab.rows()] == [trade.id]
    await lab.edit_strategies(autonomy="observe")
    assert (await lab.told(TakeProposal(trade.id, "t4"))).code == "OBSERVE"
    await lab.edit_strategies(autonomy="auto")
    await lab.step(2)
    assert lab.trade(trade.id).awaits_hand
    for _ in range(2):
        assert (await lab.told(DeclineProposal(trade.id, "test"))).ok
    ended = await lab.told(TakeProposal(trade.id, "t5"))
    assert (ended.code, ended.text) == ("ENDED", f"{trade.id} is not open any more: declined by test")
    states = ours(lab.runtime, "SELECT DISTINCT state FROM signals WHERE trade_id <> '' ORDER BY state")
    assert states == [("EXPIRED",), ("REJECTED",)]
    traced = ours(lab.runtime, "SELECT verdict, reason FROM decisions WHERE stage = 'proposal' ORDER BY at_ns")
    assert traced == [
        ("pass", "waits for a hand until 09:41:00 ET"), ("block", "nobody took it by 09:41:00 ET"),
        ("pass", "waits for a hand until 09:46:00 ET"), ("block", "declined by test"),
    ]  # fmt: skip


def test_fault_53_proposal_is_sent_by_a_hand_once_and_waits_on_through_a_restart(tmp_path: Path) -> None:
    waiting: list[str] = []

    async def first() -> None:
        async with Proposing(tmp_path) as lab:
            trade = await lab.proposed(FIRST_ENTRY)
            shown = await lab.preview(trade.id)
            assert (shown["verdict"], trade.shield, shown["stop"]) == ("approved", "day_shield", None)
            await lab.told(Gate("closed"))
            refused = await lab.told(TakeProposal(trade.id, "t0"))
            assert refused.code == "GATE_CLOSED"
            assert refused.text.startswith(f"{trade.id} is not sent: ")
            await lab.told(Gate("open"))
            await _taken_by_two(lab, trade)
            waiting.append((await lab.proposed("09:45")).id)

    async def then() -> None:
        async with Proposing(tmp_path, start=None) as lab:
            await lab.until("09:47:30")
            assert [row.trade_id for row in lab.rows()] == waiting
            assert len(paper_rows(tmp_path, ENTRIES)) == 1
            shown = await lab.preview(waiting[0])
            assert lab.trade(waiting[0]).shield == "rapid_shield"
            assert float(shown["stop"]) < float(shown["price_basis"]["bid"]) < float(shown["target"])
            sent = await lab.told(TakeProposal(waiting[0], "after"))
            assert sent.ok, sent.text
            await lab.step(5)

    play(first)
    play(then)
    assert len(paper_rows(tmp_path, ENTRIES)) == 2
    assert_sound(tmp_path)


async def _taken_by_two(lab: Proposing, trade: Trade) -> None:
    takes = [TakeProposal(trade.id, token, by=by) for token, by in (("a", "one"), ("b", "two"))]
    one, other = await lab.during(asyncio.gather(*(lab.ask(take) for take in takes)))
    assert isinstance(one, Ack)
    assert isinstance(other, Ack)
    assert (one.ok, other.ok, other.code) == (True, False, "TAKEN")
    assert "was taken by one" in other.text
    again = await lab.told(takes[0])
    assert again == msgspec.structs.replace(one, text=f"{one.text} (it was taken before)")
    taken = await lab.until_holding()
    assert (taken.id, taken.origin, taken.strategy) == (trade.id, Origin.STRATEGY, trade.strategy)
    (sell,) = lab.exits(taken)
    assert sell.ticket.limit is not None
    assert taken.entry_price is not None
    assert sell.ticket.limit >= taken.entry_price * (1 + taken.target_pct / 100)


def test_a_hand_s_prices_hold_for_what_it_takes_and_none_is_over_the_strategy_s_cap(tmp_path: Path) -> None:
    taken: list[Trade] = []

    async def first() -> None:
        async with Proposing(tmp_path) as lab:
            await lab.edit_strategies(entry_cap_pct=3)
            trade = await lab.proposed(FIRST_ENTRY)
            plain = await lab.preview(trade.id)
            ask = Decimal(plain["price_basis"]["ask"])
            for terms, said in (
                (Taking(limit=f"{ask + 1}"), f"the most that {trade.strategy} pays now"),
                (Taking(limit="0.001"), "is no price of SPY"),
                (Taking(limit=f"{ask}", target_price=f"{ask}"), "is not over the entry"),
                (Taking(limit=f"{ask}", stop_price=f"{ask}"), "is not under the entry"),
                (Taking(stop_price="1", stop_pct="5"), "not both"),
                (Taking(limit="much"), "give a number over 0"),
            ):
                assert said in (await lab.preview(trade.id, terms))["problems"][0]
                refused = await lab.told(TakeProposal(trade.id, "t0", terms=terms))
                assert (refused.ok, said in refused.text) == (False, True), refused
            terms = Taking(limit=f"{ask}", target_pct="50", stop_pct="30")
            shown = await lab.preview(trade.id, terms)
            assert (shown["verdict"], shown["limit"], Decimal(shown["cost"])) == (
                "approved", f"{ask}", ask * 100 * shown["qty"],
            )  # fmt: skip
            assert (float(shown["target"]), float(shown["stop"])) == (
                pytest.approx(float(ask) * 1.5, abs=0.01), pytest.approx(float(ask) * 0.7, abs=0.01),
            )  # fmt: skip
            frame = TakeProposal(trade.id, "t1", by="test", terms=terms)
            assert (await lab.told(frame)).ok
            assert "it was taken before" in (await lab.told(TakeProposal(trade.id, "t1"))).text
            order = lab.order(lab.trade(trade.id).entry_ref)
            assert order.ticket.limit == ask
            await lab.step(20)
            assert lab.order(order.ref).ticket.limit == ask, "a limit of a hand does not walk"
            taken.append(lab.trade(trade.id))

    async def then() -> None:
        async with Proposing(tmp_path, start=None) as lab:
            trade = lab.trade(taken[0].id)
            assert (trade.own, trade.target_pct, trade.offer) == (
                OwnExits(stop_pct=Decimal(30)), Decimal(50), taken[0].offer,
            )  # fmt: skip

    play(first)
    play(then)
    assert_sound(tmp_path)


def test_what_was_taken_is_not_moved_over_the_strategy_s_cap_either(tmp_path: Path) -> None:
    async def work() -> None:
        async with Proposing(tmp_path) as lab:
            await lab.edit_strategies(entry_cap_pct=3)
            trade = await lab.proposed(FIRST_ENTRY)
            ask = Decimal((await lab.preview(trade.id))["price_basis"]["ask"])
            low = ask - Decimal("0.10")
            assert (await lab.told(TakeProposal(trade.id, "t1", terms=Taking(limit=f"{low}")))).ok
            await lab.step(1)
            entry = lab.trade(trade.id).entry_ref
            over = await lab.told(ModifyOrder(entry, limit=f"{ask + 1}", by="test", token="m1"))
            assert (over.ok, over.code, f"the most that {trade.strategy} pays" in over.text) == (
                False, "CAP", True,
            )  # fmt: skip
            assert lab.order(entry).ticket.limit == low
            assert (await lab.told(ModifyOrder(entry, limit=f"{ask}", by="test", token="m2"))).ok

    play(work)
    assert_sound(tmp_path)
