"""The signal pool: one entry a scanner, the newest; publishing wakes the hunter at once (SPEC §4)."""

from __future__ import annotations

import asyncio
from typing import Final

from station.domain.clock import SECOND
from station.domain.signals import Firing, Signal, SignalState
from station.domain.specs import ScannerSpec

FRESH_S: Final = 300.0
VALID_S: Final = 900.0
MIN_CONFIDENCE: Final = 50


def make_signal(
    firing: Firing, spec: ScannerSpec, signal_id: str, now_ns: int, valid_s: float = VALID_S
) -> Signal:
    """The signal of a firing that passed its gates: confidence is the family's score held to 0–100,
    priority ranks the scanner's timeframe, 1 (1d) to 10 (1m); valid for `valid_s` from `now_ns`."""
    confidence = min(max(firing.score, 0), 100)
    frames = list(type(spec.timeframe))
    warnings: list[str] = []
    if confidence < MIN_CONFIDENCE:
        warnings.append(f"confidence {confidence} is under {MIN_CONFIDENCE}: not traded")
    if firing.score != confidence:
        warnings.append(f"score {firing.score} is outside 0–100: held at {confidence}")
    return Signal(
        id=signal_id, firing=firing, confidence=confidence,
        priority=len(frames) - frames.index(spec.timeframe), published_ns=now_ns,
        valid_until_ns=now_ns + round(valid_s * SECOND), warnings=tuple(warnings),
        rationale=f"{spec.family} {firing.side.value} on {firing.instrument} {firing.timeframe.value} "
        f"at {firing.price:.2f}, score {firing.score}",
    )  # fmt: skip


class Pool:
    """The newest signal of each scanner. `wake` is set by every publish; the hunter waits on it."""

    def __init__(self) -> None:
        self.wake = asyncio.Event()
        self._held: dict[str, Signal] = {}

    def publish(self, signal: Signal) -> Signal | None:
        """Put `signal` under its scanner's name and wake the hunter. Returns the signal it displaced."""
        name = signal.firing.scanner
        displaced = self._held.get(name)
        self._held[name] = signal
        self.wake.set()
        return displaced if displaced is None or displaced.id != signal.id else None

    def update(self, signal: Signal) -> None:
        """Follow a change of state; ignored where a newer signal has taken the place. Wakes nobody."""
        held = self._held.get(signal.firing.scanner)
        if held is not None and held.id == signal.id:
            self._held[signal.firing.scanner] = signal

    def get(self, name: str, max_age_s: float, now_ns: int) -> Signal | None:
        """The scanner's signal, if published within `max_age_s` and still valid."""
        held = self._held.get(name)
        return held if held is not None and _fresh(held, max_age_s, now_ns) else None

    def snapshot(self, now_ns: int, max_age_s: float = FRESH_S) -> tuple[Signal, ...]:
        """Every fresh, valid signal, by scanner name."""
        return tuple(
            self._held[name] for name in sorted(self._held) if _fresh(self._held[name], max_age_s, now_ns)
        )

    def expire(self, now_ns: int) -> tuple[Signal, ...]:
        """Drop every signal past its valid-until; those that were still waiting come back EXPIRED."""
        ended = [name for name in sorted(self._held) if self._held[name].valid_until_ns <= now_ns]
        gone = [self._held.pop(name) for name in ended]
        moved = [signal.moved(SignalState.EXPIRED) for signal in gone]
        return tuple(after for before, after in zip(gone, moved, strict=True) if after is not before)

    def next_expiry(self) -> int | None:
        """The earliest valid-until in the pool, UTC ns; None when it is empty."""
        return min((signal.valid_until_ns for signal in self._held.values()), default=None)

    async def changed(self) -> None:
        """Wait for a publish since the last call."""
        await self.wake.wait()
        self.wake.clear()


def _fresh(signal: Signal, max_age_s: float, now_ns: int) -> bool:
    return now_ns - signal.published_ns <= max_age_s * SECOND and now_ns < signal.valid_until_ns
