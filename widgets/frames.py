"""Frames of as few bytes as a change needs: exactly the cells that changed, and no style said twice.

The toolkit sends a line again from its widget's left edge to the change, each run with its whole style and a
reset. Here the cursor goes to the first cell that changed, and a run says only what differs from the last.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from rich.color import ColorSystem
from rich.console import Console
from rich.style import Style
from textual._compositor import ChopsUpdate, Compositor
from textual.strip import Strip

PLAIN: Final = ("0", "39", "49")
ATTRIBUTES: Final = (
    ("bold", "1"), ("dim", "2"), ("italic", "3"), ("underline", "4"), ("blink", "5"), ("reverse", "7"),
    ("strike", "9"),
)  # fmt: skip
Pen = tuple[str, str, str]
"""Attributes, ink and ground, each as the codes that set it."""


class FrameCompositor(Compositor):
    """Textual's compositor with exact partial updates."""

    def render_partial_update(self) -> ChopsUpdate | None:
        update = super().render_partial_update()
        return None if update is None else FrameUpdate(update.chops, update.spans, update.chop_ends)


class FrameUpdate(ChopsUpdate):
    """Sends the spans it was made for, and nothing left or right of them."""

    def render_segments(self, console: Console) -> str:
        system = console._color_system or ColorSystem.TRUECOLOR  # pyright: ignore[reportPrivateUsage]
        out: list[str] = ["\x1b[0m"]
        pen = PLAIN
        for y, x1, x2 in self.spans:
            for end, (x, strip) in zip(self.chop_ends[y], self.chops[y].items(), strict=False):
                if strip is None or x >= x2 or end <= x1:
                    continue
                left = max(x1, x)
                out.append(f"\x1b[{y + 1};{left + 1}H")
                pen = _write(strip.crop(left - x, min(end, x2) - x), pen, system, out)
        out.append("\x1b[0m")
        return "".join(out)


def _write(strip: Strip, pen: Pen, system: ColorSystem, out: list[str]) -> Pen:
    """Append the strip's text; a style only where it differs from the pen's. The pen as it is left."""
    for text, style, control in strip:
        if control or not text:
            continue
        wanted = pen_of(style, system) if style else PLAIN
        codes = change(pen, wanted)
        if codes:
            out.append(f"\x1b[{codes}m")
        out.append(text)
        pen = wanted
    return pen


@lru_cache(4096)
def change(before: Pen, after: Pen) -> str:
    """The codes that turn one pen into another; empty where they are the same."""
    if before[0] != after[0]:
        return ";".join(("0", *(code for code, bare in zip(after, PLAIN, strict=True) if code != bare)))
    return ";".join(new for old, new in zip(before[1:], after[1:], strict=True) if old != new)


@lru_cache(4096)
def pen_of(style: Style, system: ColorSystem) -> Pen:
    """The style as the codes of a terminal with so many colours."""
    attributes = ";".join(code for name, code in ATTRIBUTES if getattr(style, name))
    ink = ground = ""
    if style.color is not None:
        ink = ";".join(style.color.downgrade(system).get_ansi_codes(foreground=True))
    if style.bgcolor is not None:
        ground = ";".join(style.bgcolor.downgrade(system).get_ansi_codes(foreground=False))
    return attributes or PLAIN[0], ink or PLAIN[1], ground or PLAIN[2]
