"""Dialogs that stand beside what a trader deals by: the chain and the matrix stay in sight."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final, cast

from textual.geometry import Region

from widgets.dialogs import Answer, Dialog
from widgets.floorplan import beside

if TYPE_CHECKING:
    from widgets.app import FloorApp

SLIVER: Final = 6
"""Cells beside it of which nothing could be read."""
KEPT: Final = ("chain", "book")


class BesideDialog(Dialog[Answer]):
    """At the foot of the floor, at the side where chain and matrix are not; over them only where the terminal
    has no room beside."""

    LEAST: ClassVar[int] = 70
    """Cells without which it takes the floor's whole width."""
    MOST: ClassVar[int] = 136
    stood: tuple[int, int, int] = (0, 0, 0)
    """Its left edge, width and height as told; a height of 0 is its own."""
    moving: bool = False
    """It has been told to take another place and has not taken it: what is drawn now would be cut."""

    @property
    def place(self) -> Region:
        """All the room it may take and leave them in sight."""
        app = cast("FloorApp", self.app)
        kept = [pane.region for pane in app.panes if pane.display and pane.id in KEPT]
        return beside(self._floor, kept, self.LEAST)

    @property
    def _floor(self) -> Region:
        app = cast("FloorApp", self.app)
        page = app.pages.shown
        return page.region if page is not None else app.screen_stack[0].query_one("#floor").region

    def stand(self, width: int, height: int = 0) -> None:
        """Take so much of its place, from its lower left corner; as high as it is where no height is given."""
        place = self.place
        width = width if place.width - width > SLIVER else place.width
        self._occupy(place.x, width, min(height, place.height))

    def stand_over(self) -> None:
        """Take all the floor."""
        self._occupy(self._floor.x, self._floor.width, self._floor.height)

    def _occupy(self, x: int, width: int, height: int) -> None:
        if self.stood == (x, width, height) or not self.is_running:
            # An answer, or a resize, can be dealt with when it was left already.
            return
        self.stood, self.moving = (x, width, height), True
        box = self.query_one("#box")
        box.styles.width, box.styles.offset = width, (x, 0)
        if height:
            box.styles.height = height
        self.call_after_refresh(self._settle)

    def _settle(self) -> None:
        self.moving = False
        self.settled()

    def settled(self) -> None:
        """It stands where it was told to."""
