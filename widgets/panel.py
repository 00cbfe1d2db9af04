"""What dialogs draw on: lines on a dialog's ground."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Final

from rich.style import Style

from widgets import ink
from widgets.canvas import LineCanvas
from widgets.ink import Line

PANEL: Final = "#10171f"


class PanelCanvas(LineCanvas):
    """A canvas inside a dialog."""

    GROUND: ClassVar[Style] = ink.TEXT + Style(bgcolor=PANEL)

    def draw(self, lines: Sequence[Line]) -> None:
        """Make these the lines shown, once there is room for any."""
        if self.size.width and self.size.height:
            self.show([ink.on_ground(line, PANEL) for line in lines])
