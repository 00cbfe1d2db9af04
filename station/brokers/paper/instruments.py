"""From the factor to prices: the minute bars of SPX, SPY, ES and VIX, and of all that follow them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from station.brokers.paper.draws import stream
from station.brokers.paper.factors import (
    VIX_BETA,
    VIX_LEVEL,
    Factor,
    LogBars,
    Texture,
    night_texture,
    regular_texture,
)
from station.brokers.paper.followers import Followers
from station.brokers.paper.universe import NASDAQ, Character, character, listed
from station.calendars import Calendar, SessionSpan
from station.domain.clock import MINUTE
from station.domain.instruments import Hours
from station.series import Bars

Floats = NDArray[np.float64]
K = TypeVar("K")
V = TypeVar("V")
_NQ_MINUTE: Final = 1_350.0
_NQ_NIGHT_MINUTE: Final = 130.0
_QQQ_MINUTE: Final = 110_000.0
_QQQ_SHARE: Final = 1.0 / 41.0
_MINUTES_A_DAY: Final = 390
_CARRY: Final = 0.03
_SPY_MINUTE: Final = 175_000.0
_ES_MINUTE: Final = 3_600.0
_ES_NIGHT_MINUTE: Final = 260.0
_NIGHT_SIGMA: Final = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Bars of several equal stretches, shape (days, minutes), and where each starts."""

    opens_ns: NDArray[np.int64]
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats


