"""Groups of the watchlist, jump mode, and the floor as it was left."""

from __future__ import annotations

from pathlib import Path

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from tests.tui import synthetic
from tests.tui.stage import Stage, press, typed
from widgets.actions import PANES, SCREENS
from widgets.groups import Group, after, group_of, line_of, with_group
from widgets.jump import JumpDialog
from widgets.memory import fronts_of, sight_of
from widgets.pane import Pane
from widgets.preferences import FILE_NAME, Layout, Preferences

WATCHED = ("SPX", "SPY", "ES", "VIX")
NAMES = st.text("abcdefgh-_.+", min_size=1, max_size=12).filter(lambda name: name != "all")
GROUPS = st.builds(
    Group, NAMES, st.lists(st.sampled_from(WATCHED), unique=True, min_size=1, max_size=4).map(tuple)
)


def pane(stage: Stage, name: str) -> Pane:
    return stage.app.screen_stack[0].query_one(f"#{name}", Pane)


# --- groups --------------------------------------------------------------------------------------------


@given(GROUPS)
def test_a_group_is_its_line(group: Group) -> None:
    assert group_of(line_of(group), WATCHED) == group
    assert group_of(line_of(group).replace(" ", " , ").lower(), WATCHED) in (
        group, Group(group.name.lower(), group.symbols),
    )  # fmt: skip


@given(st.text(max_size=60))
def test_any_other_line_is_told_what_is_wrong_with_it(line: str) -> None:
    found = group_of(line, WATCHED)
    if isinstance(found, Group):
        assert set(found.symbols) <= set(WATCHED) and 1 <= len(found.name) <= 12
    else:
        assert found


@given(st.lists(GROUPS, max_size=5), GROUPS)
def test_groups_keep_their_places_and_are_gone_through_in_order(groups: list[Group], group: Group) -> None:
    known: tuple[Group, ...] = ()
    for one in groups:
        known = with_group(known, one)
    more = with_group(known, group)
    assert group in more and len({one.name for one in more}) == len(more)
    assert [one.name for one in more][: len(known)] == [one.name for one in known]
    assert group.name not in {one.name for one in with_group(more, Group(group.name))}
    seen = [""]
    for _ in more:
        seen.append(after(more, seen[-1], 1))
    assert seen[1:] == [one.name for one in more] and after(more, seen[-1], 1) == ""


async def test_a_group_is_made_shown_led_by_and_forgotten(tmp_path: Path) -> None:
    stage = Stage(synthetic.calm(), folder=tmp_path)
    stage.app.manner.keep(greeted=True)
    async with stage.app.run_test(size=(120, 40)) as pilot:
        await press(stage, pilot, "w", "enter")
        await typed(stage, pilot, "vol: VIX ES")
        text = pane(stage, "watch").text()
        assert "[vol]" in text and text.index("VIX") < text.index("ES") and "SPY" not in text
        await press(stage, pilot, "down", "down")
        assert stage.app.sight.symbol == "ES" and "ES 5m" in pane(stage, "chart").text()
        await press(stage, pilot, "right")
        assert "[all]" in pane(stage, "watch").text() and "SPY" in pane(stage, "watch").text()
        await press(stage, pilot, "left", "I")
        await typed(stage, pilot, "vol: VIX GOLD")
        assert len(stage.app.screen_stack) == 2, "what is not watched is refused"
        await typed(stage, pilot, "vol:")
        assert "group vol is forgotten" in stage.line("notice") and "[" not in pane(stage, "watch").text()


# --- jump mode -----------------------------------------------------------------------------------------


async def test_one_key_jumps_to_any_pane_and_any_screen() -> None:
    stage = Stage(synthetic.calm())
    async with stage.app.run_test(size=(120, 40)) as pilot:
        await press(stage, pilot, "space")
        assert isinstance(stage.app.screen, JumpDialog) and pane(stage, "chart").lit
        for entry in PANES:
            await press(stage, pilot, entry.key)
            focused = stage.app.focused_pane
            assert focused is not None and focused.id == entry.name and focused.display
            assert not focused.lit
            await press(stage, pilot, "space")
        for key, entry in zip("1234567890", SCREENS, strict=True):
            await press(stage, pilot, key)
            assert stage.app.pages.shown is not None and stage.app.pages.shown.id == f"page-{entry.name}"
            stage.app.action_act("jump")
            await press(stage, pilot)
        await press(stage, pilot, "space")
        assert stage.app.pages.shown is None, "and back to the floor"
        await press(stage, pilot, "space", "escape")
        assert len(stage.app.screen_stack) == 1 and not pane(stage, "chart").lit


# --- the floor as it was left --------------------------------------------------------------------------


async def test_the_floor_stands_as_it_was_left(tmp_path: Path) -> None:
    first = Stage(synthetic.calm(), folder=tmp_path)
    first.app.manner.keep(greeted=True, groups=(Group("vol", ("VIX", "ES")),))
    async with first.app.run_test(size=(120, 40)) as pilot:
        await press(first, pilot, "m", "t", "7", "v", "G", "y")
        first.app.aim(symbol="SPY", group="vol")
        await press(first, pilot)
        before = first.text()
    second = Stage(synthetic.calm(), folder=tmp_path)
    async with second.app.run_test(size=(120, 40)) as pilot:
        await second.settle(pilot)
        await second.settle(pilot)
        assert second.text() == before
        focused = second.app.focused_pane
        assert focused is not None and focused.id == "strategies"
        assert "[30m]" in before and "v- " in before and "G+" in before and "[vol]" in before


async def test_what_is_left_is_written_now_and_then_not_at_every_key(tmp_path: Path) -> None:
    stage = Stage(synthetic.calm(), folder=tmp_path)
    stage.app.manner.keep(greeted=True)
    async with stage.app.run_test(size=(120, 40)) as pilot:
        await press(stage, pilot, "3")
        assert kept(tmp_path).timeframe == "5m"
        stage.clock.advance(3)
        await press(stage, pilot)
        assert kept(tmp_path).timeframe == "3m"


def kept(folder: Path) -> Layout:
    return msgspec.json.decode((folder / FILE_NAME).read_bytes(), type=Preferences).layout


def test_a_layout_of_another_version_is_taken_as_far_as_it_is_known() -> None:
    odd = Layout(("orders", "news", "orders", "chart"), timeframe="7m", expiry="leap", off=("vwap", "clouds"))
    assert fronts_of(odd)[:2] == ("orders", "chart") and set(fronts_of(odd)) == {one.name for one in PANES}
    sight = sight_of(odd)
    assert (sight.timeframe, sight.expiry, sight.vwap, sight.ema, sight.plan) == (
        "5m",
        "0dte",
        False,
        True,
        True,
    )


async def test_a_symbol_that_is_watched_no_more_is_not_looked_at(tmp_path: Path) -> None:
    stage = Stage(synthetic.calm(), folder=tmp_path)
    gone = Layout(symbol="GOLD", group="gone")
    stage.app.manner.keep(greeted=True, layout=gone)
    again = Stage(synthetic.calm(), folder=tmp_path)
    async with again.app.run_test(size=(120, 40)) as pilot:
        await again.settle(pilot)
        assert again.app.sight.symbol == "SPX" and "SPY" in pane(again, "watch").text()
