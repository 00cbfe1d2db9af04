"""The screens beside the floor, by the names they have in the action table."""

from __future__ import annotations

from importlib import import_module
from typing import Final

from textual.containers import Container

from widgets.actions import SCREENS
from widgets.page import Page
from widgets.roles import ordered

PAGES: Final = {
    "signals": "signals:SignalsPage", "risk": "risk:RiskPage", "scanners": "scanners:ScannersPage",
    "tactics": "tactics:StrategiesPage", "settings": "settings:SettingsPage", "journal": "journal:JournalPage",
    "performance": "performance:PerformancePage", "health": "health:HealthPage", "log": "logbook:LogPage",
    "jobs": "jobs:JobsPage",
}  # fmt: skip
"""Module and class of each, read when it is first shown: the first picture does not wait for it."""


def page_class(name: str) -> type[Page]:
    """The class of the screen of that name."""
    module, _, kind = PAGES[name].partition(":")
    return getattr(import_module(f"widgets.{module}"), kind)


class Pages(Container):
    """Holds the screens; each is built the first time it is shown. `shown` is None on the floor."""

    def __init__(self, *, ascii_only: bool) -> None:
        super().__init__(id="pages")
        self._ascii = ascii_only
        self.display = False
        self.shown: Page | None = None

    @property
    def hints(self) -> tuple[tuple[str, str], ...]:
        """The keys of the screen shown, for the key line."""
        return self.shown.hints() if self.shown is not None else ()

    def hide(self) -> None:
        """The floor again."""
        if self.shown is not None:
            self.shown.display = False
        self.shown = None
        self.display = False

    async def turn(self, name: str, key: str) -> None:
        """Show the screen of that name and give it the keys."""
        self.hide()
        self.display = True
        page = next(iter(self.query(f"#page-{name}").results(Page)), None)
        if page is None:
            page = page_class(name)(name, key, ascii_only=self._ascii)
            await self.mount(page)
        page.display = True
        self.shown = page
        page.settle()
        self.screen.set_focus(page.front, scroll_visible=False)

    def after(self, step: int, role: str) -> str:
        """The name of the screen before or after the one shown, in the order of a role, the floor first."""
        names = ["", *ordered((entry.name for entry in SCREENS), role)]
        here = (self.shown.id or "").removeprefix("page-") if self.shown is not None else ""
        return names[(names.index(here) + step) % len(names)]
