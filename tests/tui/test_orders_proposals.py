"""What strategies propose, at the keyboard: seen everywhere, sent once by two keys, declined by one."""

from __future__ import annotations

import msgspec

from station.link import (
    Command,
    DeclineProposal,
    Floor,
    LinkDown,
    LocalLink,
    PreviewProposal,
    Proposals,
    Reply,
    TakeProposal,
    Taking,
)
from tests.tui import synthetic, synthetic_orders
from tests.tui.stage import Stage
from tests.tui.test_orders_hand import SIZE
from tests.tui.ticket_hand import press, said
from widgets.proposal_dialog import ProposalDialog


def proposing() -> Floor:
    return msgspec.structs.replace(synthetic.calm(), proposals=synthetic_orders.proposals(synthetic.NOON))


def heard(stage: Stage) -> list[Command]:
    return [one for one in stage.engine.heard if isinstance(one, TakeProposal | DeclineProposal)]


async def test_a_proposal_is_a_ticket_of_its_own_size_and_goes_out_once() -> None:
    stage = Stage(proposing())
    async with stage.app.run_test(size=SIZE) as pilot:
        await stage.settle(pilot)
        assert "2 PROPOSED" in stage.line("header")
        await press(stage, pilot, "P")
        assert isinstance(stage.app.screen, ProposalDialog)
        assert PreviewProposal("T8", 2) in stage.engine.heard
        text = said(stage)
        for told in (
            "SPX_CONTEXT CALL, sure 74",
            "04:20 left",
            "limit, walking from mid",
            "APPROVED by 28 rules",
        ):
            assert told in text
        await press(stage, pilot, "n")
        assert "SPY_TREND PUT" in said(stage)
        await press(stage, pilot, "n", "1", "enter", "enter", "enter")
        assert heard(stage) == []
        assert "SEND  PAPER: BUY 1 SPXW 5940C 0DTE limit, walking from mid" in said(stage)
        await press(stage, pilot, "y", "y", "enter")
        (sent,) = heard(stage)
        assert isinstance(sent, TakeProposal)
        assert (sent.trade_id, sent.qty, sent.by, len(sent.token)) == ("T8", 1, "screen", 16)


async def test_a_hand_gives_a_proposal_its_own_limit_target_and_stop() -> None:
    stage = Stage(proposing())
    async with stage.app.run_test(size=(80, 24)) as pilot:
        await press(stage, pilot, "P")
        text = said(stage)
        assert "as its strategy says" in text
        assert "until" in text
        await press(stage, pilot, "tab", "up", "up", "tab", *"23", "percent_sign", "tab", *"3.30", "enter")
        assert "SEND  PAPER: BUY 2 SPXW 5940C 0DTE limit 4.30 tp 23% sl 3.30" in said(stage)
        await press(stage, pilot, "y")
        (sent,) = heard(stage)
        assert isinstance(sent, TakeProposal)
        assert sent.terms == Taking(limit="4.30", target_pct="23", stop_price="3.30")


async def test_an_unanswered_taking_is_asked_again_under_its_own_token() -> None:
    class Deaf(LocalLink):
        async def ask(self, command: Command, timeout_s: float = 5.0) -> Reply:
            reply = await super().ask(command, timeout_s)
            if isinstance(command, TakeProposal) and len(heard(stage)) == 1:
                raise LinkDown("the engine gave no answer within 5 s")
            return reply

    def deaf(at: Stage) -> LocalLink:
        return Deaf(at.engine.handle, at.engine.picture, clock=at.clock, answer=at.engine.answer)

    stage = Stage(proposing(), deaf)
    async with stage.app.run_test(size=SIZE) as pilot:
        await press(stage, pilot, "P", "enter", "y")
        assert "NO ANSWER" in said(stage)
        await press(stage, pilot, "escape", "escape", "P", "enter", "y")
        tokens = [one.token for one in heard(stage) if isinstance(one, TakeProposal)]
        assert len(tokens) == 2
        assert len(set(tokens)) == 1


async def test_one_key_declines_and_without_a_proposal_the_key_says_so() -> None:
    stage = Stage(proposing())
    async with stage.app.run_test(size=SIZE) as pilot:
        await press(stage, pilot, "f3")
        assert "PROPOSED SPX_CONTEXT BUY 2 SPXW 5940C" in stage.page()
        await press(stage, pilot, "P", "d")
        assert heard(stage) == [DeclineProposal("T8", "screen")]
        assert "T8 is declined" in stage.line("notice")
        stage.engine.floor = msgspec.structs.replace(stage.engine.floor, proposals=Proposals())
        await stage.settle(pilot)
        await press(stage, pilot, "P")
        assert "no strategy proposes anything now" in stage.line("notice")
