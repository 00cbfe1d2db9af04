"""Freeing a symbol that was locked: by a typed word, and only when the books agree."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from station.link import Ack, Data, LiftQuarantine, Query
from tests.faults.station_stage import Stage
from tests.lab import assert_sound, play


def test_a_quarantine_is_lifted_by_a_typed_word_after_a_clean_reconciliation(tmp_path: Path) -> None:
    async def work() -> None:
        async with Stage(tmp_path) as lab:
            await lab.until("09:33")
            await lab.rooms.controls.quarantine("SPY", "overfill: 3 of 2")

            header = lab.floor().header
            assert header is not None
            assert header.quarantined == (("SPY", "overfill: 3 of 2"),)
            told = await lab.during(lab.ask(Query("profiles")))
            assert isinstance(told, Data)
            assert [(row["name"], row["running"]) for row in json.loads(told.json)["profiles"]][:1] == [
                ("default", True)
            ]

            async def lift(symbol: str, word: str) -> Ack:
                reply = await lab.during(lab.ask(LiftQuarantine(symbol, word, "ann")))
                assert isinstance(reply, Ack)
                return reply

            assert (await lift("SPX", "RELEASE")).text.startswith("SPX is not quarantined (locked: SPY)")
            assert (await lift("SPY", "release")).code == "LIFT_CONFIRM"
            lab.rooms.reconciler.clean = False
            assert lab.rooms.controls.controls.quarantine_of("SPY") is not None
            lifted = await lift("spy", "RELEASE")
            assert lifted.ok and "overfill" in lifted.text, "the reconciliation made for it is what counts"
            assert lab.rooms.controls.controls.quarantined == ()
            assert "lifted by ann" in lab.alerts()
        async with Stage(tmp_path) as lab:
            assert lab.rooms.controls.controls.quarantined == ()

    play(work)
    assert_sound(tmp_path)


def test_no_quarantine_is_lifted_while_the_books_disagree(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def work() -> None:
        async with Stage(tmp_path) as lab:
            await lab.until("09:33")
            await lab.rooms.controls.quarantine("SPY", "unexplained")

            async def disagreeing(_reason: str) -> bool:
                lab.rooms.reconciler.clean = False
                return False

            monkeypatch.setattr(lab.rooms.reconciler, "reconcile", disagreeing)
            reply = await lab.ask(LiftQuarantine("SPY", "RELEASE", "ann"))
            assert isinstance(reply, Ack)
            assert reply.code == "LIFT_UNRECONCILED"
            assert lab.rooms.controls.controls.quarantine_of("SPY") == "unexplained"

    play(work)
