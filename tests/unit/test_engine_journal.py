"""The journal of a whole station: notes, tags, the list, the film of a trade and how trading went."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from station.domain.errors import BadInput
from station.engine.journal_answers import annotate, journal_answer
from station.link import Ack, Data, NoteTrade, Query, Story, TagTrade
from tests.faults.station_stage import Stage
from tests.lab import assert_sound, play


async def asked(lab: Stage, name: str, **args: str) -> dict[str, Any]:
    reply = await lab.during(lab.ask(Query(name, args)))
    assert isinstance(reply, Data), reply
    return json.loads(reply.json)


async def told(lab: Stage, command: NoteTrade | TagTrade) -> str:
    reply = await lab.during(lab.ask(command))
    assert isinstance(reply, Ack) and reply.ok, reply
    return reply.text


async def _day(runtime: Path) -> None:
    async with Stage(runtime) as lab:
        await lab.until("09:38")
        trade = await lab.until_holding()
        await lab.until_true(lambda: lab.is_over(trade.id))
        await lab.until("10:11")
        await _annotates(lab, trade.id)
        await _lists(lab, trade.id)
        await _films(lab, trade.id)
        await _performs(lab)
    assert_sound(runtime)
    async with Stage(runtime) as lab:
        await _kept(lab, trade.id)


async def _annotates(lab: Stage, trade_id: str) -> None:
    assert await told(lab, NoteTrade(trade_id, "  held through the dip ", "ann")) == f"noted on {trade_id}"
    assert "already" in await told(lab, NoteTrade(trade_id, "held through the dip", "ann"))
    assert await told(lab, TagTrade(trade_id, "#Runner", True, "ann")) == f"tag runner on {trade_id}"
    await told(lab, TagTrade(trade_id, "late"))
    await told(lab, TagTrade(trade_id, "late", False))
    assert "has no tag late" in await told(lab, TagTrade(trade_id, "late", False))
    assert len(lab.events("journal.note")) == 1
    assert len(lab.events("journal.tag")) == 3
    for command in (NoteTrade(trade_id, " "), NoteTrade("T0", "x"), TagTrade(trade_id, "two words")):
        refused = await lab.during(lab.ask(command))
        assert isinstance(refused, Ack) and not refused.ok


async def _lists(lab: Stage, trade_id: str) -> None:
    everything = await asked(lab, "journal")
    assert everything["tags"] == {"runner": 1}
    assert trade_id in [row["id"] for row in everything["trades"]]
    for args in ({"tag": "runner"}, {"text": "THE DIP"}, {"tag": "runner", "result": "win", "symbol": "spy"}):
        found = await asked(lab, "journal", **args)
        assert [row["id"] for row in found["trades"]] == [trade_id], args
    (row,) = (await asked(lab, "journal", tag="runner", date="2026-11-18"))["trades"]
    assert (row["result"], row["notes"], row["tags"]) == ("win", 1, ["runner"])
    assert row["hold_s"] > 0
    assert (await asked(lab, "journal", date="2026-11-17"))["found"] == 0
    refused = (await asked(lab, "journal", result="refused"))["trades"]
    assert all(row["state"] == "FAILED" for row in refused)
    for wrong in ({"date": "18.11."}, {"colour": "red"}, {"result": "nice"}, {"limit": "0"}):
        with pytest.raises(BadInput):
            await journal_answer(lab.run.engine, "journal", wrong)


async def _films(lab: Stage, trade_id: str) -> None:
    trade = lab.trade(trade_id)
    for timeframe in ("1m", "5m"):
        film = await asked(lab, "film", trade=trade_id, timeframe=timeframe)
        starts = [bar[0] for bar in film["bars"]]
        assert starts == sorted(set(starts)) and film["note"] == ""
        assert starts[0] < trade.opened_ns < trade.closed_ns < starts[-1]
    kinds = [mark["kind"] for mark in film["marks"]]
    assert {"signal", "select", "order", "entry", "exit order", "exit", "close", "note"} <= set(kinds)
    assert film["lines"] and film["lines"][0]["kind"] == "target"
    assert all(line["from_ns"] < line["until_ns"] for line in film["lines"]), "nothing works after the close"
    assert film["greeks"], "a held trade is photographed every five minutes"
    older = await asked(lab, "film", trade=trade_id, timeframe="1d")
    assert len(older["bars"]) > 20, "what the market does not keep is asked of the broker"
    with pytest.raises(BadInput):
        await journal_answer(lab.run.engine, "film", {"trade": trade_id, "timeframe": "7m"})


async def _performs(lab: Stage) -> None:
    found = await asked(lab, "performance")
    closed = [t for t in lab.trades() if t.net_pnl is not None]
    assert found["all"]["trades"] == len(closed) == len(found["curve"])
    assert found["curve"][-1]["total"] == found["all"]["net_pnl"]
    assert set(found["by"]) >= {"strategy", "hour", "scanner"}
    (plan,) = [one for one in (await asked(lab, "wealth"))["plans"] if one["plan"] == "WM235K"]
    net = sum(t.net_pnl for t in closed if t.net_pnl is not None)
    assert plan["pnl_to_date"] == f"{net:.2f}"
    assert sum(week["trades"] for week in plan["weeks"]) == len(closed)
    assert (await asked(lab, "performance", symbol="QQQ"))["all"]["trades"] == 0


async def _kept(lab: Stage, trade_id: str) -> None:
    """Notes and tags outlive the engine, and the story tells them."""
    reply = await lab.ask(Story(trade_id))
    assert isinstance(reply, Data)
    story = json.loads(reply.json)
    assert [note["text"] for note in story["notes"]] == ["held through the dip"]
    assert story["tags"] == ["runner"]
    acked = await annotate(lab.run.engine, TagTrade(trade_id, "runner", False))
    assert acked.ok
    assert (await asked(lab, "journal"))["tags"] == {}


def test_a_traded_day_can_be_noted_found_filmed_and_summed_up(tmp_path: Path) -> None:
    play(lambda: _day(tmp_path))
