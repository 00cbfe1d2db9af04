"""The station's log: newest first, by level, component and words, following or held."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Final

from textual.binding import BindingType

from station.link import Query
from widgets import filters, ink, screen_keys, words
from widgets.asking import LineDialog
from widgets.floorplan import Column as Side
from widgets.floorplan import Slot
from widgets.page import Page, PagePane, Question
from widgets.pane import Block, Content, wrapped
from widgets.scene import Scene
from widgets.told import LogLine, LogTold, instant

LEVELS: Final = ("info", "warning", "error", "critical")
KEYS: Final = ("level", "component")
WIDE: Final = 100
_SHORT: Final = {"warning": "warn", "error": "err", "critical": "crit"}
_STYLES: Final = {"info": ink.DIM, "warning": ink.WARN, "error": ink.ALARM, "critical": ink.ALARM}


class LogPage(Page):
    """Follows while nothing is held; space holds what is in sight."""

    TITLE = "Log"
    EVERY_S = 1.0
    CURSOR = "Read a line whole; away from the newest one the log is held, home follows again."
    BINDINGS: ClassVar[list[BindingType]] = [*screen_keys.bindings("log")]

    PLANS = (((110, 30), (Side(0, (Slot(("log",)), Slot(("line",), rows=8))),)),)

    _args: Mapping[str, str] = {}
    _held = False
    _picked = ""

    def questions(self) -> Mapping[str, Question]:
        return {"log": Question(Query("log", dict(self._args)), LogTold)}

    def make(self) -> list[PagePane]:
        return [
            self.pane("log", "Log", "log", self._lines, on_pick=self._pick),
            self.pane("line", "Line", "log", self._whole),
        ]

    @property
    def held(self) -> bool:
        """By key, or because a line that is not the newest is being read."""
        told = self.document("log", LogTold)
        return self._held or bool(
            told is not None and told.lines and self._picked and self._picked != _key(told.lines[0])
        )

    def _pick(self, key: str) -> None:
        told = self.document("log", LogTold)
        is_newest = told is not None and bool(told.lines) and key == _key(told.lines[0])
        self._picked = "" if is_newest else key
        self.version += 1
        self.floor.pump()

    def beat(self) -> None:
        if not self.held:
            super().beat()

    def _lines(self, _scene: Scene, width: int) -> Content:
        told = self.document("log", LogTold) or LogTold()
        only = filters.written(self._args)
        held = self.held
        state = "HELD" if held else "following"
        more = "" if told.whole else "  older lines are in the file"
        head = (ink.clipped(((" only ", ink.FAINT), (only, ink.KEY)), width),) if only else ()
        return Content(
            note=f"{len(told.lines)} lines{more}  {state}", warn=held, head=head,
            blocks=tuple(Block((_line(one, width),), _key(one)) for one in told.lines),
            picked=self._picked or (_key(told.lines[0]) if told.lines else ""),
            empty="no line matches the filter: backspace clears it" if only else "the log is empty",
        )  # fmt: skip

    def _whole(self, _scene: Scene, width: int) -> Content:
        """The line under the cursor, all of it."""
        told = self.document("log", LogTold) or LogTold()
        line = next((one for one in told.lines if _key(one) == self._picked), next(iter(told.lines), None))
        if line is None:
            return Content(empty="no line to read")
        text = [((f" {piece}", ink.TEXT),) for piece in wrapped(line.text, max(width - 2, 10))]
        at = instant(line.ts_utc) if line.ts_utc else 0
        when = f"{words.day_text(at)} {words.clock_text(at)}  " if at else ""
        note = f"{when}{line.level}  {line.trade_id}".strip()
        return Content(title=line.event, note=note, blocks=(Block(tuple(text)),))

    # --- what keys do -------------------------------------------------------------------------------

    def action_hold(self) -> None:
        self._held, self._picked = not self.held, ""
        self.version += 1
        self.floor.pump()

    def _ask_for(self, args: Mapping[str, str]) -> None:
        self._args, self._held, self._picked = args, False, ""
        self.version += 1
        self.floor.pump()

    def action_clear(self) -> None:
        self._ask_for({})

    def action_level(self, step: int) -> None:
        here = LEVELS.index(self._args.get("level", "info"))
        level = LEVELS[min(max(here + step, 0), len(LEVELS) - 1)]
        rest = {key: value for key, value in self._args.items() if key != "level"}
        self._ask_for(rest if level == "info" else {"level": level, **rest})

    def action_filter(self) -> None:
        told = self.document("log", LogTold) or LogTold()
        dialog = LineDialog(
            self.floor.perf, "LOG FILTER",
            "level:warning component:trade, or words to look for (a trade's id finds its whole way).",
            value=filters.written(self._args),
            more=(f"levels  {' '.join(LEVELS)}", f"components  {' '.join(told.components)}"),
            check=lambda line: self._wrong(line, told),
        )  # fmt: skip
        self.app.push_screen(dialog, lambda line: None if line is None else self._ask_for(_parsed(line, told)))

    def _wrong(self, line: str, told: LogTold) -> str:
        try:
            level = _parsed(line, told).get("level", "info")
        except ValueError as error:
            return str(error)
        return "" if level in LEVELS else f"level {level!r}: use {', '.join(LEVELS)}"


def _parsed(line: str, told: LogTold) -> dict[str, str]:
    def shorthand(word: str) -> str:
        return "level" if word in LEVELS else "component" if word in told.components else ""

    return filters.parsed(line, KEYS, shorthand)


def _key(one: LogLine) -> str:
    return f"{one.ts_utc} {one.event} {one.trade_id} {one.text}"


def _line(one: LogLine, width: int) -> ink.Line:
    """Narrow panes lose the date, the level's end and the trade, never the words."""
    at = instant(one.ts_utc) if one.ts_utc else 0
    style = _STYLES.get(one.level, ink.DIM)
    wide = width >= WIDE
    when = "--" if not at else f"{words.day_text(at)} {words.clock_text(at)}" if wide else words.clock_text(at)
    event = f"{one.event:<22}" if wide else ink.fit(one.event.rpartition(".")[2], 12)
    level = f"{one.level:<8}" if wide else f"{_SHORT.get(one.level, one.level):<4}"
    return ink.clipped(
        (
            (f" {when} ", ink.FAINT), (f"{level} ", style),
            (f"{event} ", ink.TEXT), (f"{one.trade_id} " if one.trade_id and wide else "", ink.ACCENT),
            (words.shortened(one.text, at), style if one.level != "info" else ink.TEXT),
        ),
        width,
    )  # fmt: skip