class Instruments:
    """Minute bars of any sessions of one seed; nothing is kept."""

    def __init__(self, seed: int, calendar: Calendar) -> None:
        self.factor = Factor(seed)
        self._followers = Followers(self.factor)
        self._seed = seed
        self._calendar = calendar
        self._makers: dict[str, Callable[[Sequence[SessionSpan], LogBars, Texture], Block]] = {
            "SPX": self._spx, "SPY": self._spy, "VIX": self._vix, "ES": self._es_day,
        }  # fmt: skip
        self._following: dict[str, Callable[[Sequence[SessionSpan], Texture], Block]] = {
            "NQ": self._nq_day, "QQQ": self._qqq,
        }  # fmt: skip

    def minutes(self, symbol: str, spans: Sequence[SessionSpan]) -> Bars:
        """The 1-minute bars of `symbol` over sessions of its own hours, ascending."""
        regular = spans
        blocks: list[Block] = []
        if symbol in ("ES", "NQ"):
            found = (self._calendar.on(Hours.REGULAR, span.day) for span in spans)
            regular = [span for span in found if span is not None]
            blocks += self._nights(symbol, spans)
        for minutes, group in _grouped(regular, lambda span: _minutes(span.open_ns, span.close_ns)):
            texture = regular_texture(minutes)
            maker = self._makers.get(symbol)
            if maker is not None:
                blocks.append(maker(group, self.regular(group, texture), texture))
            elif symbol in self._following:
                blocks.append(self._following[symbol](group, texture))
            else:
                blocks.append(self._share(symbol, group, texture))
        return _joined(blocks)

    def regular(self, spans: Sequence[SessionSpan], texture: Texture) -> LogBars:
        """The factor over regular sessions of equal length."""
        days = [span.day for span in spans]
        rows = np.array([Factor.row(day) for day in days], np.int64)
        factor = self.factor
        return factor.path(days, texture, factor.opening[rows], factor.x[rows], factor.sigma[rows])

    def _normals(self, symbol: str, spans: Sequence[SessionSpan], kinds: int, minutes: int) -> Floats:
        out = np.empty((len(spans), kinds, minutes))
        for row, span in enumerate(spans):
            stream(self._seed, symbol, span.open_ns).standard_normal(out=out[row])
        return out

    def _spx(self, spans: Sequence[SessionSpan], path: LogBars, texture: Texture) -> Block:
        prices = [np.exp(column) for column in _columns(path)]
        return _block(spans, prices, 0.01, np.zeros(path.open.shape))

    def _spy(self, spans: Sequence[SessionSpan], path: LogBars, texture: Texture) -> Block:
        noise = self._normals("SPY", spans, 5, len(texture.weights))
        prices = [
            np.exp(column) / 10.0 + scale * noise[:, kind]
            for kind, (column, scale) in enumerate(
                zip(_columns(path), (0.004, 0.005, 0.005, 0.012), strict=True)
            )
        ]
        volume = _volumes(_SPY_MINUTE, path, texture, noise[:, 4])
        return _block(spans, prices, 0.01, volume)

    def _es_day(self, spans: Sequence[SessionSpan], path: LogBars, texture: Texture) -> Block:
        noise = self._normals("ES", spans, 5, len(texture.weights))
        carry = np.array([basis(span.day) for span in spans])[:, None]
        prices = [
            np.exp(column) * carry + scale * noise[:, kind]
            for kind, (column, scale) in enumerate(zip(_columns(path), (0.1, 0.15, 0.15, 0.25), strict=True))
        ]
        return _block(spans, prices, 0.25, _volumes(_ES_MINUTE, path, texture, noise[:, 4]))

    def _vix(self, spans: Sequence[SessionSpan], path: LogBars, texture: Texture) -> Block:
        minutes = len(texture.weights)
        noise = self._normals("VIX", spans, 3, minutes)
        rows = np.array([Factor.row(span.day) for span in spans], np.int64)[:, None]
        part = np.cumsum(texture.weights)[None, :]
        walk = np.cumsum(noise[:, 0], axis=1) / math.sqrt(minutes)
        own = 0.015 * (walk - walk[:, -1:] * part)
        factor = self.factor
        loud = 0.9 * (factor.loudness[rows - 1] * (1.0 - part) + factor.loudness[rows] * part)
        mean = factor.mean[rows - 1] * (1.0 - part) + factor.mean[rows] * part

        def level(x: Floats) -> Floats:
            return VIX_LEVEL * np.exp(loud + own - VIX_BETA * (x - mean))

        close = level(path.close)
        open_ = level(path.open)
        high = np.maximum(level(path.low) * (1.0 + 0.001 * np.abs(noise[:, 1])), 0.0)
        low = level(path.high) * (1.0 - 0.001 * np.abs(noise[:, 2]))
        return _block(spans, [open_, high, low, close], 0.01, np.zeros(close.shape))

    # --- what follows the factor ---------------------------------------------------------------------

    def _hidden(self, name: str, own: Character, spans: Sequence[SessionSpan], texture: Texture) -> LogBars:
        return self._followers.regular(name, own, [span.day for span in spans], texture)

    def _nq_day(self, spans: Sequence[SessionSpan], texture: Texture) -> Block:
        path = self._hidden(NASDAQ, character(NASDAQ), spans, texture)
        noise = self._normals("NQ", spans, 5, len(texture.weights))
        carry = np.array([basis(span.day) for span in spans])[:, None]
        prices = [
            np.exp(column) * carry + scale * noise[:, kind]
            for kind, (column, scale) in enumerate(zip(_columns(path), (0.4, 0.6, 0.6, 0.9), strict=True))
        ]
        return _block(spans, prices, 0.25, _volumes(_NQ_MINUTE, path, texture, noise[:, 4]))

    def _qqq(self, spans: Sequence[SessionSpan], texture: Texture) -> Block:
        path = self._hidden(NASDAQ, character(NASDAQ), spans, texture)
        noise = self._normals("QQQ", spans, 5, len(texture.weights))
        prices = [
            np.exp(column) * _QQQ_SHARE + scale * noise[:, kind]
            for kind, (column, scale) in enumerate(
                zip(_columns(path), (0.004, 0.005, 0.005, 0.012), strict=True)
            )
        ]
        return _block(spans, prices, 0.01, _volumes(_QQQ_MINUTE, path, texture, noise[:, 4]))

    def _share(self, symbol: str, spans: Sequence[SessionSpan], texture: Texture) -> Block:
        """An equity: some days draw three times the usual crowd."""
        own = character(symbol)
        path = self._hidden(symbol, own, spans, texture)
        noise = self._normals(symbol, spans, 2, len(texture.weights))
        crowd = np.exp(0.35 * noise[:, 1, :1])
        usual = own.volume / _MINUTES_A_DAY * crowd
        prices = [np.maximum(np.exp(column), 0.01) for column in _columns(path)]
        return _block(spans, prices, 0.01, _volumes(usual, path, texture, noise[:, 0]))

    # --- the futures' night -------------------------------------------------------------------------

    def _nights(self, symbol: str, spans: Sequence[SessionSpan]) -> list[Block]:
        """What lies before and after the regular session, or the whole of a session without one."""
        pieces: list[_Piece] = []
        for span in spans:
            before = ("evening", Factor.row(self._calendar.previous(Hours.FUTURES, span.day).day))
            regular = self._calendar.on(Hours.REGULAR, span.day)
            row = Factor.row(span.day)
            if regular is None:
                pieces.append(_Piece("holiday", span, span.open_ns, span.close_ns, before, ("evening", row)))
                continue
            pieces.append(_Piece("night", span, span.open_ns, regular.open_ns, before, ("opening", row)))
            if regular.close_ns < span.close_ns:
                late = ("close", row), ("evening", row)
                pieces.append(_Piece("late", span, regular.close_ns, span.close_ns, *late))
        keyed = _grouped(pieces, lambda piece: (piece.name, _minutes(piece.open_ns, piece.close_ns)))
        return [self._night(symbol, name, minutes, group) for (name, minutes), group in keyed]

    def _night(self, symbol: str, name: str, minutes: int, pieces: Sequence[_Piece]) -> Block:
        days = [piece.span.day for piece in pieces]
        texture = night_texture(name, minutes)
        share = _NIGHT_SIGMA * math.sqrt(min(minutes / 930.0, 1.0))
        ends = [(piece.start, piece.end) for piece in pieces]
        if symbol == "ES":
            path = self._market_night(days, texture, ends, share)
        else:
            path = self._followers.around(NASDAQ, character(NASDAQ), days, texture, ends, share)
        spans = [SessionSpan(p.span.day, p.open_ns, p.close_ns, False) for p in pieces]
        carry = np.array([basis(day) for day in days])[:, None]
        prices = [np.exp(column) * carry for column in _columns(path)]
        noise = self._normals(symbol, spans, 1, minutes)
        usual = _ES_NIGHT_MINUTE if symbol == "ES" else _NQ_NIGHT_MINUTE
        return _block(spans, prices, 0.25, _volumes(usual, path, texture, noise[:, 0]))

    def _market_night(
        self, days: Sequence[date], texture: Texture, ends: Sequence[tuple[_End, _End]], share: float
    ) -> LogBars:
        levels = {"opening": self.factor.opening, "close": self.factor.x, "evening": self.factor.evening}
        start = np.array([levels[where][row] for (where, row), _ in ends])
        end = np.array([levels[where][row] for _, (where, row) in ends])
        rows = np.array([Factor.row(day) for day in days], np.int64)
        return self.factor.path(days, texture, start, end, share * self.factor.sigma[rows])


