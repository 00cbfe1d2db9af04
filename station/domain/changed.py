"""A changed copy of a value with many fields, for the values that every event changes."""

from __future__ import annotations

from typing import Any, TypeVar

T = TypeVar("T")


def changed(value: T, /, **fields: Any) -> T:
    """What `dataclasses.replace` gives, for a frozen dataclass without slots and without `__post_init__`: its
    fields are copied at once and not set one by one, about a twentieth of the time for a trade. Raises
    TypeError for a field that it does not have."""
    copy = object.__new__(type(value))
    copy.__dict__.update(value.__dict__)
    copy.__dict__.update(fields)
    if len(copy.__dict__) != len(value.__dict__):
        unknown = ", ".join(sorted(fields.keys() - value.__dict__.keys()))
        raise TypeError(f"{type(value).__name__} has no field {unknown}")
    return copy
