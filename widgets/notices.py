"""What the app says on the notice line, how long it stays fresh, and what is said of the link."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from station.domain.clock import SECOND
from station.link import LinkState
from widgets.footer import NoticeLine
from widgets.scene import Scene

if TYPE_CHECKING:
    from widgets.app import FloorApp

NOTICE_S: Final = 15
NO_ENGINE: Final = "There is no engine to deal with"
"""What is told of a key that needs one begins so; it is not true any more once one answers."""


class Notices:
    """The newest notice; `age` makes it a memory once it was long enough on the line."""

    def __init__(self, app: FloorApp) -> None:
        self._app = app
        self._told_ns = 0
        self._told = ""
        self._link_state = LinkState.CONNECTING
        self._link_news = ""

    def tell(self, text: str, tone: str) -> None:
        self._told, self._told_ns = text, self._app.perf()
        if self._app.is_running:
            self._line.tell(text, tone)

    def age(self) -> None:
        if self._told_ns and self._app.perf() - self._told_ns > NOTICE_S * SECOND:
            self._told_ns = 0
            self._line.fade()

    def tell_link(self, scene: Scene) -> None:
        """Losing the engine, and having it back, is told in words; news of a kill is never talked over."""
        known, self._link_state = self._link_state, scene.state
        if known is scene.state or scene.state is LinkState.CONNECTING or scene.kill_pending:
            return
        if not scene.live:
            memory = "; what is shown is not the present" if scene.floor.header else ""
            self._link_news = f"{scene.detail or scene.state.value}{memory}"
            self._app.manner.link_changed(self._link_news, lost=True)
        elif self._link_news and (self._told == self._link_news or self._told.startswith(NO_ENGINE)):
            self._app.manner.link_changed("the engine is back", lost=False)

    @property
    def _line(self) -> NoticeLine:
        return self._app.screen_stack[0].query_one(NoticeLine)
