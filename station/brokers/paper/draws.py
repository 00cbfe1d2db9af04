"""Keyed randomness: a number depends on the seed and on what it is for, never on when it was asked."""

from __future__ import annotations

import hashlib
from typing import Final

import numpy as np
from numpy.typing import NDArray

UInt64s = NDArray[np.uint64]

_ALL: Final = 2**64 - 1
_MIX_ADD: Final = np.uint64(0x9E3779B97F4A7C15)
_MIX_1: Final = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2: Final = np.uint64(0x94D049BB133111EB)


def key(*parts: int | str) -> int:
    """64 bits from the parts, the same in every process."""
    text = "\x1f".join(str(part) for part in parts)
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")


def stream(*parts: int | str) -> np.random.Generator:
    """A generator of its own for what the parts name."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(key(*parts))))


def uniform(*parts: int | str) -> float:
    """One number in [0, 1)."""
    return (key(*parts) >> 11) / (1 << 53)


def between(low: int, high: int, *parts: int | str) -> int:
    """An integer in [low, high]."""
    return low + int(uniform(*parts) * (high - low + 1))


def scramble(value: int) -> int:
    """`scrambled` of one number."""
    mixed = (value + 0x9E3779B97F4A7C15) & _ALL
    mixed = ((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9) & _ALL
    mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & _ALL
    return mixed ^ (mixed >> 31)


def scrambled(values: UInt64s) -> UInt64s:
    """splitmix64 over an array: independent-looking bits from consecutive or equal-looking keys."""
    with np.errstate(over="ignore"):
        mixed = values + _MIX_ADD
        mixed = (mixed ^ (mixed >> np.uint64(30))) * _MIX_1
        mixed = (mixed ^ (mixed >> np.uint64(27))) * _MIX_2
    return mixed ^ (mixed >> np.uint64(31))
