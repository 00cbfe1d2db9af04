"""How the screen behaves for the one who sits at it: colours, pace, what rings, what is kept."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from textual.filter import LineFilter

from widgets import themes
from widgets.attention import CRITICAL, Attention, loudest
from widgets.colourless import Colourless
from widgets.keeping import copied, to_tmux
from widgets.options import GreetingDialog, OptionsDialog
from widgets.pace import Pace
from widgets.preferences import FILE_NAME, ONLOOKERS_NAME, Keeper, Layout, Preferences
from widgets.scene import Scene
from widgets.sixteen import Sixteen

if TYPE_CHECKING:
    from widgets.app import FloorApp

SLOW_WORDS = "slow link: painting twice a second"


class Manner:
    """`folder` is where preferences and what is exported are kept; None keeps them for this run only."""

    def __init__(self, app: FloorApp, folder: Path | None, hz: float) -> None:
        self._app = app
        name = ONLOOKERS_NAME if app.read_only else FILE_NAME
        self._keeper = Keeper(folder / name if folder is not None else None)
        self.exports = folder / "exports" if folder is not None else None
        self._pace = Pace(hz, chosen=self.likes.slow)
        self._attention = Attention()
        self._missed = False
        self._colourless, self._sixteen = (Colourless(),), (Sixteen(),)
        self._filters = themes.filters(self.likes.theme)

    @property
    def likes(self) -> Preferences:
        return self._keeper.value

    def keep(self, **changes: object) -> None:
        """Adopt other preferences, at once and for the next time."""
        before = self.likes
        self._keeper.keep(msgspec.structs.replace(before, **changes))
        self._pace.chosen = self.likes.slow
        if self.likes.mouse != before.mouse:
            self._app.take_mouse(self.likes.mouse)
        if self.likes.theme != before.theme:
            self._filters = themes.filters(self.likes.theme)
            self._repaint_all()
        if self._keeper.fault:
            self._app.tell(self._keeper.fault, "warn")

    def keep_layout(self, layout: Layout) -> None:
        """How the floor was left, for the next time; a disk that refuses is told with the next other change."""
        self._keeper.keep(msgspec.structs.replace(self.likes, layout=layout))

    def _repaint_all(self) -> None:
        """Every cell anew: the colours are others."""
        for screen in self._app.screen_stack:
            for widget in screen.walk_children(with_self=True):
                widget.refresh()

    # --- colours ------------------------------------------------------------------------------------

    def filters(self, colours: str | None) -> Sequence[LineFilter]:
        """What every line passes through on its way to a terminal with such colours, or none."""
        if colours is None:
            return self._colourless
        return (*self._filters, *self._sixteen) if colours == "standard" else self._filters

    def next_theme(self) -> None:
        self.keep(theme=themes.after(self.likes.theme))
        self._app.tell(f"theme {self.likes.theme}")

    # --- pace ---------------------------------------------------------------------------------------

    @property
    def slow(self) -> bool:
        """The link is slow: by the trader's word, or found so."""
        return self._pace.slow

    def due(self, *, congested: bool) -> bool:
        """Whether this beat of the timer paints; finding the link slow, or quick again, is told."""
        found = self._pace.found
        due = self._pace.due(congested)
        if self._pace.found != found and not self._pace.chosen:
            self._app.tell(SLOW_WORDS if self._pace.found else "the link keeps up again", "warn")
        return due

    def switch_pace(self) -> None:
        self.keep(slow=not self.likes.slow)
        self._app.tell(SLOW_WORDS if self.likes.slow else "painting at full pace")

    # --- what rings ---------------------------------------------------------------------------------

    def announce(self, scene: Scene) -> None:
        """Tell and ring what happened since the last picture; what is critical cannot be silenced."""
        news = self._attention.news(scene)
        told = tuple(one for one in news if one.kind == CRITICAL or self.likes.shows(one.kind))
        if told:
            worst = loudest(told)
            more = f"  (+{len(told) - 1} more: a shows the log)" if len(told) > 1 else ""
            self._app.tell(f"{worst.text}{more}", worst.tone)
        if any(one.kind == CRITICAL or self.likes.rings(one.kind) for one in news):
            self._app.bell()

    def link_changed(self, text: str, *, lost: bool) -> None:
        """The engine went, or is back; one that has never answered yet rings nothing."""
        if self.likes.shows("disconnect") or lost:
            self._app.tell(text, "bad" if lost else "good")
        rang, self._missed = self._missed, lost and self._app.link.view.heard_ns > 0
        if (self._missed or (rang and not lost)) and self.likes.rings("disconnect"):
            self._app.bell()

    # --- dialogs ------------------------------------------------------------------------------------

    def choose(self) -> None:
        self._app.push_screen(OptionsDialog(self._app.perf, lambda: self.likes, self.keep))

    def greet(self) -> None:
        """The first minutes, once; and whenever asked for."""
        self._app.push_screen(
            GreetingDialog(self._app.perf, self._app.shown_key), lambda _: self.keep(greeted=True)
        )

    def greet_once(self, scene: Scene) -> None:
        known = scene.live and scene.floor.header is not None and not scene.read_only
        if known and self.exports is not None and not self.likes.greeted and len(self._app.screen_stack) == 1:
            self.greet()

    # --- copying ------------------------------------------------------------------------------------

    def copy(self) -> None:
        """What the pane with the keys shows, to the terminal's clipboard and to a file; a screen may say more
        than it shows."""
        page = self._app.pages.shown
        pane = page.front if page is not None else self._app.focused_pane
        said = page.copied() if page is not None else ""
        text = said or (pane.text() if pane is not None else "")
        said, tone = copied(text, self.exports, self._app.copy_to_clipboard)
        self._app.tell(said, tone)
        if text.strip() and os.environ.get("TMUX"):
            self._app.run_worker(self._to_tmux(text, said, tone), group="copy", exit_on_error=False)

    async def _to_tmux(self, text: str, said: str, tone: str) -> None:
        wrong = await to_tmux(text)
        self._app.tell(f"{said}; tmux took it" if not wrong else f"{said}; {wrong}", tone)
