"""Canonical JSON, events by type and version, rows by column."""

from __future__ import annotations

import json
from dataclasses import fields, is_dataclass
from decimal import Decimal
from enum import Enum
from types import UnionType
from typing import Any, get_args, get_origin, get_type_hints

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from station.domain.errors import BadInput, Fatal
from station.domain.events import EVENT_TYPES, Alerted, Event, GateChanged
from station.domain.orders import Execution, Order
from station.domain.saying import said
from station.domain.signals import Signal
from station.domain.trade import Trade
from station.store.codec import canonical, decode_event, parsed
from station.store.rows import FILLS, ORDERS, SIGNALS, TRADES, RowMap

SCALARS: dict[object, st.SearchStrategy[Any]] = {
    str: st.text(st.characters(codec="utf-8"), max_size=12),
    int: st.integers(0, 2**62),
    bool: st.booleans(),
    float: st.floats(allow_nan=False, allow_infinity=False),
    Decimal: st.decimals(allow_nan=False, allow_infinity=False, places=4, min_value=-(10**9), max_value=10**9),
    type(None): st.none(),
}


def values(hint: Any) -> st.SearchStrategy[Any]:
    """Any value of a domain type."""
    if hint in SCALARS:
        return SCALARS[hint]
    if get_origin(hint) is tuple:
        return st.lists(values(get_args(hint)[0]), max_size=3).map(tuple)
    if get_origin(hint) is UnionType:
        return st.one_of(*(values(part) for part in get_args(hint)))
    if isinstance(hint, type) and issubclass(hint, Enum):
        return st.sampled_from(list(hint))
    assert is_dataclass(hint), hint
    hints = get_type_hints(hint)
    return st.builds(hint, **{field.name: values(hints[field.name]) for field in fields(hint)})


EVENTS = st.sampled_from(sorted(EVENT_TYPES)).flatmap(lambda name: values(EVENT_TYPES[name]))


@settings(max_examples=150)
@given(event=EVENTS)
def test_every_event_can_be_said(event: Event) -> None:
    assert isinstance(said(event.type, json.loads(canonical(event))), str)


@given(event=EVENTS)
def test_every_event_comes_back_from_its_canonical_json(event: Event) -> None:
    text = canonical(event)
    assert decode_event(event.type, event.v, text) == event
    assert canonical(decode_event(event.type, event.v, text)) == text
    body = json.loads(text)
    assert text == json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False) or any(
        isinstance(value, float) for value in _leaves(body)
    )


def _leaves(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [leaf for part in value.values() for leaf in _leaves(part)]
    if isinstance(value, list):
        return [leaf for part in value for leaf in _leaves(part)]
    return [value]


@pytest.mark.parametrize(
    ("rows", "kind", "extra"),
    [
        (TRADES, Trade, ()),
        (ORDERS, Order, ("paper",)),
        (FILLS, Execution, ("root", "T1", "paper")),
        (SIGNALS, Signal, ("DU1", "paper")),
    ],
)
def test_every_row_comes_back_from_its_columns(rows: RowMap[Any], kind: type, extra: tuple[str, ...]) -> None:
    @given(value=values(kind))
    def holds(value: Any) -> None:
        row = rows.encode(value, *extra)
        assert rows.decode(row[: len(rows.columns)]) == value

    holds()


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
def test_no_number_that_is_none_reaches_json(number: float) -> None:
    with pytest.raises(BadInput, match="NaN or an infinity"):
        canonical({"a": [{"b": number}]})
    assert canonical({"a": None}) == '{"a":null}'


def test_an_older_event_is_brought_to_todays_version_step_by_step() -> None:
    def rename(body: dict[str, Any]) -> dict[str, Any]:
        return {"severity": body["level"], "text": body["text"]}

    old = '{"level":"info","text":"hello"}'
    assert decode_event("alert", 0, old, {("alert", 0): rename}) == Alerted("info", "hello")


@pytest.mark.parametrize(
    ("name", "v", "says"),
    [
        ("alert", 0, r"event alert v0 has no upcaster to v1"),
        ("alert", 2, r"event alert v2 is newer than this code's v1: update the station"),
        ("alarm", 1, r"event type 'alarm' is unknown"),
    ],
)
def test_an_event_this_code_cannot_read_is_one_line(name: str, v: int, says: str) -> None:
    with pytest.raises(Fatal, match=says):
        decode_event(name, v, '{"severity":"info","text":"x"}', {})


def test_a_body_that_does_not_fit_its_type_is_named() -> None:
    with pytest.raises(BadInput, match="GateChanged cannot be read from"):
        decode_event("control.gate", 1, '{"state":7}')
    assert parsed('{"state":"OPEN","by":"me","reason":""}', GateChanged).state == "OPEN"


def test_canonical_json_is_the_same_whatever_order_it_was_made_in() -> None:
    assert canonical({"b": Decimal("1.10"), "a": (1, None)}) == '{"a":[1,null],"b":"1.10"}'
    assert msgspec.json.decode(canonical({"x": "é\n"})) == {"x": "é\n"}
