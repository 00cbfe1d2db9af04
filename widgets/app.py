"""The floor's application: one pump paints the newest picture, one hand carries the trader's orders."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Final

from textual.app import App, ComposeResult
from textual.binding import BindingType
from textual.driver import Driver
from textual.events import Event, Key, Paste, Resize
from textual.filter import LineFilter
from textual.screen import Screen
from textual.theme import Theme
from textual.worker import Worker, WorkerState

from station.domain.clock import SECOND, Clock
from station.link import Link, LinkState, PositionRow
from widgets import ink
from widgets.account import AccountStrip
from widgets.actions import ACTIONS, BY_NAME, Action, Keyed, spoken
from widgets.bursts import Bursts
from widgets.colourless import plain_console, wants_no_colour
from widgets.driver import TerminalDriver, wants_mouse
from widgets.floor import FloorPlan, FloorScreen, floor_panes
from widgets.footer import KeyLine, NoticeLine
from widgets.gaze import Gaze
from widgets.groups import Groups
from widgets.hand import Hand
from widgets.header import HeaderStrip
from widgets.keeping import clipboard_words
from widgets.keyboard import Burst
from widgets.keymap import remapped
from widgets.manner import Manner
from widgets.memory import Memory, fronts_of, layout_of, sight_of
from widgets.notices import Notices
from widgets.pages import Pages
from widgets.palette import ActionProvider, Palette
from widgets.pane import Pane
from widgets.places import Places
from widgets.scene import Scene
from widgets.sight import Sight

if TYPE_CHECKING:
    from widgets.dealing import Dealing

BUILT: Final = frozenset({"header", "account", "floor", "pages", "notice", "keys"})

_log = logging.getLogger(__name__)


class FloorApp(App[str], inherit_bindings=False):
    """One screen of one engine; its return value says why it ended."""

    TITLE = "Vigil"
    CSS_PATH = "floor.tcss"
    COMMANDS = {ActionProvider}  # noqa: RUF012
    BINDINGS: ClassVar[list[BindingType]] = [action.binding() for action in ACTIONS]
    ESCAPE_TO_MINIMIZE = False

    def __init__(
        self, link_factory: Callable[[], Link], *, clock: Clock, hz: float = 4.0, read_only: bool = False,
        can_detach: bool = True, ascii_only: bool | None = None, keys: Mapping[str, str] | None = None,
        folder: Path | None = None,
        driver_class: type[Driver] | None = None,
    ) -> None:  # fmt: skip
        super().__init__(driver_class=driver_class)
        self._real = driver_class is TerminalDriver
        if self._real and wants_no_colour(os.environ):
            self.no_color, self.console = True, plain_console(self.console)
        self.animation_level = "none"
        self.link = link_factory()
        self._notices = Notices(self)
        self.hand = Hand(self)
        self._dealing: Dealing | None = None
        self.read_only = read_only
        self.can_detach = can_detach
        self._clock = clock
        self._hz = hz
        self.manner = Manner(self, folder, hz)
        self._ascii = ink.terminal_wants_ascii() if ascii_only is None else ascii_only
        self._keys = dict(keys or {})
        self._bursts = Bursts(self)
        self._seen: object = None
        self.groups = Groups(self)
        left = self.manner.likes.layout
        self._memory = Memory(left, clock.perf, self.manner.keep_layout)
        self._gaze = Gaze(self, sight_of(left), self._memory.symbol)
        self._places = Places(self, self._gaze.look, fronts_of(left), zoomed=left.zoomed)
        self.link.on_news = self._news
        self.set_keymap(remapped(self._keys))
        self.set_class(self._ascii, "ascii")

    def get_theme(self, theme_name: str) -> Theme | None:
        # Asked for every line that is drawn, and the toolkit's own answer copies its table each time.
        return self._registered_themes.get(theme_name) or super().get_theme(theme_name)

    def get_line_filters(self) -> Sequence[LineFilter]:
        known = self.console.color_system if self._real else "truecolor"
        return self.manner.filters(None if self.no_color else known)

    def get_default_screen(self) -> Screen[None]:
        return FloorScreen(id="_default")

    def compose(self) -> ComposeResult:
        plain = self._ascii
        yield HeaderStrip(id="header", ascii_only=plain)
        yield AccountStrip(id="account", ascii_only=plain)
        with FloorPlan():
            yield from floor_panes(self.aim, plain=plain)
        yield Pages(ascii_only=plain)
        yield NoticeLine(id="notice", ascii_only=plain)
        yield KeyLine(id="keys", shown=self.shown_key, offers=self.offers, ascii_only=plain)

    async def on_mount(self) -> None:
        await self.link.open()
        self._places.arrange(self.size)
        self.screen_stack[0].query_one(f"#{self._places.fronts[0]}", Pane).focus()
        self.set_interval(1 / self._hz, self._beat)
        self.call_after_refresh(self.pump)

    async def on_unmount(self) -> None:
        self._remember(last=True)
        await self.link.close()

    # --- what is seen ------------------------------------------------------------------------------

    @property
    def dealing(self) -> Dealing:
        """Read with the first ticket: the first picture does not wait for what it does not show."""
        if self._dealing is None:
            from widgets.dealing import Dealing

            self._dealing = Dealing(self)
        return self._dealing

    @property
    def panes(self) -> list[Pane]:
        """The floor's, shown or not."""
        return list(self.screen_stack[0].query_one(FloorPlan).query(Pane))

    @property
    def pages(self) -> Pages:
        return self.screen_stack[0].query_one(Pages)

    @property
    def focused_pane(self) -> Pane | None:
        """The pane that has the keys, also while a dialog is open."""
        focused = self.screen_stack[0].focused
        return focused if isinstance(focused, Pane) else None

    @property
    def symbols(self) -> tuple[str, ...]:
        """What is watched, as the header tells it."""
        known = self.link.view.floor.header
        return tuple(price.symbol for price in known.prices) if known else ()

    @property
    def positions(self) -> Pane:
        return self.screen_stack[0].query_one("#positions", Pane)

    @property
    def picked_position(self) -> PositionRow | None:
        """The position under the cursor, as the engine last told it."""
        part = self.link.view.floor.positions
        picked = self.positions.picked
        return next((row for row in part.rows if row.trade_id == picked), None) if part and picked else None

    @property
    def sight(self) -> Sight:
        """What is looked at."""
        return self._gaze.sight

    @property
    def killed(self) -> bool:
        known = self.link.view.floor.header
        return known is not None and known.kill

    def scene(self) -> Scene:
        link = self.link
        unwell = link.state is not LinkState.CONNECTED and link.view.heard_ns > 0
        silence_s = (self._clock.perf() - link.view.heard_ns) / SECOND if unwell else 0.0
        return Scene(
            link.view.floor, link.state, link.detail, silence_s, self.read_only, self.hand.kill_pending,
            self._gaze.sight, colours=not self.no_color, slow_link=self.manner.slow,
            groups=self.manner.likes.groups,
        )  # fmt: skip

    def _beat(self) -> None:
        """The timer's own pump, at the pace of the link."""
        if self._stands and self.manner.due(congested=self.congested):
            self.pump()

    @property
    def congested(self) -> bool:
        """The terminal has not taken everything that was painted."""
        return isinstance(self._driver, TerminalDriver) and self._driver.congested

    @property
    def quiet_s(self) -> float:
        """For how long nothing was typed."""
        return self._driver.quiet_s if isinstance(self._driver, TerminalDriver) else 0.0

    def take_mouse(self, chosen: str) -> None:
        if isinstance(self._driver, TerminalDriver):
            self._driver.take_mouse(on=wants_mouse(os.environ, chosen))

    def copy_to_clipboard(self, text: str) -> None:
        self._clipboard = text
        if self._driver is not None:
            self._driver.write(clipboard_words(text, os.environ))

    def pump(self) -> None:
        """Paint what changed since the last time; nothing when nothing did, or while the terminal lags."""
        if not self._stands:
            return
        self.link.pull()
        self._gaze.find()
        self._remember()
        scene = self.scene()
        self._notices.age()
        page = self.pages.shown
        if page is not None:
            page.beat()
        if self._dealing is not None:
            self._dealing.beat()
        seen = (
            dict(self.link.view.versions),
            scene.state,
            scene.detail,
            int(scene.silence_s),
            scene.kill_pending,
            scene.sight,
            scene.slow_link,
            (page.id, page.version) if page is not None else None,
        )
        if seen == self._seen or self.congested:
            return
        self._seen = seen
        self._paint(scene)

    @property
    def _stands(self) -> bool:
        """The screen is built, and is not being taken down."""
        stack = self.screen_stack
        return bool(stack) and {child.id for child in stack[0].children} >= BUILT

    def _paint(self, scene: Scene) -> None:
        self.manner.announce(scene)
        self._notices.tell_link(scene)
        self.manner.greet_once(scene)
        with self.batch_update():
            self.screen_stack[0].query_one(HeaderStrip).paint(scene)
            strip = self.screen_stack[0].query_one(AccountStrip)
            if strip.display:
                strip.paint(scene)
            for pane in self.panes:
                if pane.display:
                    pane.paint(scene)
            if self.pages.shown is not None:
                self.pages.shown.paint(scene)

    def repaint(self) -> None:
        """Paint the present picture whatever was seen before."""
        self._seen = None
        self.pump()

    def on_resize(self, event: Resize) -> None:
        self._places.arrange(event.size)
        self.call_after_refresh(self.repaint)

    def turn(self, name: str) -> None:
        """Show a screen, or the floor where the name is empty; the next key typed is for it already."""
        self.call_next(self._places.turn, name)

    def turn_by(self, step: int) -> None:
        """Around the screens, the floor among them."""
        self.turn(self.pages.after(step, self.manner.likes.role))

    def look_at(self, name: str) -> None:
        """Bring a pane to the front and give it the keys at once: the next key typed is for it already."""
        self._places.look_at(name)

    def tell_keys(self) -> None:
        """On the key line, of what has the keys now."""
        self._places.tell_keys()

    def step_pane(self, step: int) -> None:
        """Around the panes that can be seen; where one is seen at a time, around them all."""
        self._places.step(step)

    def zoom(self) -> None:
        """The pane in front alone, and back."""
        self._places.zoom()

    def aim(
        self, *, symbol: str = "", timeframe: str = "", contract: str = "", step: int = 0, switch: str = "",
        group: str | None = None,
    ) -> None:  # fmt: skip
        """Look at another symbol, timeframe, option or group, or switch a study of the chart."""
        gaze = self._gaze
        if gaze.aim(
            symbol=symbol, timeframe=timeframe, contract=contract, step=step, switch=switch, group=group
        ):
            self.pump()

    def jump(self) -> None:
        """One key to any pane or screen."""
        self._places.jump()

    def _remember(self, *, last: bool = False) -> None:
        places = self._places
        self._memory.note(layout_of(places.fronts, self._gaze.sight, zoomed=places.zoomed), last=last)

    def _news(self) -> None:
        """What was asked for has come: no need to wait for the next beat."""
        if self.is_running:
            self.call_next(self.pump)

    # --- what is said ------------------------------------------------------------------------------

    def tell(self, text: str, tone: str = "info") -> None:
        """Say it in the notice line; tone is info, good, warn or bad."""
        self._notices.tell(text, tone)

    # --- what keys do ------------------------------------------------------------------------------

    def action_act(self, name: str) -> None:
        """Perform an action of the table, or say why not."""
        action = BY_NAME[name]
        why = action.why_not(self)
        if not why and action.alone and self._bursts.is_text:
            why = "typed as part of a word: nothing was closed; press it again to close every position"
        if why:
            self.tell(why, "warn")
        else:
            action.perform(self)

    def action_command_palette(self) -> None:
        if not isinstance(self.screen, Palette):
            self.push_screen(Palette(id="--command-palette"))

    def action_group(self, step: int) -> None:
        self.groups.step(step)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """In a dialog only the kill key acts on the floor."""
        if action == "command_palette":
            return len(self.screen_stack) == 1
        if action == "act" and len(self.screen_stack) > 1:
            return BY_NAME[str(parameters[0])].fixed
        return True

    async def on_event(self, event: Event) -> None:
        if isinstance(event, Key):
            if self._exit:  # It is being left: what is typed is for the shell.
                return
            self._bursts.note(event)
            if self._dealing is not None and self._dealing.is_late(event):
                return
        await super().on_event(event)

    async def on_burst(self, burst: Burst) -> None:
        await self._bursts.take(burst)

    def on_paste(self, event: Paste) -> None:
        """Nothing took it."""
        self.tell(f"a paste of {len(event.text)} characters: nothing here takes text", "warn")

    def keys_of(self, action: Keyed) -> tuple[str, ...]:
        """The toolkit's names of what is pressed for it, after remapping."""
        return tuple(self._keys.get(action.name, action.keys).split(","))

    def shown_key(self, action: Keyed) -> str:
        """The key the user presses for it, after remapping."""
        keys = self._keys.get(action.name, action.keys)
        return action.shown if keys == action.keys else spoken(keys)

    def offers(self, action: Action) -> bool:
        """Whether it makes sense to name it to this trader."""
        return not (self.read_only and action.commands)

    def perf(self) -> int:
        return self._clock.perf()

    @property
    def failure(self) -> Exception | None:
        """What the screen died of."""
        return self._exception

    def _fatal_error(self) -> None:
        """A line of it is told where the screen ran, not pages with all that it knew."""
        self._close_messages_no_wait()

    async def pause(self, seconds: float) -> None:
        await self._clock.sleep(seconds)

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        if event.state is WorkerState.ERROR:
            _log.error("a screen worker failed", exc_info=event.worker.error)
            self.tell(f"the screen failed at {event.worker.group}: {event.worker.error!r}", "bad")
