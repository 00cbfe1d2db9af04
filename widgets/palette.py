"""The command palette's view of the action table."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from textual.command import DiscoveryHit, Hit, Hits, Provider

from widgets.actions import ACTIONS, PROTECT, Action

if TYPE_CHECKING:
    from widgets.app import FloorApp


PROTECTIVE = tuple(one for one in ACTIONS if one.group == PROTECT)
"""Listed last, so that enter on the untouched palette closes nothing."""


class ActionProvider(Provider):
    """Every action by its name."""

    async def discover(self) -> Hits:
        for action in filter(self._offers, (*(one for one in ACTIONS if one.group != PROTECT), *PROTECTIVE)):
            yield DiscoveryHit(_title(action), lambda one=action: self._perform(one), help=action.help)

    async def search(self, query: str) -> Hits:
        matcher = self.matcher(query)
        for action in filter(self._offers, ACTIONS):
            title = _title(action)
            score = matcher.match(f"{title} {action.help}")
            if score > 0:
                yield Hit(
                    score, matcher.highlight(title), lambda one=action: self._perform(one), help=action.help
                )

    def _offers(self, action: Action) -> bool:
        return cast("FloorApp", self.app).offers(action)

    def _perform(self, action: Action) -> None:
        cast("FloorApp", self.app).action_act(action.name)


def _title(action: Action) -> str:
    return f"{action.label} · {action.shown}"
