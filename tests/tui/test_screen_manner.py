"""The screen's own manner: themes, bells and banners, pace, copying, options, the first minutes, roles."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from rich.segment import Segment
from rich.style import Style
from textual.color import Color
from textual.pilot import Pilot
from textual.widgets import Static

from station.domain.clock import SECOND
from station.link import AlertRow, Alerts, Floor, LinkClient, LinkServer, LinkState
from station.link.floor import LOADING
from tests.tui import synthetic
from tests.tui.stage import Stage
from widgets import header, ink, themes
from widgets.actions import SCREENS
from widgets.attention import Attention
from widgets.driver import wants_mouse
from widgets.keeping import CLIPBOARD_LIMIT, clipboard_words, copied
from widgets.options import GreetingDialog, OptionsDialog, choices
from widgets.pace import BACKED_UP, CLEAR_AFTER_S, Pace
from widgets.preferences import Keeper, Preferences
from widgets.roles import ROLES, ordered
from widgets.scene import Scene

SIZE = (120, 40)
Compare = Callable[..., bool]


@pytest.fixture(autouse=True)
def plain_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)


async def press(stage: Stage, pilot: Pilot[str], *keys: str) -> None:
    await stage.settle(pilot)
    for key in keys:
        await pilot.press(key)
        stage.clock.advance(0.4)
        await stage.settle(pilot)


def alerted(stage: Stage, *rows: AlertRow) -> None:
    """These are new in the log, newest first."""
    floor = stage.engine.floor
    assert floor.alerts is not None
    stage.engine.floor = msgspec.structs.replace(floor, alerts=Alerts((*rows, *floor.alerts.rows)))


# --- themes --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("theme", [name for name in themes.THEMES if name != themes.DARK])
def test_the_floor_in_another_theme(snap_compare: Compare, theme: str, tmp_path: Path) -> None:
    (tmp_path / "screen.json").write_text(json.dumps({"theme": theme, "greeted": True}))
    stage = Stage(synthetic.busy(), folder=tmp_path)
    assert snap_compare(stage.app, terminal_size=SIZE, run_before=stage.settle)


@pytest.mark.parametrize("name", list(themes.THEMES))
def test_every_style_can_be_read_in_every_theme(name: str) -> None:
    """The contrast of ink on its ground, by WCAG's measure: 3 at least, 1.5 for what is faint on purpose."""
    for label, style in vars(ink).items():
        if not isinstance(style, Style) or style.color is None or style.bgcolor is None:
            continue
        shown = themes.exchanged(style, name)
        assert shown.color is not None and shown.bgcolor is not None
        contrast = _contrast(Color.from_rich_color(shown.color), Color.from_rich_color(shown.bgcolor))
        assert contrast >= (1.5 if label in ("FAINT",) else 3.0), f"{label} in {name}: {contrast:.1f}"


def _contrast(one: Color, other: Color) -> float:
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _luminance(color: Color) -> float:
    parts = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in color.normalized]
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]


def test_gain_and_loss_differ_in_lightness_where_red_and_green_do_not() -> None:
    up, down = (themes.exchanged(style, "colour-blind").color for style in (ink.UP, ink.DOWN))
    assert up is not None and down is not None and up.triplet is not None and down.triplet is not None
    assert up.triplet.blue > 200 > down.triplet.blue and down.triplet.red > 200 > up.triplet.red


def test_a_theme_keeps_text_and_attributes() -> None:
    (filter_,) = themes.filters("light")
    segment = Segment("KILL", ink.KILL)
    (after,) = filter_.apply([segment], Color.parse("black"))
    assert after.text == "KILL" and after.style is not None and after.style.bold
    assert themes.filters(themes.DARK) == () and themes.filters("no such") == ()


async def test_the_theme_key_repaints_everything_and_is_remembered(tmp_path: Path) -> None:
    (tmp_path / "screen.json").write_text('{"greeted": true}')
    stage = Stage(synthetic.calm(), folder=tmp_path)
    async with stage.app.run_test(size=SIZE) as pilot:
        await press(stage, pilot, "ctrl+t")
        assert "theme light" in stage.line("notice")
        assert "#fbfbf8" in stage.app.export_screenshot()
    assert json.loads((tmp_path / "screen.json").read_text())["theme"] == "light"