_End = tuple[str, int]
"""Which level of which row of the days' tables."""


@dataclass(frozen=True, slots=True)
class _Piece:
    name: str
    span: SessionSpan
    open_ns: int
    close_ns: int
    start: _End
    end: _End


def basis(day: date) -> float:
    """The future over the index: carry to the third Friday of the quarter's last month."""
    return 1.0 + _CARRY * (front_expiry(day) - day).days / 365.0


def front_expiry(day: date) -> date:
    """The third Friday of March, June, September or December in use on `day`; it rolls eight days before."""
    year, month = day.year, (day.month + 2) // 3 * 3
    found = third_friday(year, month)
    if day > found - timedelta(days=8):
        year, month = (year + 1, 3) if month == 12 else (year, month + 3)
        found = third_friday(year, month)
    return found


def third_friday(year: int, month: int) -> date:
    """The third Friday of a month."""
    first = date(year, month, 1)
    return first + timedelta(days=(4 - first.weekday()) % 7 + 14)


def tick_of(symbol: str) -> float:
    """The price step of an instrument as a float."""
    return float(listed(symbol).tick.steps[0][1])


def _minutes(open_ns: int, close_ns: int) -> int:
    return (close_ns - open_ns) // MINUTE


def _columns(path: LogBars) -> tuple[Floats, Floats, Floats, Floats]:
    return path.open, path.high, path.low, path.close


def _grouped(values: Sequence[V], by: Callable[[V], K]) -> list[tuple[K, list[V]]]:
    groups: dict[K, list[V]] = {}
    for value in values:
        groups.setdefault(by(value), []).append(value)
    return list(groups.items())


def _volumes(base: float | Floats, path: LogBars, texture: Texture, normals: Floats) -> Floats:
    """Whole shares or contracts: more at the open and the close, and where the bar is wide."""
    shape = np.sqrt(texture.weights * len(texture.weights))[None, :]
    width = path.high - path.low
    usual = np.sqrt(np.cumsum(width * width, axis=1)[:, -1:] / width.shape[1])
    wide = 0.55 + 0.45 * np.divide(width, usual, out=np.ones_like(width), where=usual > 0)
    return np.maximum(np.round(base * shape * wide * np.exp(0.35 * normals - 0.06)), 1.0)


def _block(spans: Sequence[SessionSpan], prices: Sequence[Floats], tick: float, volume: Floats) -> Block:
    """Open, high, low and close on the tick grid, extremes outside both ends."""
    stepped = [np.round(np.round(column / tick) * tick, 2) for column in prices]
    top = np.maximum(np.maximum(stepped[0], stepped[3]), stepped[1])
    bottom = np.minimum(np.minimum(stepped[0], stepped[3]), stepped[2])
    opens_ns = np.array([span.open_ns for span in spans], np.int64)
    return Block(opens_ns, stepped[0], top, bottom, stepped[3], volume)


def _joined(blocks: Sequence[Block]) -> Bars:
    """All blocks in one series, by time."""
    if not blocks:
        return Bars.empty()
    starts: list[NDArray[np.int64]] = []
    for block in blocks:
        grid = block.opens_ns[:, None] + np.arange(block.open.shape[1], dtype=np.int64) * MINUTE
        starts.append(grid.ravel())
    start_ns = np.concatenate(starts)
    order = np.argsort(start_ns, kind="stable")
    columns = (
        np.concatenate([getattr(block, name).ravel() for block in blocks])[order]
        for name in ("open", "high", "low", "close", "volume")
    )
    return Bars(start_ns[order], *columns)
