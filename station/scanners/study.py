"""The indicators of one window of bars, each computed once however many scanners ask."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from station.series import Bars
from station.series.indicators import plain

Floats = NDArray[np.float64]
Int64s = NDArray[np.int64]
T = TypeVar("T")


_EMA: Final = plain("EMA")
_SMA: Final = plain("SMA")
_ATR: Final = plain("ATR")
_MACD: Final = plain("MACD")
_RSI: Final = plain("RSI")
_ADX: Final = plain("ADX")
_PLUS_DI: Final = plain("PLUS_DI")
_MINUS_DI: Final = plain("MINUS_DI")
_STOCH: Final = plain("STOCH")
_MAX: Final = plain("MAX")
_MIN: Final = plain("MIN")


class Study:
    """TA-Lib's batch answers over a window, cut to the bars that are asked about.

    `bars` is the whole window: what a session's values start from, and the session; `session_start` is the
    position of the session's first bar. Answers are asked for the bars from position `since` on: a backtest
    asks for a session, live for the newest bar alone. Every array given out begins at position `lead`, one bar
    earlier where there is one, so that a cross can be seen; the indicators are always computed over the whole
    window, and are NaN until their period has passed. `opens` gives, when first asked, the open of each bar's
    session, UTC ns; without it the window is one session that opens with its first bar.
    """

    def __init__(
        self, bars: Bars, session_start: int, since: int = 0, opens: Callable[[], Int64s] | None = None
    ) -> None:
        self.bars = bars
        self.session_start = session_start
        self.since = since
        self.lead = max(since - 1, 0)
        self._opens = opens
        self._known: dict[tuple[str, *tuple[float, ...]], Any] = {}

    def __len__(self) -> int:
        """How many rows the arrays given out have."""
        return len(self.bars) - self.lead

    @property
    def close(self) -> Floats:
        return self.bars.close[self.lead :]

    def ema(self, period: float) -> Floats:
        """Exponential moving average of the close, in price."""
        return self.once(("ema", period), lambda: self.cut(_EMA(self.bars.close, int(period))))

    def atr(self, period: float) -> Floats:
        """Average true range, Wilder's, in price."""
        bars = self.bars
        return self.once(
            ("atr", period), lambda: self.cut(_ATR(bars.high, bars.low, bars.close, int(period)))
        )  # fmt: skip

    def macd(self, fast: float, slow: float, signal: float) -> tuple[Floats, Floats, Floats]:
        """MACD line, its signal line, and their difference, in price."""

        def compute() -> tuple[Floats, Floats, Floats]:
            line, signalled, histogram = _MACD(self.bars.close, int(fast), int(slow), int(signal))
            return self.cut(line), self.cut(signalled), self.cut(histogram)

        return self.once(("macd", fast, slow, signal), compute)

    def rsi(self, period: float) -> Floats:
        """Wilder's relative strength index of the close, 0–100."""
        return self.once(("rsi", period), lambda: self.cut(_RSI(self.bars.close, int(period))))

    def adx(self, period: float) -> tuple[Floats, Floats, Floats]:
        """Wilder's ADX, +DI and −DI, each 0–100."""
        bars = self.bars

        def compute() -> tuple[Floats, Floats, Floats]:
            given = (bars.high, bars.low, bars.close, int(period))
            return self.cut(_ADX(*given)), self.cut(_PLUS_DI(*given)), self.cut(_MINUS_DI(*given))

        return self.once(("adx", period), compute)

    def stochastic(self, period: float, slowing: float, signal: float) -> tuple[Floats, Floats]:
        """%K of `period` smoothed over `slowing` bars and %D, its mean over `signal` bars, 0–100."""
        bars = self.bars

        def compute() -> tuple[Floats, Floats]:
            k, d = _STOCH(bars.high, bars.low, bars.close, int(period), int(slowing), 0, int(signal), 0)
            return self.cut(k), self.cut(d)

        return self.once(("stochastic", period, slowing, signal), compute)

    def smi(self, long: float, short: float) -> Floats:
        """The SMI ergodic oscillator, −100 … 100.

        W. Blau's true strength index: 100 × the close's change, averaged exponentially over `long` bars and
        again over `short`, divided by the same of its size; 0 where nothing has moved.
        """
        return self.cut(self._smi(long, short))

    def smi_signal(self, long: float, short: float, signal: float) -> Floats:
        """The SMI ergodic's signal line: its exponential average over `signal` bars."""
        return self.once(
            ("smi_signal", long, short, signal), lambda: self.cut(_EMA(self._smi(long, short), int(signal)))
        )  # fmt: skip

    def _smi(self, long: float, short: float) -> Floats:
        """Over the whole window."""

        def compute() -> Floats:
            close = self.bars.close
            if len(close) < 2:
                return np.full(len(close), np.nan)
            moves = np.empty(len(close))
            moves[0] = np.nan
            np.subtract(close[1:], close[:-1], out=moves[1:])
            signed = _EMA(_EMA(moves, int(long)), int(short))
            size = _EMA(_EMA(np.abs(moves), int(long)), int(short))
            moved = size > 0
            if moved[int(long + short) - 1 :].all():
                return 100.0 * signed / size
            return np.divide(100.0 * signed, size, out=np.where(np.isnan(size), np.nan, 0.0), where=moved)

        return self.once(("smi", long, short), compute)

    def mean_volume(self, period: float) -> Floats:
        """The mean volume of the last `period` bars."""
        return self.once(("mean_volume", period), lambda: self.cut(_SMA(self.bars.volume, int(period))))

    def highest(self, period: float) -> Floats:
        """The highest high of the last `period` bars."""
        return self.once(("highest", period), lambda: self.cut(_MAX(self.bars.high, int(period))))

    def lowest(self, period: float) -> Floats:
        """The lowest low of the last `period` bars."""
        return self.once(("lowest", period), lambda: self.cut(_MIN(self.bars.low, int(period))))

    @property
    def opens(self) -> Int64s:
        """The open of each bar's session, UTC ns, over the whole window."""
        return self.once(("opens",), self._find_opens)

    def _find_opens(self) -> Int64s:
        if self._opens is not None:
            return self._opens()
        return np.full(len(self.bars), self.bars.start_ns[0] if len(self.bars) else 0, np.int64)

    def cut(self, values: NDArray[Any]) -> NDArray[Any]:
        """An array over the whole window, from `lead` on."""
        return values[self.lead :]

    def once(self, key: tuple[str, *tuple[float, ...]], compute: Callable[[], T]) -> T:
        """What `compute` gives, computed on the first asking for `key`."""
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = compute()
        return found
