"""The engine's door over a real UNIX socket: commands acknowledged, newest snapshots, no waiting for anyone."""

from __future__ import annotations

import asyncio
import os
import socket
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from station.domain.clock import SECOND
from station.domain.errors import Fatal, Refused
from station.link import (
    PROTOCOL,
    Ack,
    AlertRow,
    Alerts,
    Attach,
    Command,
    Data,
    Floor,
    Gate,
    Header,
    Kill,
    LinkClient,
    LinkDown,
    LinkServer,
    LinkState,
    LocalLink,
    NoteTrade,
    Query,
    Reply,
    Status,
    Stop,
    address,
    pointer_file,
    request,
)
from station.link.codec import FrameReader, decode_part, decode_to_client, frame, raw
from station.link.connection import MAX_IN_FLIGHT
from station.link.messages import Answer, Call, Farewell, Greeting, Hello, Part
from tests.hand_clock import HandClock, until


class Engine:
    """A handler that remembers, and a floor that can be changed."""

    def __init__(self) -> None:
        self.heard: list[Command] = []
        self.floor = Floor(header=Header("PAPER", "OPEN", 1))
        self.asked = 0
        self.faults: list[str] = []
        self.release = asyncio.Event()
        self.started = asyncio.Event()

    def picture(self) -> Floor:
        self.asked += 1
        return self.floor

    def fault(self, where: str, error: BaseException) -> None:
        self.faults.append(f"{where}: {error!r}")

    async def handle(self, command: Command) -> Reply:
        self.heard.append(command)
        match command:
            case Query(name="slow"):
                self.started.set()
                await self.release.wait()
                return Ack(True, "at last")
            case Query(name="refuse"):
                raise Refused("NOT_NOW", "not now")
            case Query(name="break"):
                raise ZeroDivisionError("a bug")
            case Query(name="long"):
                return Data("x" * (9 * 1024 * 1024))
            case Status():
                return Data("{}")
            case _:
                return Ack(True, f"did {type(command).__name__}")


@asynccontextmanager
async def served(path: Path, clock: HandClock) -> AsyncIterator[tuple[LinkServer, Engine]]:
    engine = Engine()
    server = LinkServer(path, engine.handle, engine.picture, clock=clock, on_fault=engine.fault)
    await server.start()
    try:
        yield server, engine
    finally:
        await server.stop()


