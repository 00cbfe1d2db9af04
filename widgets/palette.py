"""The command palette's view of the action table."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, cast

from textual.command import CommandPalette, DiscoveryHit, Hit, Hits, Provider
from textual.message import Message
from textual.widgets import Input, OptionList

from widgets import screen_keys
from widgets.actions import ACTIONS, PROTECT, Action, Keyed
from widgets.dialogs import LeftOnce
from widgets.screen_keys import ScreenKey

if TYPE_CHECKING:
    from widgets.app import FloorApp


PROTECTIVE = tuple(one for one in ACTIONS if one.group == PROTECT)
"""Listed last, so that enter on the untouched palette closes nothing."""


class Palette(CommandPalette, LeftOnce[None]):
    """The toolkit's, left but once; what was chosen is done but once. Its cursor stands still as in a line."""

    def on_mount(self) -> None:
        self.query_one(Input).cursor_blink = False

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        self._only_here(event)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        self._only_here(event)

    def _action_command_list(self, action: str) -> None:
        """While nothing stands in its list the toolkit's pages look for lines there: the screen died of it."""
        with suppress(LookupError):
            super()._action_command_list(action)

    def _only_here(self, event: Message) -> None:
        if not self.is_current:
            event.prevent_default()
            event.stop()


class ActionProvider(Provider):
    """Every action by its name, those of the screen shown first."""

    async def discover(self) -> Hits:
        for key in self._own():
            yield DiscoveryHit(self._title(key, key.action), lambda one=key: self._run(one), help=key.help)
        for action in filter(self._offers, (*(one for one in ACTIONS if one.group != PROTECT), *PROTECTIVE)):
            yield DiscoveryHit(
                self._title(action, action.label), lambda one=action: self._perform(one), help=action.help
            )

    async def search(self, query: str) -> Hits:
        matcher = self.matcher(query)
        for key in self._own():
            title = self._title(key, key.action)
            score = matcher.match(f"{title} {key.help}")
            if score > 0:
                yield Hit(score, matcher.highlight(title), lambda one=key: self._run(one), help=key.help)
        for action in filter(self._offers, ACTIONS):
            title = self._title(action, action.label)
            score = matcher.match(f"{title} {action.help}")
            if score > 0:
                yield Hit(
                    score, matcher.highlight(title), lambda one=action: self._perform(one), help=action.help
                )

    @property
    def _floor(self) -> FloorApp:
        return cast("FloorApp", self.app)

    def _own(self) -> tuple[ScreenKey, ...]:
        """What only the screen shown can do; moving about in its panes is left to the keys."""
        page = self._floor.pages.shown
        keys = screen_keys.shared(page.scope) if page is not None else ()
        return tuple(key for key in keys if not (key.edits and self._floor.read_only))

    def _run(self, key: ScreenKey) -> None:
        page = self._floor.pages.shown
        if page is not None:
            self._floor.call_next(self._floor.run_action, key.run, page)

    def _offers(self, action: Action) -> bool:
        return self._floor.offers(action)

    def _perform(self, action: Action) -> None:
        self._floor.action_act(action.name)

    def _title(self, key: Keyed, label: str) -> str:
        return f"{label.replace('_', ' ')} · {self._floor.shown_key(key)}"