async def test_one_who_looks_on_leaves_the_traders_preferences_alone(tmp_path: Path) -> None:
    (tmp_path / "screen.json").write_text('{"greeted": true}')
    stage = Stage(synthetic.calm(), folder=tmp_path, read_only=True)
    async with stage.app.run_test(size=SIZE) as pilot:
        await press(stage, pilot, "ctrl+t")
    assert (tmp_path / "screen.json").read_text() == '{"greeted": true}'
    assert json.loads((tmp_path / "observer.json").read_text())["theme"] == "light"


# --- what rings ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "field"),
    [
        (AlertRow(synthetic.NOON, "good", "FILL BUY SPXW 20251120 5940C 2 @ 4.20", "fill"), "fill"),
        (AlertRow(synthetic.NOON, "warn", "CLOSED SPXW 20251120 5940C -120.00 shield", "stop"), "stop"),
        (AlertRow(synthetic.NOON, "warn", "GATE closed: by hand", "gate"), "gate"),
    ],
)
async def test_a_kind_of_news_rings_and_shows_unless_it_is_switched_off(row: AlertRow, field: str) -> None:
    rung: list[bool] = []
    for silent in (False, True):
        rung.clear()
        stage = Stage(synthetic.calm())
        async with stage.app.run_test(size=SIZE) as pilot:
            await stage.settle(pilot)
            stage.app.bell = lambda: rung.append(True)
            if silent:
                stage.app.manner.keep(silent_bells=(field,), silent_banners=(field,))
            alerted(stage, row)
            await stage.settle(pilot)
            assert bool(rung) is not silent
            assert (row.text[:4] in stage.line("notice")) is not silent


async def test_what_is_critical_cannot_be_silenced_and_many_news_are_one_line() -> None:
    stage = Stage(synthetic.calm())
    rung: list[bool] = []
    async with stage.app.run_test(size=SIZE) as pilot:
        await stage.settle(pilot)
        stage.app.bell = lambda: rung.append(True)
        kinds = ("fill", "stop", "gate", "disconnect")
        stage.app.manner.keep(silent_bells=kinds, silent_banners=kinds)
        alerted(
            stage, AlertRow(synthetic.NOON, "good", "FILL", "fill"),
            AlertRow(synthetic.NOON - SECOND, "critical", "SPX quarantined: clock"),
            AlertRow(synthetic.NOON - SECOND, "critical", "ES quarantined: clock"),
        )  # fmt: skip
        await stage.settle(pilot)
        assert rung == [True]
        assert "SPX quarantined: clock  (+1 more" in stage.line("notice")


async def test_a_broker_that_goes_and_comes_back_is_told() -> None:
    stage = Stage(synthetic.calm())
    async with stage.app.run_test(size=SIZE) as pilot:
        await stage.settle(pilot)
        for up, said in ((False, "BROKER DOWN"), (True, "is back")):
            header = stage.engine.floor.header
            assert header is not None
            fresh = msgspec.structs.replace(header, broker_up=up)
            stage.engine.floor = msgspec.structs.replace(stage.engine.floor, header=fresh)
            await stage.settle(pilot)
            assert said in stage.line("notice")


async def test_an_engine_that_goes_rings_and_one_that_never_was_does_not(tmp_path: Path) -> None:
    path = tmp_path / "engine.sock"
    stage = Stage(synthetic.calm(), lambda one: LinkClient(path, clock=one.clock))
    rung: list[bool] = []
    stage.app.bell = lambda: rung.append(True)

    async def until(state: LinkState) -> None:
        while stage.app.link.state is not state:
            stage.clock.advance(1)
            await pilot.pause()
        await stage.settle(pilot)

    async with stage.app.run_test(size=SIZE) as pilot:
        await until(LinkState.LOST)
        assert rung == []
        for times in (0, 2):
            server = LinkServer(path, stage.engine.handle, stage.engine.picture, clock=stage.clock)
            await server.start()
            await until(LinkState.CONNECTED)
            server.tick()
            while stage.app.link.view.floor.header is None:
                await pilot.pause()
            assert len(rung) == times
            await server.stop()
            await until(LinkState.LOST)
            assert len(rung) == times + 1


def test_of_the_first_picture_only_what_is_critical_is_news() -> None:
    assert Attention().news(Scene(synthetic.calm(), LinkState.CONNECTED)) == ()
    assert Attention().news(Scene(Floor(), LinkState.CONNECTED)) == ()
    (news,) = Attention().news(Scene(synthetic.busy(), LinkState.CONNECTED))
    assert news.kind == "critical" and "protective sell was rejected" in news.text


