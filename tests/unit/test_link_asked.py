"""Parts on demand: only to who asks, only while he asks, and never in the place of another."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from station.domain.clock import SECOND
from station.link import (
    Ack,
    Alerts,
    Ask,
    AskedPart,
    Attach,
    Candle,
    Chart,
    Command,
    Floor,
    Header,
    LinkClient,
    LinkServer,
    LinkState,
    LocalLink,
    Reply,
    Status,
    Tip,
    Wealth,
)
from station.link.codec import decode_command, raw
from station.link.floor import ERROR
from station.link.messages import MAX_ASKS, Part, Wire
from station.link.port import View
from tests.hand_clock import HandClock, until

SPX, SPY = Ask("chart", "SPX", "5m", 60), Ask("chart", "SPY", "1m", 60)


class Desk:
    """Answers charts that tell whose they are, and remembers what was asked."""

    def __init__(self) -> None:
        self.floor = Floor(header=Header("PAPER", "OPEN", 1), alerts=Alerts())
        self.asked: list[Ask] = []
        self.revision = 1
        self.fault: Exception | None = None
        self.faults: list[str] = []

    def picture(self) -> Floor:
        return self.floor

    def answer(self, ask: Ask) -> AskedPart | None:
        self.asked.append(ask)
        if self.fault is not None and ask == SPX:
            raise self.fault
        if ask.part == "wealth":
            return Wealth(ask)
        if ask.part != "chart":
            return None
        return Chart(ask, self.revision, (Candle(self.revision, 1.0, 2.0, 0.5, 1.5, 0.0),))

    async def handle(self, command: Command) -> Reply:
        del command
        return Ack(True, "done")

    def heard(self, where: str, error: BaseException) -> None:
        self.faults.append(f"{where}: {error}")


@pytest.fixture
def clock() -> HandClock:
    return HandClock(1_700_000_000 * SECOND)


@asynccontextmanager
async def station(tmp_path: Path, clock: HandClock) -> AsyncIterator[tuple[LinkServer, Desk]]:
    desk = Desk()
    server = LinkServer(
        tmp_path / "engine.sock",
        desk.handle,
        desk.picture,
        clock=clock,
        on_fault=desk.heard,
        answer=desk.answer,
    )
    await server.start()
    try:
        yield server, desk
    finally:
        await server.stop()


async def screen(tmp_path: Path, clock: HandClock) -> LinkClient:
    link = LinkClient(tmp_path / "engine.sock", clock=clock)
    await link.open()
    await until(lambda: link.state is LinkState.CONNECTED)
    await link.ask(Status())
    return link


async def test_what_nobody_asks_for_is_neither_made_nor_sent(tmp_path: Path, clock: HandClock) -> None:
    async with station(tmp_path, clock) as (server, desk):
        link = await screen(tmp_path, clock)
        server.tick()
        await until(lambda: link.view.floor.header is not None)
        assert desk.asked == [] and link.view.floor.chart is None
        link.look((SPX,))
        await until(lambda: link.view.floor.chart is not None)
        assert set(desk.asked) == {SPX}
        link.look(())
        assert link.view.floor.chart is None
        await link.ask(Status())
        asked = len(desk.asked)
        clock.advance(0.3)
        server.tick()
        assert len(desk.asked) == asked
        await link.close()


async def test_an_answer_comes_without_waiting_for_the_beat_and_calls_for_a_look(
    tmp_path: Path, clock: HandClock
) -> None:
    async with station(tmp_path, clock):
        link = await screen(tmp_path, clock)
        news: list[object] = []
        link.on_news = lambda: news.append(link.view.floor.chart)
        for number, ask in enumerate((SPX, SPY, SPX), 1):
            link.look((ask,))
            await until(lambda number=number: len(news) == number)
        assert [chart.ask for chart in news if isinstance(chart, Chart)] == [SPX, SPY, SPX]
        await link.close()


async def test_two_screens_see_each_their_own(tmp_path: Path, clock: HandClock) -> None:
    async with station(tmp_path, clock) as (server, desk):
        one, other = await screen(tmp_path, clock), await screen(tmp_path, clock)
        one.look((SPX, Ask("wealth")))
        other.look((SPY, Ask("wealth")))
        await until(lambda: None not in (one.view.floor.chart, other.view.floor.chart, one.view.floor.wealth))
        assert (one.view.floor.chart.ask, other.view.floor.chart.ask) == (SPX, SPY)  # type: ignore[union-attr]
        desk.asked.clear()
        desk.revision += 1
        clock.advance(0.3)
        server.tick()
        assert sorted(ask.part for ask in desk.asked) == ["chart", "chart", "wealth"], "once each"
        await until(lambda: one.view.floor.chart.revision == other.view.floor.chart.revision == 2)  # type: ignore[union-attr]
        await one.close()
        await other.close()


async def test_an_unchanged_answer_does_not_travel_again(tmp_path: Path, clock: HandClock) -> None:
    async with station(tmp_path, clock) as (server, _):
        link = await screen(tmp_path, clock)
        link.look((SPX,))
        await until(lambda: link.view.floor.chart is not None)
        version = link.view.versions["chart"]
        for _turn in range(3):
            clock.advance(0.3)
            server.tick()
        await link.ask(Status())
        assert link.view.versions["chart"] == version
        await link.close()


async def test_a_fault_in_one_part_is_that_part_s_own_and_told_once(tmp_path: Path, clock: HandClock) -> None:
    async with station(tmp_path, clock) as (server, desk):
        desk.fault = ZeroDivisionError("a bug")
        link = await screen(tmp_path, clock)
        link.look((SPX, Ask("wealth"), Ask("weather")))
        await until(lambda: link.view.floor.wealth is not None)
        assert link.view.floor.chart is not None and link.view.floor.chart.state == ERROR
        assert "a bug" in link.view.floor.chart.note
        clock.advance(0.3)
        server.tick()
        assert desk.faults == ["the chart of SPX: a bug"]
        desk.fault = None
        clock.advance(0.3)
        server.tick()
        await until(lambda: link.view.floor.chart is not None and link.view.floor.chart.state == "ready")
        await link.close()


async def test_a_screen_that_comes_back_asks_again(tmp_path: Path, clock: HandClock) -> None:
    async with station(tmp_path, clock):
        link = await screen(tmp_path, clock)
        link.look((SPX,))
        await until(lambda: link.view.floor.chart is not None)
    await until(lambda: link.state is LinkState.LOST)
    assert link.view.floor.chart is not None, "a memory, not a blank"
    version = link.view.versions["chart"]
    async with station(tmp_path, clock):

        def connected() -> bool:
            clock.advance(1)
            return link.state is LinkState.CONNECTED

        await until(connected)
        await until(lambda: link.view.versions["chart"] > version)
        await link.close()


def test_a_late_answer_to_another_ask_is_dropped() -> None:
    view = View()
    view.aim((SPX,))
    assert not view.answer("chart", Chart(SPY, 7))
    assert view.floor.chart is None and view.late == 1
    assert view.answer("chart", Chart(SPX, 1))
    assert not view.answer("chart", Chart(SPX, 2)), "no news: it was there already"
    assert view.floor.chart == Chart(SPX, 2)
    view.aim((SPY,))
    assert view.floor.chart is None, "the chart of another symbol is not shown in its place"


def test_a_local_link_answers_at_once(clock: HandClock) -> None:
    desk = Desk()

    async def look() -> None:
        link = LocalLink(desk.handle, desk.picture, clock=clock, answer=desk.answer)
        await link.open()
        news: list[int] = []
        link.on_news = lambda: news.append(1)
        link.look((SPX,))
        assert link.view.floor.chart == desk.answer(SPX) and news == [1]
        link.look((SPX,))
        assert news == [1]
        link.pull()
        assert link.view.floor.header is not None

    asyncio.run(look())


class OldAttach(Wire, frozen=True, tag="Attach"):
    """The command as an engine of the first version knows it."""

    hz: float = 4.0


def test_old_and_new_understand_each_other() -> None:
    old = decode_command(raw(OldAttach(2.0)))
    assert old == Attach(2.0, ())
    import msgspec

    assert msgspec.msgpack.decode(raw(Attach(2.0, (SPX,))), type=OldAttach) == OldAttach(2.0)


async def test_a_screen_cannot_ask_without_end(tmp_path: Path, clock: HandClock) -> None:
    async with station(tmp_path, clock) as (_, desk):
        link = await screen(tmp_path, clock)
        link.look(tuple(Ask("chart", "SPX", "5m", count) for count in range(100)))
        await until(lambda: bool(desk.asked))
        assert len(set(desk.asked)) == MAX_ASKS
        await link.close()


def test_parts_of_a_later_version_pass_by() -> None:
    from station.link.codec import decode_part

    assert decode_part("weather", raw(Tip(SPX))) is None
    assert Part("weather", 1, raw(Tip(SPX))).name == "weather"
