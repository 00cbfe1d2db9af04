"""Signals and strategies for the hunter's tests."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from station.domain.clock import MINUTE, SECOND
from station.domain.instruments import Side, Timeframe
from station.domain.signals import Firing, Signal
from station.domain.specs import ScannerSpec, StrategySpec
from station.strategy import make_signal

T0 = 1_795_186_800 * SECOND  # 2026-11-20 10:00 ET


def firing(scanner: str, side: Side = Side.CALL, close_ns: int = T0, score: int = 74, **more: Any) -> Firing:
    made = Firing(scanner, "SPX", Timeframe.M5, side, score, close_ns - 5 * MINUTE, close_ns, 5938.25)
    return replace(made, **more)


def scanner(name: str, timeframe: Timeframe = Timeframe.M5) -> ScannerSpec:
    return ScannerSpec(name, "ema cross", "SPX", timeframe, "BOTH")


def signal(
    name: str, side: Side = Side.CALL, close_ns: int = T0, score: int = 74, at_ns: int | None = None
) -> Signal:
    """Published as its bar closed, unless `at_ns` says otherwise."""
    made = firing(name, side, close_ns, score)
    published = close_ns if at_ns is None else at_ns
    return make_signal(made, scanner(name), f"S-{name}-{close_ns}", published)


def strategy(**more: Any) -> StrategySpec:
    return replace(StrategySpec("TREND", "SPX", ("SPX_*_CALL",), ("SPX_*_PUT",)), **more)
