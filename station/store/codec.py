"""Between domain values and what a database holds: canonical JSON, typed events, upcasters.

Canonical JSON has sorted keys, no spaces, Decimals as strings, enums as their values, None as null, and no
NaN: it is what the hash chain and the run's digest are made of.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from decimal import Decimal
from enum import Enum
from functools import cache
from types import NoneType
from typing import Any, ClassVar, Final, TypeVar, cast, get_args, get_origin, get_type_hints

import msgspec

from station.domain.errors import BadInput, Fatal
from station.domain.events import EVENT_TYPES, Event

T = TypeVar("T")
Upcaster = Callable[[dict[str, Any]], dict[str, Any]]

_FLOATLESS: Final = frozenset({int, str, bool, bytes, Decimal, NoneType})


def _unchanged(body: dict[str, Any]) -> dict[str, Any]:
    """Of a version that only added fields, each with the default that the older one meant."""
    return body


UPCASTERS: Final[dict[tuple[str, int], Upcaster]] = {
    ("trade.strategy_passed", 1): _unchanged,
    ("trade.exit_submitted", 1): _unchanged,
    ("trade.exit_modified", 1): _unchanged,
    ("trade.manual", 1): _unchanged,
    ("trade.entry_modified", 1): _unchanged,
    ("trade.exits_set", 1): _unchanged,
    ("trade.reverse_asked", 1): _unchanged,
    ("trade.taken", 1): _unchanged,
}
"""(type, v) → how a body of that version becomes one of v + 1. Rows are never rewritten; readers upcast."""


def canonical(value: object) -> str:
    """The canonical JSON of a domain value. Raises BadInput for a NaN or an infinity."""
    encoded = msgspec.json.encode(value, order="sorted")
    # The encoder writes a non-finite float as null.
    if b"null" in encoded and may_hold_float(type(value)) and _has_non_finite(msgspec.to_builtins(value)):
        raise BadInput(f"{type(value).__name__} holds a NaN or an infinity: {value!r}")
    return encoded.decode()


def parsed(text: str, kind: type[T]) -> T:
    """A domain value back from its canonical JSON. Raises BadInput where it does not fit."""
    try:
        return cast("T", _decoder(kind).decode(text))
    except msgspec.MsgspecError as error:
        raise BadInput(f"{kind.__name__} cannot be read from {text[:120]}: {error}") from error


def decode_event(
    name: str, v: int, data: str, upcasters: Mapping[tuple[str, int], Upcaster] = UPCASTERS
) -> Event:
    """The event of a row, brought to today's version. Raises Fatal for a type or version this code lacks,
    BadInput for a body that does not fit its type."""
    kind = EVENT_TYPES.get(name)
    if kind is None:
        raise Fatal(f"event type {name!r} is unknown: the log was written by newer code, update the station")
    if v == kind.v:
        return parsed(data, kind)
    body: dict[str, Any] = msgspec.json.decode(data)
    while v < kind.v:
        step = upcasters.get((name, v))
        if step is None:
            raise Fatal(f"event {name} v{v} has no upcaster to v{v + 1}: restore the code that has it")
        body, v = step(body), v + 1
    if v > kind.v:
        raise Fatal(f"event {name} v{v} is newer than this code's v{kind.v}: update the station")
    return parsed(msgspec.json.encode(body).decode(), kind)


@cache
def _decoder(kind: type[Any]) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(kind)


@cache
def may_hold_float(kind: Any) -> bool:
    """Whether a value of this type or annotation may have a float somewhere in it."""
    if dataclasses.is_dataclass(kind):
        return any(map(may_hold_float, get_type_hints(kind).values()))
    if get_origin(kind) is ClassVar:
        return False
    parts = get_args(kind)
    if parts:
        return any(part is not Ellipsis and may_hold_float(part) for part in parts)
    return kind not in _FLOATLESS and not (isinstance(kind, type) and issubclass(kind, Enum))


def _has_non_finite(value: object) -> bool:
    if isinstance(value, float):
        return not math.isfinite(value)
    if isinstance(value, dict):
        return any(_has_non_finite(part) for part in cast("dict[str, object]", value).values())
    if isinstance(value, list | tuple):
        return any(_has_non_finite(part) for part in cast("list[object]", value))
    return False
