"""Frames and messages: whole, in pieces, and hostile."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from station.link import (
    Ack,
    AlertRow,
    Alerts,
    Flatten,
    Floor,
    Gate,
    Header,
    Kill,
    PositionRow,
    Positions,
    Query,
)
from station.link.codec import (
    HEAD,
    MAX_TO_SERVER,
    FrameError,
    FrameReader,
    decode_command,
    decode_part,
    decode_to_client,
    decode_to_server,
    frame,
    raw,
)
from station.link.floor import Versions
from station.link.messages import Answer, Call, Hello, Stop


def body(message: msgspec.Struct) -> bytes:
    return frame(message)[HEAD:]


@given(st.lists(st.binary(min_size=1, max_size=40), max_size=8), st.integers(1, 17))
def test_frames_survive_any_cutting_of_the_stream(bodies: list[bytes], step: int) -> None:
    stream = b"".join(len(one).to_bytes(HEAD) + one for one in bodies)
    reader = FrameReader(64)
    found = [one for at in range(0, len(stream), step) for one in reader.feed(stream[at : at + step])]
    assert found == bodies


@pytest.mark.parametrize("head", [0, MAX_TO_SERVER + 1, 0xFFFFFFFF])
def test_an_impossible_length_is_refused_before_anything_is_buffered(head: int) -> None:
    with pytest.raises(FrameError, match=str(head)):
        list(FrameReader(MAX_TO_SERVER).feed(head.to_bytes(HEAD)))


def test_a_good_frame_before_a_bad_one_is_still_read() -> None:
    reader = FrameReader(16).feed(b"\0\0\0\1a" + b"\xff\xff\xff\xff")
    assert next(reader) == b"a"
    with pytest.raises(FrameError):
        next(reader)


@given(st.binary(min_size=1, max_size=200))
def test_random_bytes_are_refused_and_never_crash(noise: bytes) -> None:
    for decode in (decode_to_server, decode_to_client):
        try:
            decode(noise)
        except FrameError:
            continue


def test_deep_nesting_is_refused() -> None:
    with pytest.raises(FrameError):
        decode_to_server(b"\x91" * 50_000)


@pytest.mark.parametrize(
    "command", [Kill(flatten=True, by="f12"), Gate("closed"), Query("why", {"symbol": "SPX"})]
)
def test_a_command_comes_back_as_it_went(command: msgspec.Struct) -> None:
    call = decode_to_server(body(Call(7, raw(command))))
    assert isinstance(call, Call) and call.id == 7
    assert decode_command(call.command) == command


@pytest.mark.parametrize("command", [Kill(), Flatten(), Stop()])
def test_the_core_is_understood_across_versions(command: msgspec.Struct) -> None:
    newer = {**msgspec.to_builtins(command), "field_of_tomorrow": 1}
    assert decode_command(msgspec.Raw(msgspec.msgpack.encode(newer)), core_only=True) == command


def test_beyond_the_core_nothing_is_understood_across_versions() -> None:
    with pytest.raises(FrameError):
        decode_command(raw(Gate("open")), core_only=True)


def test_money_keeps_its_digits() -> None:
    row = PositionRow(
        "t1", "SPX 5940C", Decimal(2), "SELL_SUBMITTED", entry=Decimal("4.20"), pnl=Decimal("-0.10")
    )
    assert decode_part("positions", raw(Positions((row,)))) == Positions((row,))


def test_an_unknown_part_is_passed_over_and_a_damaged_one_refused() -> None:
    assert decode_part("holograms", raw(Ack(True, ""))) is None
    with pytest.raises(FrameError, match="alerts"):
        decode_part("alerts", raw(Alerts((AlertRow(0, "info", 5),))))  # pyright: ignore[reportArgumentType]


def test_answers_carry_their_number() -> None:
    message = decode_to_client(body(Answer(3, Ack(False, "no", "NO"))))
    assert message == Answer(3, Ack(False, "no", "NO"))
    assert decode_to_server(body(Hello("verb"))) == Hello("verb")


def test_versions_count_changes_by_value() -> None:
    versions = Versions()
    header = Header("PAPER", "OPEN", 1)
    assert versions.take(Floor(header=header, alerts=Alerts())) == ("header", "alerts")
    assert versions.take(Floor(header=Header("PAPER", "OPEN", 1), alerts=Alerts())) == ()
    assert versions.take(Floor(header=Header("PAPER", "CLOSED", 1))) == ("header",)
    assert versions.of == {
        "header": 2, "positions": 0, "orders": 0, "feed": 0, "alerts": 1, "strategies": 0,
        "proposals": 0,
    }  # fmt: skip
    assert versions.floor.alerts == Alerts()