class Raw:
    """A client of bare bytes, which reads only when told to."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self._frames = FrameReader(16 * 1024 * 1024)
        self._bodies: list[bytes] = []

    @classmethod
    async def dial(cls, path: Path) -> Raw:
        return cls(*await asyncio.open_unix_connection(str(address(path))))

    async def receive(self) -> object:
        while not self._bodies:
            data = await self.reader.read(65536)
            if not data:
                raise EOFError
            self._bodies = list(self._frames.feed(data))
        return decode_to_client(self._bodies.pop(0))

    async def attach(self) -> None:
        self.writer.write(frame(Hello("screen")) + frame(Call(0, raw(Attach(4)))))
        assert isinstance(await self.receive(), Greeting)
        assert isinstance(await self.receive(), Answer)


@pytest.fixture
def clock() -> HandClock:
    return HandClock(1_700_000_000 * SECOND)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "engine.sock"


async def attached(path: Path, clock: HandClock, role: str = "screen") -> LinkClient:
    link = LinkClient(path, clock=clock, role=role)
    await link.open()
    await until(lambda: link.state is LinkState.CONNECTED)
    await link.ask(Status())
    return link


async def test_one_request_is_one_answer(path: Path, clock: HandClock) -> None:
    async with served(path, clock) as (_, engine):
        assert await request(path, Kill(flatten=True, by="shell")) == Ack(True, "did Kill")
        assert await request(path, Status()) == Data("{}")
        assert engine.heard == [Kill(flatten=True, by="shell"), Status()]


async def test_the_socket_is_ours_alone(path: Path, clock: HandClock) -> None:
    async with served(path, clock):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not path.exists()


async def test_no_engine_says_so(path: Path) -> None:
    with pytest.raises(LinkDown, match="no engine answers"):
        await request(path, Kill())


async def test_a_refusal_a_fault_and_an_endless_answer_are_one_line_each(path: Path, clock: HandClock) -> None:
    async with served(path, clock) as (_, engine):
        assert await request(path, Query("refuse")) == Ack(False, "not now", "NOT_NOW")
        broken = await request(path, Query("break"))
        assert isinstance(broken, Ack) and broken.code == "FAULT" and "a bug" in broken.text
        assert len(engine.faults) == 1
        long = await request(path, Query("long"))
        assert isinstance(long, Ack) and long.code == "TOO_LARGE"


async def test_what_is_too_long_is_not_sent_and_costs_no_attachment(path: Path, clock: HandClock) -> None:
    async with served(path, clock) as (_, engine):
        endless = NoteTrade("T1", "x" * 100_000)
        alone = await request(path, endless)
        link = await attached(path, clock)
        refused = await link.ask(endless)
        for reply in (alone, refused):
            assert isinstance(reply, Ack) and "over the 65,536 of one message" in reply.text
        assert link.state is LinkState.CONNECTED and endless not in engine.heard
        whole = NoteTrade("T1", "x" * 65_000)
        assert await link.ask(whole) == Ack(True, "did NoteTrade") and whole in engine.heard
        await link.close()


async def test_a_stranger_version_can_still_kill_but_nothing_else(path: Path, clock: HandClock) -> None:
    async with served(path, clock) as (server, engine):
        assert await request(path, Kill(), protocol=PROTOCOL + 1) == Ack(True, "did Kill")
        for newer, remedy in ((1, "restart the engine"), (-1, "restart the screen")):
            refused = await request(path, Gate("open"), protocol=PROTOCOL + newer)
            assert isinstance(refused, Ack) and refused.code == "PROTOCOL" and remedy in refused.text
        assert engine.heard == [Kill()]
        link = LinkClient(path, clock=clock, protocol=PROTOCOL + 1)
        await link.open()
        await until(lambda: link.state is LinkState.MISMATCH)
        assert "protocol" in link.detail
        server.tick()
        assert await link.ask(Kill(by="f12")) == Ack(True, "did Kill")
        assert link.view.floor.header is None
        await link.close()


async def test_only_changed_parts_travel(path: Path, clock: HandClock) -> None:
    async with served(path, clock) as (server, engine):
        raw_client = await Raw.dial(path)
        await raw_client.attach()
        engine.floor = Floor(header=Header("PAPER", "OPEN", 1), alerts=Alerts())
        server.tick()
        names = [
            part.name
            for part in (await raw_client.receive(), await raw_client.receive())
            if isinstance(part, Part)
        ]
        assert names == ["header", "alerts"]
        clock.advance(0.3)
        server.tick()
        engine.floor = Floor(header=Header("PAPER", "OPEN", 1), alerts=Alerts((AlertRow(1, "info", "hello"),)))
        clock.advance(0.3)
        server.tick()
        part = await raw_client.receive()
        assert isinstance(part, Part) and (part.name, part.version) == ("alerts", 2)
        raw_client.writer.close()


async def test_the_publisher_paces_itself_and_rests_with_nobody_there(path: Path, clock: HandClock) -> None:
    async with served(path, clock) as (_, engine):
        clock.advance(1)
        assert engine.asked == 0
        link = await attached(path, clock)
        await until(lambda: clock.next_timer is not None)
        clock.advance(0.3)
        await until(lambda: link.view.floor.header is not None)
        assert engine.asked == 1
        await link.close()


async def test_a_floor_that_raises_is_reported_and_publishing_goes_on(path: Path, clock: HandClock) -> None:
    async with served(path, clock) as (_, engine):
        link = await attached(path, clock)
        good, engine.floor = engine.floor, None  # pyright: ignore[reportAttributeAccessIssue]
        await until(lambda: clock.next_timer is not None)
        clock.advance(0.3)
        await until(lambda: len(engine.faults) == 1)
        engine.floor = good
        await until(lambda: clock.next_timer is not None)
        clock.advance(0.3)
        await until(lambda: link.view.floor.header == good.header)
        await link.close()


async def test_a_slow_reader_gets_the_latest_and_the_server_never_waits(path: Path, clock: HandClock) -> None:
    async with served(path, clock) as (server, engine):
        slow = await Raw.dial(path)
        await slow.attach()
        slow.writer.transport.pause_reading()  # pyright: ignore[reportAttributeAccessIssue]
        bulk = AlertRow(0, "info", "x" * 100_000)
        for version in range(1, 41):
            alerts = Alerts((AlertRow(version, "info", ""), bulk))
            engine.floor = Floor(header=Header("PAPER", "OPEN", version), alerts=alerts)
            clock.advance(0.3)
            server.tick()
            assert await request(path, Status()) == Data("{}")
        last = engine.floor.header
        assert last is not None
        slow.writer.transport.resume_reading()  # pyright: ignore[reportAttributeAccessIssue]
        seen: list[Header] = []
        while not seen or seen[-1] != last:
            clock.move_to(clock.now() + SECOND)
            server.tick()
            message = await slow.receive()
            if isinstance(message, Part) and message.name == "header":
                part = decode_part("header", message.body)
                assert isinstance(part, Header)
                seen.append(part)
        instants = [header.now_ns for header in seen]
        assert instants == sorted(set(instants)) and len(seen) < last.now_ns
        slow.writer.close()


async def test_a_dead_reader_is_dropped_after_the_limit(path: Path, clock: HandClock) -> None:
    async with served(path, clock) as (server, engine):
        dead = await Raw.dial(path)
        await dead.attach()
        dead.writer.transport.pause_reading()  # pyright: ignore[reportAttributeAccessIssue]
        for version in range(1, 40):
            text = "x" * 400_000
            engine.floor = Floor(alerts=Alerts((AlertRow(version, "info", text),)))
            clock.advance(0.3)
            server.tick()
        assert server.clients == 1
        clock.advance(21)
        server.tick()
        await until(lambda: server.clients == 0)
        assert server.dropped == 1
        dead.writer.close()


@pytest.mark.parametrize(
    "noise",
    [
        b"\xff\xff\xff\xff", b"\0\0\0\0", b"\0\0\0\3abc", b"GET / HTTP/1.1\r\n\r\n",
        frame(Call(1, raw(Kill()))), frame(Hello("screen")) * 2,
        frame(Hello("screen")) + frame(Call(1, raw(Ack(True, "")))),
    ],
)  # fmt: skip
async def test_hostile_bytes_close_that_client_only(path: Path, clock: HandClock, noise: bytes) -> None:
    async with served(path, clock) as (server, engine):
        good = await attached(path, clock)
        bad = await Raw.dial(path)
        bad.writer.write(noise)
        message: object = None
        with pytest.raises(EOFError):
            while True:
                message = await bad.receive()
        assert isinstance(message, Farewell)
        assert await good.ask(Gate("closed")) == Ack(True, "did Gate")
        assert Kill() not in engine.heard
        await good.close()
        bad.writer.close()
        await until(lambda: server.clients == 0)


async def test_a_client_that_says_nothing_is_dropped(path: Path, clock: HandClock) -> None:
    async with served(path, clock) as (server, _):
        mute = await Raw.dial(path)
        await until(lambda: server.clients == 1)
        clock.advance(6)
        server.tick()
        await until(lambda: server.clients == 0)
        mute.writer.close()


async def test_a_flood_of_commands_is_cut_and_a_slow_one_delays_nobody(path: Path, clock: HandClock) -> None:
    async with served(path, clock) as (server, engine):
        flood = await Raw.dial(path)
        await flood.attach()
        link = await attached(path, clock)
        slow = asyncio.ensure_future(link.ask(Query("slow")))
        await engine.started.wait()
        assert await link.ask(Kill()) == Ack(True, "did Kill")
        for number in range(MAX_IN_FLIGHT * 3):
            flood.writer.write(frame(Call(number, raw(Query("slow")))))
        await until(lambda: server.clients == 1)
        assert len(engine.heard) <= MAX_IN_FLIGHT + 5
        engine.release.set()
        assert await slow == Ack(True, "at last")
        await link.close()
        flood.writer.close()


async def test_a_kill_is_carried_out_even_when_its_sender_hangs_up(path: Path, clock: HandClock) -> None:
    async with served(path, clock) as (server, engine):
        hasty = await Raw.dial(path)
        hasty.writer.write(
            frame(Hello("verb")) + frame(Call(1, raw(Query("slow")))) + frame(Call(2, raw(Kill())))
        )
        await engine.started.wait()
        hasty.writer.transport.abort()
        await until(lambda: server.clients == 0)
        engine.release.set()
        await until(lambda: Kill() in engine.heard)
        assert not engine.faults


async def test_an_observer_may_look_and_not_touch(path: Path, clock: HandClock) -> None:
    async with served(path, clock) as (_, engine):
        link = await attached(path, clock, role="observer")
        refused = await link.ask(Kill())
        assert isinstance(refused, Ack) and refused.code == "READ_ONLY"
        assert await link.ask(Status()) == Data("{}")
        assert Kill() not in engine.heard
        await link.close()


async def test_a_path_too_long_for_a_socket_goes_through_a_pointer(
    tmp_path: Path, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", None)
    monkeypatch.setenv("TMPDIR", "/tmp")
    deep = tmp_path / ("d" * 80) / ("e" * 80)
    deep.mkdir(parents=True)
    path = deep / "engine.sock"
    async with served(path, clock):
        real = address(path)
        assert real != path and len(os.fsencode(real)) <= 107
        assert stat.S_IMODE(real.parent.stat().st_mode) == 0o700
        assert stat.S_IMODE(pointer_file(path).stat().st_mode) == 0o600
        assert await request(path, Kill()) == Ack(True, "did Kill")
    assert not pointer_file(path).exists() and not real.exists()


async def test_a_second_engine_is_refused_and_a_dead_one_s_socket_is_replaced(
    path: Path, clock: HandClock
) -> None:
    async with served(path, clock):
        second = LinkServer(path, Engine().handle, Floor, clock=clock)
        with pytest.raises(Fatal, match="another engine"):
            await second.start()
        assert await request(path, Kill()) == Ack(True, "did Kill")
    left = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    left.bind(str(path))
    left.close()
    async with served(path, clock):
        assert await request(path, Kill()) == Ack(True, "did Kill")


async def test_a_screen_comes_back_by_itself_when_the_engine_does(path: Path, clock: HandClock) -> None:
    link = LinkClient(path, clock=clock)
    await link.open()
    await until(lambda: link.state is LinkState.LOST)
    with pytest.raises(LinkDown):
        await link.ask(Kill())
    for attachment in (1, 2):
        async with served(path, clock) as (server, engine):
            header = Header("PAPER", "OPEN", attachment)
            engine.floor = Floor(header=header)
            await until(lambda: clock.next_timer is not None)
            clock.advance(3)
            await until(lambda: link.state is LinkState.CONNECTED)
            await link.ask(Status())
            server.tick()
            while link.view.floor.header != header:
                await link.ask(Status())
        await until(lambda: link.state is LinkState.LOST)
        assert link.detail == "the engine stopped"
        assert link.view.floor.header is not None
    assert link.attachments == 2
    await link.close()
    assert link.state is LinkState.CLOSED


async def test_an_engine_that_still_starts_is_not_one_that_was_lost(path: Path, clock: HandClock) -> None:
    opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    link = LinkClient(path, clock=clock, opened=opened)
    await link.open()
    for _ in range(20):
        await asyncio.wait([opened], timeout=0)
    assert (link.state, link.detail) == (LinkState.CONNECTING, "")
    async with served(path, clock):
        opened.set_result(None)
        await until(lambda: link.state is LinkState.CONNECTED)
        await link.close()


async def test_an_engine_that_falls_silent_is_noticed(path: Path, clock: HandClock) -> None:
    async with served(path, clock) as (server, _):
        link = await attached(path, clock)
        clock.move_to(clock.now() + 4 * SECOND)
        assert link.state is LinkState.SILENT and "4 s" in link.detail
        server.tick()
        clock.move_to(clock.now() + 2 * SECOND)
        server.tick()
        await until(lambda: link.state is LinkState.CONNECTED)
        await link.close()


async def test_stopping_from_inside_a_command_still_answers_it(path: Path, clock: HandClock) -> None:
    server: LinkServer

    async def handle(command: Command) -> Reply:
        assert isinstance(command, Stop)
        stopping.append(asyncio.ensure_future(server.stop("asked to")))
        return Ack(True, "stopping")

    stopping: list[asyncio.Future[None]] = []
    server = LinkServer(path, handle, Floor, clock=clock)
    await server.start()
    assert await request(path, Stop()) == Ack(True, "stopping")
    await stopping[0]


async def test_the_local_link_is_the_same_port(clock: HandClock) -> None:
    engine = Engine()
    link = LocalLink(engine.handle, engine.picture, clock=clock)
    await link.open()
    link.pull()
    assert link.state is LinkState.CONNECTED and link.view.floor.header == engine.floor.header
    assert link.view.versions["header"] == 1
    link.pull()
    assert link.view.versions["header"] == 1
    assert await link.ask(Kill()) == Ack(True, "did Kill")
    assert await link.ask(Query("refuse")) == Ack(False, "not now", "NOT_NOW")
    await link.close()
    with pytest.raises(LinkDown):
        await link.ask(Kill())


async def test_what_must_reach_the_eye_is_published_at_once_and_told_at_once(
    path: Path, clock: HandClock
) -> None:
    async with served(path, clock) as (server, engine):
        engine.floor = Floor(header=Header("PAPER", "OPEN", 1), alerts=Alerts())
        link = await attached(path, clock)
        news: list[str] = []
        server.tick()
        await until(lambda: link.view.floor.alerts is not None)
        link.on_news = lambda: news.append("news")
        engine.floor = Floor(header=Header("PAPER", "OPEN", 2), alerts=Alerts())
        server.hurry()
        await until(lambda: link.view.versions["header"] == 2)
        assert news == [], "time alone is no news"
        engine.floor = Floor(header=Header("PAPER", "CLOSED", 2), alerts=Alerts((AlertRow(1, "warn", "GATE"),)))
        server.hurry()
        await until(lambda: link.view.versions["alerts"] == 2)
        assert news == ["news", "news"], "the gate, and the alert that tells of it"
        await server.stop()
        await until(lambda: link.state is LinkState.LOST)
        assert len(news) == 3
        await link.close()
