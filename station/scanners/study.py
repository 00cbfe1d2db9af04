"""The indicators of one window of bars, each computed once however many scanners ask."""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any, Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from station.series import Bars

Floats = NDArray[np.float64]
T = TypeVar("T")


def _load_talib() -> Any:
    """TA-Lib without pandas, which it imports only to wrap its functions for frames: 0.2 s of start-up and
    40 MiB that arrays have no use for. A process that already has pandas keeps it."""
    modules: dict[str, Any] = sys.modules
    if "pandas" in modules:
        return import_module("talib")
    modules["pandas"] = None
    try:
        return import_module("talib")
    finally:
        del modules["pandas"]


_talib: Final = _load_talib()


def plain(name: str) -> Any:
    """TA-Lib's own function of that name, without the wrapper that looks for frames at every call."""
    wrapped = getattr(_talib, name)
    return getattr(wrapped, "__wrapped__", wrapped)


_EMA: Final = plain("EMA")
_ATR: Final = plain("ATR")
_MACD: Final = plain("MACD")


class Study:
    """TA-Lib's batch answers over a window, cut to the bars that are asked about.

    `bars` is the whole window: what a session's values start from, and the session; `session_start` is the
    position of the session's first bar. Answers are asked for the bars from position `since` on: a backtest
    asks for a session, live for the newest bar alone. Every array given out begins at position `lead`, one bar
    earlier where there is one, so that a cross can be seen; the indicators are always computed over the whole
    window, and are NaN until their period has passed.
    """

    def __init__(self, bars: Bars, session_start: int, since: int = 0) -> None:
        self.bars = bars
        self.session_start = session_start
        self.since = since
        self.lead = max(since - 1, 0)
        self._known: dict[tuple[str, *tuple[float, ...]], Any] = {}

    def __len__(self) -> int:
        """How many rows the arrays given out have."""
        return len(self.bars) - self.lead

    @property
    def close(self) -> Floats:
        return self.bars.close[self.lead :]

    def ema(self, period: float) -> Floats:
        """Exponential moving average of the close, in price."""
        return self._once(("ema", period), lambda: self.cut(_EMA(self.bars.close, int(period))))

    def atr(self, period: float) -> Floats:
        """Average true range, Wilder's, in price."""
        bars = self.bars
        return self._once(
            ("atr", period), lambda: self.cut(_ATR(bars.high, bars.low, bars.close, int(period)))
        )  # fmt: skip

    def macd(self, fast: float, slow: float, signal: float) -> tuple[Floats, Floats, Floats]:
        """MACD line, its signal line, and their difference, in price."""

        def compute() -> tuple[Floats, Floats, Floats]:
            line, signalled, histogram = _MACD(self.bars.close, int(fast), int(slow), int(signal))
            return self.cut(line), self.cut(signalled), self.cut(histogram)

        return self._once(("macd", fast, slow, signal), compute)

    def cut(self, values: NDArray[Any]) -> NDArray[Any]:
        """An array over the whole window, from `lead` on."""
        return values[self.lead :]

    def _once(self, key: tuple[str, *tuple[float, ...]], compute: Callable[[], T]) -> T:
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = compute()
        return found
