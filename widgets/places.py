"""Where everything stands on the terminal: the panes of the floor, the screen beside it, what is in front."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from textual.geometry import Size

from widgets import header
from widgets.account import AccountStrip
from widgets.actions import BY_NAME, PANE_KEYS, PANE_NAMES, PANES
from widgets.floor import FloorPlan
from widgets.floorplan import LARGE_FROM, behind, columns_of, seen
from widgets.footer import KeyLine
from widgets.header import HeaderStrip
from widgets.pane import Pane

if TYPE_CHECKING:
    from widgets.app import FloorApp


OF_ACCOUNT: Final = ("positions", "wealth")
"""The panes that leave room for the account where one is seen at a time."""


class Places:
    """`look` is called when other panes are shown than before. `fronts` are the panes, newest first."""

    def __init__(
        self, app: FloorApp, look: Callable[[], None], fronts: tuple[str, ...], *, zoomed: bool
    ) -> None:  # fmt: skip
        self._app = app
        self._look = look
        self.fronts = fronts
        self.zoomed = zoomed

    def arrange(self, size: Size) -> None:
        """One pane at a time on a small terminal, two columns on a normal one, three on a large one."""
        width, height = size
        base = self._app.screen_stack[0]
        floor = base.query_one(FloorPlan)
        page = self._app.pages.shown
        shown = seen(width, height, self.fronts, zoomed=self.zoomed) if page is None else ()
        base.query_one(HeaderStrip).styles.height = header.height(width)
        self._app.set_class(header.height(width) > header.USUAL, "tall")
        strip = base.query_one(AccountStrip)
        columns = columns_of(width, height)
        strip.display = page is None and (bool(columns) or self.fronts[0] in OF_ACCOUNT)
        roomy = not columns or (width >= LARGE_FROM[0] and height >= LARGE_FROM[1])
        strip.styles.height = 2 if roomy else 1
        out = behind(width, height, shown, tuple(PANE_NAMES))
        for pane in self._app.panes:
            pane.display = pane.id in shown
            pane.behind = tuple((PANE_KEYS[one], PANE_NAMES[one]) for one in out.get(pane.id or "", ()))
        floor.plan.screen, floor.plan.shown = size, shown
        floor.display = page is None
        floor.refresh(layout=True)
        if page is not None:
            page.settle(size)
        self._look()

    async def turn(self, name: str) -> None:
        """Show a screen, or the floor where the name is empty."""
        if not name:
            self.look_at(self.fronts[0])
            return
        await self._app.pages.turn(name, self._app.shown_key(BY_NAME[name]))
        self.arrange(self._app.size)
        self.tell_keys()
        self._app.call_after_refresh(self._app.repaint)

    def tell_keys(self) -> None:
        """On the key line, of what has the keys now."""
        self._app.screen_stack[0].query_one(KeyLine).tell(self._app.pages.hints)

    def look_at(self, name: str) -> None:
        """Bring a pane to the front and give it the keys at once: the next key typed is for it already."""
        if self._app.pages.shown is not None:
            self._app.pages.hide()
            self.tell_keys()
        self.fronts = (name, *(other for other in self.fronts if other != name))
        self.arrange(self._app.size)
        base = self._app.screen_stack[0]
        base.set_focus(base.query_one(f"#{name}", Pane), scroll_visible=False)
        self._app.call_after_refresh(self._app.repaint)

    def step(self, step: int) -> None:
        """Around the panes that can be seen; where one is seen at a time, around them all."""
        if self._app.pages.shown is not None:
            self._app.pages.shown.step(step)
            return
        shown = [pane.id or "" for pane in self._app.panes if pane.display]
        names = [entry.name for entry in PANES if len(shown) == 1 or entry.name in shown]
        self.look_at(names[(names.index(self.fronts[0]) + step) % len(names)])

    def jump(self) -> None:
        """One key to any pane or screen; the letters of those in sight light up."""
        from widgets.jump import JumpDialog

        app = self._app
        self._light(lit=True)

        def chosen(name: str | None) -> None:
            self._light(lit=False)
            if name is not None:
                BY_NAME[name].perform(app)

        letters = {entry.name: app.shown_key(BY_NAME[entry.name]) for entry in PANES}
        seen_now = frozenset(pane.id or "" for pane in app.panes if pane.display)
        app.push_screen(JumpDialog(app.perf, letters.__getitem__, seen_now), chosen)

    def _light(self, *, lit: bool) -> None:
        for pane in self._app.panes:
            pane.lit = lit
        self._app.repaint()

    def zoom(self) -> None:
        self.zoomed = not self.zoomed
        self.look_at(self.fronts[0])