def told(*at_ns: int) -> Scene:
    """A picture with a fill told at each of these instants."""
    rows = tuple(AlertRow(at, "good", f"FILL {at}", "fill") for at in at_ns)
    return Scene(Floor(alerts=Alerts(rows)), LinkState.CONNECTED)


def test_an_engine_that_starts_again_tells_nothing_twice() -> None:
    attention, starting = Attention(), Scene(Floor(alerts=Alerts(state=LOADING)), LinkState.CONNECTED)
    attention.news(told(2, 1))
    assert attention.news(starting) == ()
    assert [news.text for news in attention.news(told(4, 3, 2, 1))] == ["FILL 3", "FILL 4"]
    assert attention.news(starting) == ()
    assert [news.text for news in attention.news(told(5, 3))] == ["FILL 5"], "the newest known is gone"


# --- pace ----------------------------------------------------------------------------------------------


def test_a_link_on_which_frames_back_up_is_painted_at_half_the_pace_until_it_keeps_up() -> None:
    pace = Pace(4.0)
    assert all(pace.due(False) for _ in range(8)) and not pace.slow
    for _ in range(BACKED_UP):
        pace.due(True)
    assert pace.slow
    assert sum(pace.due(False) for _ in range(16)) == 8
    for _ in range(round(CLEAR_AFTER_S * 4)):
        pace.due(False)
    assert not pace.slow


def test_a_link_chosen_as_slow_stays_so() -> None:
    pace = Pace(4.0, chosen=True)
    assert sum(pace.due(False) for _ in range(400)) == 200


async def test_the_slow_link_stands_in_the_header_and_is_remembered(tmp_path: Path) -> None:
    (tmp_path / "screen.json").write_text('{"greeted": true}')
    stage = Stage(synthetic.calm(), folder=tmp_path)
    async with stage.app.run_test(size=(160, 45)) as pilot:
        await press(stage, pilot, "N")
        assert "SLOW LINK" in stage.line("header")
        assert Keeper(tmp_path / "screen.json").value.slow
        await press(stage, pilot, "N")
        assert "SLOW LINK" not in stage.line("header")


@pytest.mark.parametrize(
    ("environ", "chosen", "mouse"),
    [
        ({}, "auto", True), ({"SSH_CONNECTION": "10.0.0.1 5 10.0.0.2 22"}, "auto", False),
        ({"SSH_TTY": "/dev/pts/1"}, "auto", False), ({"SSH_TTY": "/dev/pts/1"}, "on", True), ({}, "off", False),
        ({"SSH_TTY": "/dev/pts/1", "VIGIL_MOUSE": "1"}, "off", True), ({"VIGIL_MOUSE": "0"}, "on", False),
    ],
)  # fmt: skip
def test_the_mouse_is_left_to_the_terminal_over_ssh(environ: dict[str, str], chosen: str, mouse: bool) -> None:
    assert wants_mouse(environ, chosen) is mouse


# --- copying -------------------------------------------------------------------------------------------


async def test_copying_sends_osc_52_and_keeps_a_file(tmp_path: Path) -> None:
    (tmp_path / "screen.json").write_text('{"greeted": true}')
    stage = Stage(synthetic.calm(), folder=tmp_path)
    sent: list[str] = []
    async with stage.app.run_test(size=SIZE) as pilot:
        await stage.settle(pilot)
        driver = stage.app._driver  # pyright: ignore[reportPrivateUsage]
        assert driver is not None
        driver.write = sent.append
        await press(stage, pilot, "ctrl+y")
        coded = next(text for text in sent if text.startswith("\x1b]52;c;"))
        text = base64.b64decode(coded.removeprefix("\x1b]52;c;").rstrip("\x07")).decode()
        assert "SPXW 5940C 0DTE" in text and "rapid shield" in text
        assert (tmp_path / "exports" / "copy.txt").read_text().strip() == text.strip()
        assert "exports/copy.txt" in stage.line("notice")


def test_multiplexers_are_asked_to_hand_it_on() -> None:
    plain = clipboard_words("text", {})
    assert plain == "\x1b]52;c;dGV4dA==\a"
    assert clipboard_words("text", {"TMUX": "/tmp/x,1,0"}) == f"{plain}\x1bPtmux;\x1b{plain}\x1b\\"
    pieces = clipboard_words("x" * 5_000, {"STY": "1.tty"}).split("\x1b\\")[:-1]
    assert all(piece.startswith("\x1bP") and len(piece) <= 768 for piece in pieces)
    assert "".join(piece.removeprefix("\x1bP") for piece in pieces) == clipboard_words("x" * 5_000, {})


