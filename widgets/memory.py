"""How the trader left the floor: what stands in front, what is looked at, which group is watched."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from station.domain.clock import SECOND
from widgets.floorplan import usual
from widgets.preferences import Layout
from widgets.sight import EXPIRIES, NOWHERE, SWITCHES, TIMEFRAMES, Sight

KEPT_EVERY_NS: Final = 2 * SECOND


def layout_of(fronts: tuple[str, ...], sight: Sight, *, zoomed: bool) -> Layout:
    off = tuple(name for name in SWITCHES if not getattr(sight, name))
    return Layout(fronts, zoomed, sight.symbol, sight.timeframe, sight.expiry, off, sight.group)


def fronts_of(layout: Layout) -> tuple[str, ...]:
    """The panes as they stood, those that a later version added last."""
    known = usual()
    kept = tuple(dict.fromkeys(name for name in layout.fronts if name in known))
    return (*kept, *(name for name in known if name not in kept))


def sight_of(layout: Layout) -> Sight:
    """Without its symbol, which has to be watched first; what this version does not know is as usual."""
    sight = Sight(
        timeframe=layout.timeframe if layout.timeframe in TIMEFRAMES else NOWHERE.timeframe,
        expiry=layout.expiry if layout.expiry in EXPIRIES else NOWHERE.expiry, group=layout.group,
    )  # fmt: skip
    return replace(sight, **{name: name not in layout.off for name in SWITCHES})


class Memory:
    """Keeps the layout at most every two seconds, and at the end; not every key is worth a write."""

    def __init__(self, layout: Layout, perf: Callable[[], int], keep: Callable[[Layout], None]) -> None:
        self.layout = layout
        self._perf = perf
        self._keep = keep
        self._kept_ns = perf()

    def symbol(self, watched: tuple[str, ...]) -> str:
        """What was looked at, where it is still watched; else the first."""
        return self.layout.symbol if self.layout.symbol in watched else watched[0]

    def note(self, layout: Layout, *, last: bool = False) -> None:
        if layout == self.layout or not layout.symbol:
            return
        if last or self._perf() - self._kept_ns >= KEPT_EVERY_NS:
            self.layout, self._kept_ns = layout, self._perf()
            self._keep(layout)
