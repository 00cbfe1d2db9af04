"""Bars as characters: prices to half-rows, and the glyph of each cell. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from station.link import Candle

NICE: Final = (1.0, 2.0, 2.5, 5.0, 10.0)
LEAST_SPAN: Final = 2e-4
"""Share of the price; a flatter stretch is shown as if it moved this much."""

NONE, WICK, BODY = 0, 1, 2
GLYPHS: Final = {
    (WICK, WICK): "│", (BODY, BODY): "┃", (WICK, BODY): "╽", (BODY, WICK): "╿",
    (NONE, WICK): "╷", (WICK, NONE): "╵", (NONE, BODY): "╻", (BODY, NONE): "╹",
}  # fmt: skip
"""By what the upper and the lower half of a cell hold."""
HOLLOW: Final = {
    (WICK, WICK): "│", (BODY, BODY): "█", (WICK, BODY): "▄", (BODY, WICK): "▀",
    (NONE, WICK): "╷", (WICK, NONE): "╵", (NONE, BODY): "▄", (BODY, NONE): "▀",
}  # fmt: skip
"""The same for a falling bar where there is no colour to tell it by."""
RISING_PLAIN: Final = {NONE: " ", WICK: "|", BODY: "o"}
FALLING_PLAIN: Final = {NONE: " ", WICK: "|", BODY: "#"}
"""In ASCII, by the more solid half."""


def nice(span: float) -> float:
    """The smallest of 1, 2, 2.5, 5 or 10 times a power of ten that is at least `span` (over 0)."""
    power = 10.0 ** math.floor(math.log10(span))
    return next(step * power for step in NICE if step * power >= span * (1 - 1e-9))


@dataclass(frozen=True, slots=True)
class Scale:
    """Prices from `top` to `bottom` over `rows` lines, two steps a line."""

    top: float
    bottom: float
    rows: int

    def half(self, price: float) -> int:
        """The half-row of a price, 0 at the top; beyond the ends the last one."""
        steps = 2 * self.rows
        place = math.floor((self.top - price) / (self.top - self.bottom) * steps)
        return min(max(place, 0), steps - 1)

    def row(self, price: float) -> int:
        return self.half(price) // 2

    def holds(self, price: float) -> bool:
        return self.bottom <= price <= self.top

    def labels(self) -> dict[int, str]:
        """Round prices by row, one in four lines or so."""
        step = nice((self.top - self.bottom) / max(self.rows / 4, 1))
        decimals = 0 if step >= 1 and step == int(step) else 2
        first, found = math.ceil(self.bottom / step), dict[int, str]()
        for number in range(first, math.floor(self.top / step) + 1):
            found.setdefault(self.row(number * step), f"{number * step:,.{decimals}f}")
        return found


def fitted(low: float, high: float, rows: int) -> Scale:
    """A scale that holds both and moves in coarse steps, so that a new extreme seldom shifts the picture."""
    least = max(abs(high), 1e-9) * LEAST_SPAN
    if high - low < least:
        middle = (high + low) / 2
        low, high = middle - least / 2, middle + least / 2
    step = nice((high - low) / 10)
    bottom, top = math.floor(low / step) * step, math.ceil(high / step) * step
    return Scale(top if top > bottom else bottom + step, bottom, rows)


def halves(bar: Candle, scale: Scale) -> dict[int, int]:
    """What each half-row of the bar holds: WICK or BODY. The body has at least one."""
    high, low = scale.half(bar.high), scale.half(bar.low)
    first, last = scale.half(max(bar.open, bar.close)), scale.half(min(bar.open, bar.close))
    found = dict.fromkeys(range(high, low + 1), WICK)
    found.update(dict.fromkeys(range(first, last + 1), BODY))
    return found


def column(bar: Candle, scale: Scale, *, plain: bool = False, hollow: bool = False) -> dict[int, str]:
    """The bar's glyph by row. `plain` in ASCII, `hollow` where rising and falling have no colours."""
    found = halves(bar, scale)
    rising = bar.close >= bar.open
    cells: dict[int, str] = {}
    for row in {half // 2 for half in found}:
        upper, lower = found.get(2 * row, NONE), found.get(2 * row + 1, NONE)
        if plain:
            cells[row] = (RISING_PLAIN if rising else FALLING_PLAIN)[max(upper, lower)]
        else:
            cells[row] = (HOLLOW if hollow and not rising else GLYPHS)[upper, lower]
    return cells


BLOCKS: Final = " ▁▂▃▄▅▆▇█"


def spark(values: tuple[float, ...], width: int, rows: int = 1) -> list[str]:
    """The values as columns of eighths from their least to their most (0 always within), `rows` lines, top
    first, one column for each of `width` equal stretches; a stretch shows its last value."""
    if not values or width < 1:
        return [" " * max(width, 0)] * rows
    width = min(width, len(values))
    picked = [values[(place + 1) * len(values) // width - 1] for place in range(width)]
    low, high = min(0.0, *values), max(0.0, *values)
    span = high - low or 1.0
    eighths = [1 + round((value - low) / span * (8 * rows - 1)) for value in picked]
    return [
        "".join(BLOCKS[min(max(eighth - 8 * row, 0), 8)] for eighth in eighths)
        for row in range(rows - 1, -1, -1)
    ]  # fmt: skip