def test_what_is_too_long_for_a_terminal_goes_to_the_file_alone(tmp_path: Path) -> None:
    sent: list[str] = []
    said, tone = copied("x" * (CLIPBOARD_LIMIT + 1), tmp_path, sent.append)
    assert sent == [] and "too long" in said and str(tmp_path / "copy.txt") in said and tone == "good"
    assert copied(" \n", tmp_path, sent.append)[1] == "warn"
    (tmp_path / "file").write_text("")
    assert "cannot be written" in copied("text", tmp_path / "file", sent.append)[0] and sent == ["text"]


# --- options, greeting, roles --------------------------------------------------------------------------


def test_every_option_changes_to_something_else_and_comes_back() -> None:
    for place, choice in enumerate(choices(Preferences())):
        likes, seen = Preferences(), [choice.said]
        while True:
            likes = msgspec.structs.replace(likes, **choices(likes)[place].changes)
            said = choices(likes)[place].said
            if said == seen[0]:
                break
            seen.append(said)
        assert len(seen) > 1 and likes == Preferences()


async def test_options_hold_at_once_and_next_time(tmp_path: Path) -> None:
    (tmp_path / "screen.json").write_text('{"greeted": true}')
    stage = Stage(synthetic.calm(), folder=tmp_path)
    async with stage.app.run_test(size=(80, 24)) as pilot:
        await press(stage, pilot, "O", "down", "down", "down", "down", "space", "escape")
        assert stage.app.manner.likes.silent_bells == ("fill",)
    assert Keeper(tmp_path / "screen.json").value.silent_bells == ("fill",)


async def test_every_option_is_reached_on_a_small_terminal_and_the_header_stays() -> None:
    stage = Stage(synthetic.calm())
    async with stage.app.run_test(size=(80, 24)) as pilot:
        await press(stage, pilot, "O")
        box = stage.app.screen.query_one("#box").region
        assert box.y >= header.height(80) and box.bottom < 24
        rows = stage.app.screen.query_one("#rows", Static)
        for choice in choices(Preferences()):
            assert f"▸ {choice.label}" in str(rows.render())
            await press(stage, pilot, "down")


def test_preferences_that_cannot_be_read_or_written_stop_nothing(tmp_path: Path) -> None:
    path = tmp_path / "screen.json"
    path.write_text("{torn")
    keeper = Keeper(path)
    assert keeper.value == Preferences()
    keeper.keep(Preferences(theme="light"))
    assert Keeper(path).value.theme == "light" and path.stat().st_mode & 0o777 == 0o600
    nowhere = Keeper(tmp_path / "gone" / "screen.json")
    nowhere.keep(Preferences(slow=True))
    assert nowhere.value.slow and "cannot be written" in nowhere.fault


async def test_the_first_start_is_greeted_once(tmp_path: Path) -> None:
    for first in (True, False):
        stage = Stage(synthetic.calm(), folder=tmp_path)
        async with stage.app.run_test(size=(80, 24)) as pilot:
            await stage.settle(pilot)
            assert isinstance(stage.app.screen, GreetingDialog) is first
            if first:
                stage.clock.advance(1)
                await pilot.press("enter")
                await stage.settle(pilot)
                assert len(stage.app.screen_stack) == 1


@pytest.mark.parametrize("name", ["welcome", "options"])
@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
def test_a_dialog_as_a_picture(snap_compare: Compare, name: str, size: tuple[int, int]) -> None:
    stage = Stage(synthetic.calm())

    async def show(pilot: Pilot[str]) -> None:
        await press(stage, pilot, {"welcome": "ctrl+w", "options": "O"}[name])
        assert isinstance(stage.app.screen, GreetingDialog | OptionsDialog)

    assert snap_compare(stage.app, terminal_size=size, run_before=show)


@pytest.mark.parametrize("role", ROLES)
def test_a_role_puts_its_own_screens_first_and_loses_none(role: str) -> None:
    names = tuple(entry.name for entry in SCREENS)
    found = ordered(names, role)
    assert found[: len(ROLES[role])] == ROLES[role]
    assert sorted(found) == sorted(names)
    assert found[0] in ROLES[role] and ordered(names, "no such") == names


async def test_the_screens_go_round_in_the_order_of_the_role() -> None:
    stage = Stage(synthetic.calm())
    async with stage.app.run_test(size=SIZE) as pilot:
        stage.app.manner.keep(role="operations")
        await press(stage, pilot, "full_stop")
        assert stage.app.pages.shown is not None and stage.app.pages.shown.id == "page-health"
