"""The indicators of one window of bars, each computed once however many scanners ask."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeVar

import numpy as np
import talib
from numpy.typing import NDArray

from station.series import Bars

Floats = NDArray[np.float64]
T = TypeVar("T")
_talib: Final[Any] = talib


class Study:
    """TA-Lib's batch answers over a window: the bars that a session's values start from, and the session's.

    `session_start` is the position of the session's first bar. Every answer has the window's length, NaN until
    its period has passed.
    """

    def __init__(self, bars: Bars, session_start: int) -> None:
        self.bars = bars
        self.session_start = session_start
        self._known: dict[tuple[Any, ...], Any] = {}

    def __len__(self) -> int:
        return len(self.bars)

    def ema(self, period: float) -> Floats:
        """Exponential moving average of the close."""
        return self._once(("ema", period), lambda: _talib.EMA(self.bars.close, int(period)))

    def atr(self, period: float) -> Floats:
        """Average true range, Wilder's, in price."""
        bars = self.bars
        return self._once(("atr", period), lambda: _talib.ATR(bars.high, bars.low, bars.close, int(period)))

    def macd(self, fast: float, slow: float, signal: float) -> tuple[Floats, Floats, Floats]:
        """MACD line, its signal line, and their difference, in price."""
        periods = int(fast), int(slow), int(signal)
        return self._once(("macd", *periods), lambda: _talib.MACD(self.bars.close, *periods))

    def _once(self, key: tuple[Any, ...], compute: Callable[[], T]) -> T:
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = compute()
        return found
