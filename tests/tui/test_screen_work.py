"""A picture costs what is seen of it, and looks for garbage fall where nobody waits for a key."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual.geometry import Region
from textual.widget import Widget

from tests.hand_clock import HandClock, until
from tests.tui import synthetic
from tests.tui.stage import Stage
from widgets.frames import FrameCompositor, uncovered
from widgets.pane import Pane
from widgets.running import SETTLED_S, SWEEP_S, sweep

SIZE = (160, 45)
PLACE = st.builds(Region, st.integers(-2, 8), st.integers(-2, 8), st.integers(-2, 6), st.integers(-2, 6))
"""Less than nothing where a terminal is too small for what is docked."""


@given(st.lists(st.tuples(PLACE, PLACE), max_size=6))
def test_what_is_drawn_is_what_shows_a_cell(places: list[tuple[Region, Region]]) -> None:
    widgets = {Widget(): place for place in places}
    taken: set[tuple[int, int]] = set()
    shown: list[Widget] = []
    for widget, (region, clip) in widgets.items():
        seen = region.intersection(clip)
        cells = {(x, y) for x in seen.column_range for y in seen.line_range}
        if cells - taken:
            shown.append(widget)
        taken |= cells
    assert list(uncovered(widgets)) == shown


@pytest.mark.parametrize("key", ["", "f5"])
async def test_the_grounds_behind_panes_are_not_drawn(key: str) -> None:
    stage = Stage(synthetic.calm())
    async with stage.app.run_test(size=SIZE) as pilot:
        await pilot.press(*filter(None, [key]))
        await stage.settle(pilot)
        compositor = stage.app.screen._compositor  # pyright: ignore[reportPrivateUsage]
        drawn, grounds = uncovered(compositor.visible_widgets), {stage.app.screen, stage.app.pages}
        assert grounds & set(compositor.visible_widgets) and not grounds & set(drawn)


async def test_what_changes_in_a_dialog_and_behind_it_at_once_is_drawn_of_both(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stage, drawn = Stage(synthetic.calm()), set[Region]()
    render = FrameCompositor.render_partial_update

    def noted(self: FrameCompositor) -> object:
        if self is stage.app.screen._compositor:
            drawn.update(self._dirty_regions)
        return render(self)

    monkeypatch.setattr(FrameCompositor, "render_partial_update", noted)
    async with stage.app.run_test(size=SIZE) as pilot:
        await stage.settle(pilot)
        await pilot.press("question_mark")
        await stage.settle(pilot)
        floor, dialog = stage.app.screen_stack
        box, clock = dialog.query_one("#box"), Region(0, 0, 9, 1)
        drawn.clear()
        box.refresh()
        dialog._dirty_widgets.add(box)
        floor._compositor._dirty_regions.add(clock)
        floor._compositor_refresh()
        dialog._on_timer_update()
        assert drawn == {box.region, clock}, "neither all of the screen nor less than has changed"


async def test_a_screen_that_is_left_is_not_painted_once_more(monkeypatch: pytest.MonkeyPatch) -> None:
    stage, painted = Stage(synthetic.calm()), list[str]()
    paint = Pane.paint

    def noted(self: Pane, scene: object) -> None:
        painted.append(self.id or "")
        paint(self, scene)  # pyright: ignore[reportArgumentType]

    async with stage.app.run_test(size=SIZE) as pilot:
        for key in ("f5", "f7"):
            monkeypatch.setattr(Pane, "paint", paint)
            await pilot.press(key)
            await stage.settle(pilot)
            monkeypatch.setattr(Pane, "paint", noted)
        await pilot.press("f5")
        await stage.settle(pilot)
    assert {one.rpartition("-")[0] for one in painted} == {"page-scanners"}


@pytest.fixture
def usual_garbage() -> Iterator[None]:
    thresholds = gc.get_threshold()
    yield
    gc.set_threshold(*thresholds)
    gc.unfreeze()


class _Knot:
    """Garbage that only a look finds."""

    def __init__(self) -> None:
        self.own = self


@pytest.mark.usefixtures("usual_garbage")
async def test_garbage_is_looked_for_while_nobody_types() -> None:
    clock, quiet = HandClock(0), [0.0]
    sweeping = asyncio.create_task(sweep(clock, lambda: quiet[0]))

    async def passes(seconds: float) -> None:
        await until(lambda: clock.next_timer is not None)
        clock.advance(seconds)
        await until(lambda: clock.next_timer is not None)

    await passes(SETTLED_S)
    gone = weakref.ref(_Knot())
    gc.collect(0)
    assert gone() is None
    held = _Knot()
    gc.collect(0)
    left = weakref.ref(held)
    del held
    await passes(SWEEP_S)
    assert left() is not None, "someone typed a moment ago"
    quiet[0] = SWEEP_S
    await passes(SWEEP_S)
    assert left() is None
    sweeping.cancel()
