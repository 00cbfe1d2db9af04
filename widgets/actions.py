"""The one table of what keys do. Bindings, footer, help and palette are all made from it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from textual.binding import Binding

from station.link import LinkState, Orders, Positions
from station.link.floor import READY
from widgets.order import BUY, SELL
from widgets.sight import TIMEFRAMES

if TYPE_CHECKING:
    from widgets.app import FloorApp

PROTECT: Final = "Protect"
DEAL: Final = "Deal"
LOOK: Final = "Look"
CHART: Final = "Chart and chain"
SCREEN: Final = "Screens"
STATION: Final = "Station"


LAST_HEARD: Final = "{} when the engine was last heard; none answers now, only the broker knows what is open"


def _always(_app: FloorApp) -> str:
    return ""


def _one_picked(app: FloorApp) -> str:
    if not app.positions.display:
        return "the positions pane is not shown: press p first, so that you see what you close"
    if app.picked_position is not None:
        return ""
    part = app.link.view.floor.positions
    if unknown := _unknown(part):
        return f"the positions are not known here: X closes every one. {unknown}"
    if part is not None and not part.rows:
        return "flat: there is no position, and no working entry" if _heard(app) else LAST_HEARD.format("flat")
    return "no position is picked: choose one with the arrows"


def _heard(app: FloorApp) -> bool:
    """What the floor tells is the present."""
    return app.link.state is LinkState.CONNECTED


def _unknown(part: Positions | Orders | None) -> str:
    """Why there is nothing to pick from; empty where there is, or where it is empty."""
    return "" if part is None or part.state == READY else part.note or part.state


def _no_orders(app: FloorApp) -> str:
    part = app.link.view.floor.orders
    if part is None or part.rows:
        return ""
    return "no order works at the broker" if _heard(app) else LAST_HEARD.format("no order worked")


def _may_cancel(app: FloorApp) -> str:
    if app.dealing.on_orders:
        order = app.dealing.picked_order
        if order is None:
            unknown = _unknown(app.link.view.floor.orders)
            if unknown:
                return f"the working orders are not known here: C cancels every entry. {unknown}"
            return _no_orders(app) or "no order is picked: choose one with the arrows"
        return (
            "" if order.may_cancel else "an exit protects its position: it is modified, or goes with its trade"
        )
    why = _one_picked(app)
    row = app.picked_position
    if why or row is None:
        return why
    return "" if row.entry_ref else f"{row.label} has no working entry to cancel"


def _may_modify(app: FloorApp) -> str:
    order = app.dealing.picked_order
    if order is None and (unknown := _unknown(app.link.view.floor.orders)):
        return f"the working orders are not known here. {unknown}"
    if order is None:
        return _no_orders(app) or "no working order is picked: press u and choose one with the arrows"
    return (
        ""
        if order.may_modify
        else "it cannot be changed now: the broker has not confirmed it, or it has no price"
    )


def _kill_is_on(app: FloorApp) -> str:
    return "" if app.killed else "the kill switch is off"


def _some_locked(app: FloorApp) -> str:
    known = app.link.view.floor.header
    return "" if known is not None and known.quarantined else "no symbol is quarantined"


def _close(app: FloorApp) -> None:
    if app.picked_position is not None:
        app.hand.close(app.picked_position)


def _part(app: FloorApp) -> None:
    if app.picked_position is not None:
        app.dealing.close_part(app.picked_position)


def _reverse(app: FloorApp) -> None:
    if app.picked_position is not None:
        app.dealing.reverse(app.picked_position)


def _modify(app: FloorApp) -> None:
    if app.dealing.picked_order is not None:
        app.dealing.modify(app.dealing.picked_order)


def _cancel(app: FloorApp) -> None:
    if app.dealing.on_orders and app.dealing.picked_order is not None:
        app.dealing.cancel(app.dealing.picked_order)
    elif app.picked_position is not None:
        app.hand.cancel_entry(app.picked_position)


class Keyed(Protocol):
    """What a key is printed for."""

    @property
    def name(self) -> str: ...

    @property
    def keys(self) -> str: ...

    @property
    def shown(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Action:
    """`guard` says why the action makes no sense now, empty when it does; `perform` does it. Unlisted ones are
    told of by another line of the help. One that is `alone` is no letter of a word: typed within one it does
    nothing."""

    name: str
    keys: str
    shown: str
    label: str
    help: str
    group: str
    perform: Callable[[FloorApp], None]
    guard: Callable[[FloorApp], str] = _always
    footer: bool = True
    fixed: bool = False
    listed: bool = True
    alone: bool = False

    @property
    def commands(self) -> bool:
        """It tells the engine what to do, which an observer may not. The kill key is the engine's to judge."""
        return not self.fixed and (self.group in (PROTECT, DEAL) or self.name == "reconcile")

    def why_not(self, app: FloorApp) -> str:
        """Why it is not done now, in a line; empty where it is."""
        if self.commands and app.read_only:
            return f"this screen is attached read-only: {self.label} is for a screen that trades"
        return self.guard(app)

    def binding(self) -> Binding:
        """The kill key has no id, so that no keymap can move it, and priority, so that nothing can hide it."""
        run = f"act('{self.name}')"
        if self.fixed:
            return Binding(self.keys, run, self.label, priority=True, show=False)
        return Binding(self.keys, run, self.label, show=False, id=f"vigil.{self.name}")


_NAMES: Final = {"question_mark": "?", "slash": "/", "left_square_bracket": "[", "right_square_bracket": "]",
                 "full_stop": ".", "comma": ",", "colon": ":", "minus": "-", "plus": "+",
                 "equals_sign": "=", "number_sign": "#"}  # fmt: skip


def spoken(keys: str) -> str:
    """The first of alternative keys, as it is printed on the key: `question_mark,f1` is `?`."""
    first = keys.split(",")[0]
    return _NAMES.get(first, first.upper() if first.startswith("f") and first[1:].isdigit() else first)


@dataclass(frozen=True, slots=True)
class PaneEntry:
    """A pane of the floor: its name, the letter that brings it to the front, what it is."""

    name: str
    key: str
    label: str
    help: str


PANES: Final = (
    PaneEntry("watch", "w", "watchlist", "Watchlist: chart and chain follow its cursor."),
    PaneEntry("chart", "h", "chart", "Chart, with the fills and levels of our trades."),
    PaneEntry("positions", "p", "positions", "Positions."),
    PaneEntry("orders", "u", "orders", "Working orders, entries and exits."),
    PaneEntry("chain", "o", "chain", "Option chain."),
    PaneEntry("book", "m", "bid/ask", "Bid/ask matrix of the option chosen in the chain."),
    PaneEntry("feed", "f", "feed", "Scanner feed."),
    PaneEntry("strategies", "t", "strategies", "Strategies and the hunter."),
    PaneEntry("wealth", "l", "ladder", "Wealth ladder."),
    PaneEntry("alerts", "a", "alerts", "Alert log."),
)
"""In the order of the focus cycle."""
PANE_KEYS: Final = {entry.name: entry.key for entry in PANES}
PANE_NAMES: Final = {entry.name: entry.label for entry in PANES}


@dataclass(frozen=True, slots=True)
class ScreenEntry:
    """A screen beside the floor: its name, its keys, what it is."""

    name: str
    keys: str
    label: str
    help: str


SCREENS: Final = (
    ScreenEntry("signals", "f3", "signals", "Signals: each with its order, fill and latencies."),
    ScreenEntry("risk", "f4", "risk", "Risk: every rule now, the book's greeks, exposure, a stress grid."),
    ScreenEntry("scanners", "f5", "scanners", "Scanners: every rule, gates, last firing, settings."),
    ScreenEntry("tactics", "f6", "strategies screen", "Strategies: all fields, duplicate, versions."),
    ScreenEntry("settings", "f7", "configuration", "Configuration: every setting, its range, its history."),
    ScreenEntry("journal", "f8,J", "journal", "Journal: every trade, its story and its film; notes and tags."),
    ScreenEntry(
        "performance", "f9,Y", "performance", "Performance: the equity curve, and the figures by group."
    ),
    ScreenEntry("health", "f10,H", "data health", "Data health: each feed's mode, age, gaps and quality."),
    ScreenEntry("log", "f11,L", "log", "Log: by level, component and words."),
    ScreenEntry("jobs", "T", "jobs and tasks", "Jobs and tasks: heartbeats, restarts, schedules."),
)
"""In the order of the cycle."""


def _pane(entry: PaneEntry) -> Action:
    return Action(
        entry.name, entry.key, entry.key, entry.label, entry.help, LOOK,
        lambda app: app.look_at(entry.name), footer=False,
    )  # fmt: skip


def _timeframe(place: int, frame: str) -> Action:
    key = str((place + 1) % 10)
    return Action(
        f"chart_{frame}", key, key, f"{frame} chart", f"Chart at {frame}.", CHART,
        lambda app: app.aim(timeframe=frame), footer=False, listed=False,
    )  # fmt: skip


def _screen(entry: ScreenEntry) -> Action:
    return Action(
        entry.name, entry.keys, spoken(entry.keys), entry.label, entry.help, SCREEN,
        lambda app: app.turn(entry.name), footer=False,
    )  # fmt: skip


_PROTECTIVE: Final = (
    Action("kill", "f12", "F12", "KILL",
           "Kill switch: cancel what can open or increase exposure; once more closes every position.",
           PROTECT, lambda app: app.hand.kill(), fixed=True),
    Action("close", "x", "x", "close", "Close the picked position at market.",
           PROTECT, _close, _one_picked),
    Action("flatten", "X,F", "X", "flatten", "Close every position at market, at once.",
           PROTECT, lambda app: app.hand.flatten(), alone=True),
    Action("cancel", "c", "c", "cancel", "Cancel the picked order, or the picked position's working entry.",
           PROTECT, _cancel, _may_cancel),
    Action("part", "minus", "-", "close part", "Close a part of the picked position at market.",
           PROTECT, _part, _one_picked, footer=False),
    Action("cancel_all", "C", "C", "cancel all", "Cancel every working entry; exits stand.",
           PROTECT, lambda app: app.dealing.cancel_all(), footer=False),
    Action("gate", "g", "g", "gate", "Market gate: open, reducing or closed.",
           PROTECT, lambda app: app.hand.choose_gate()),
    Action("release", "R", "R", "release kill", "Release the kill switch with a typed word.",
           PROTECT, lambda app: app.hand.release_kill(), _kill_is_on, footer=False),
    Action("lift", "Q", "Q", "lift quarantine", "Free a quarantined symbol for entries, with a typed word.",
           PROTECT, lambda app: app.hand.lift_quarantine(), _some_locked, footer=False),
)  # fmt: skip
_DEALING: Final = (
    Action("buy", "b", "b", "buy", "Ticket to buy: of the chain's option, a position's, or a firing's.",
           DEAL, lambda app: app.dealing.ticket(BUY)),
    Action("sell", "s", "s", "sell", "Ticket to sell the same; in positions, close a part of the picked one.",
           DEAL, lambda app: app.dealing.ticket(SELL)),
    Action("line", "colon", ":", "order line", "An order in one line of words.", DEAL,
           lambda app: app.dealing.order_line()),
    Action("proposal", "P", "P", "proposal", "What a strategy proposes, as a ticket: send it or decline it.",
           DEAL, lambda app: app.dealing.proposal(), footer=False),
    Action("modify", "M", "M", "modify", "Change the picked working order: its price, an entry's size too.",
           DEAL, _modify, _may_modify, footer=False),
    Action("reverse", "V", "V", "reverse", "Close the picked position, then go the other way.",
           DEAL, _reverse, _one_picked, footer=False),
)  # fmt: skip
_LOOKING: Final = (
    Action("zoom", "z", "z", "zoom", "The pane in focus alone, and back.", LOOK, lambda app: app.zoom()),
    Action("symbol", "slash", "/", "symbol", "Look at another symbol.", LOOK,
           lambda app: app.hand.choose_symbol()),
    Action("jump", "space", "space", "jump", "Jump: any pane or screen by one key, those out of sight too.",
           LOOK, lambda app: app.jump(), footer=False),
    Action("groups", "I", "I", "group", "A watchlist group: name it, choose and order its symbols.", LOOK,
           lambda app: app.groups.edit(), footer=False),
    Action("next", "tab", "tab", "pane", "Next pane.", LOOK, lambda app: app.step_pane(1), footer=False),
    Action("previous", "shift+tab", "shift+tab", "pane", "Previous pane.", LOOK,
           lambda app: app.step_pane(-1), footer=False),
)  # fmt: skip
_CHARTING: Final = (
    Action("shorter", "left_square_bracket", "[", "shorter", "A shorter timeframe.", CHART,
           lambda app: app.aim(step=-1), footer=False),
    Action("longer", "right_square_bracket", "]", "longer", "A longer timeframe.", CHART,
           lambda app: app.aim(step=1), footer=False),
    Action("averages", "e", "e", "averages", "Averages over 21 and 200 bars, on or off.", CHART,
           lambda app: app.aim(switch="ema"), footer=False),
    Action("vwap", "v", "v", "VWAP", "The session's VWAP, on or off.", CHART,
           lambda app: app.aim(switch="vwap"), footer=False),
    Action("day", "d", "d", "day before", "High, low and close of the session before, on or off.", CHART,
           lambda app: app.aim(switch="day"), footer=False),
    Action("opening", "n", "n", "opening range", "The opening range and its middle, on or off.", CHART,
           lambda app: app.aim(switch="opening"), footer=False),
    Action("plan", "G", "G", "scanner levels", "Levels that the scanners wait at, on or off.", CHART,
           lambda app: app.aim(switch="plan"), footer=False),
    Action("volume", "U", "U", "volume", "Volume under the chart, on or off.", CHART,
           lambda app: app.aim(switch="volume"), footer=False),
    Action("expiry", "y", "y", "expiry", "The chain's expiry: 0DTE, weekly, monthly.", CHART,
           lambda app: app.aim(switch="expiry"), footer=False),
)  # fmt: skip
_TURNING: Final = (
    Action("floor", "f2", "F2", "floor", "The floor again; so does esc.", SCREEN, lambda app: app.turn(""),
           footer=False),
    Action("after", "full_stop", ".", "next screen", "Next screen.", SCREEN, lambda app: app.turn_by(1),
           footer=False),
    Action("before", "comma", ",", "screen before", "Screen before.", SCREEN, lambda app: app.turn_by(-1),
           footer=False),
)  # fmt: skip
_STATION: Final = (
    Action("reconcile", "r", "r", "reconcile", "Compare our books with the broker's, now.",
           STATION, lambda app: app.hand.reconcile(), footer=False),
    Action("profiles", "i", "i", "accounts", "The paper accounts (profiles) side by side.",
           STATION, lambda app: app.hand.show_profiles(), footer=False),
    Action("copy", "ctrl+y", "ctrl+y", "copy", "Copy the pane in focus: to the clipboard and a file.",
           STATION, lambda app: app.manner.copy(), footer=False),
    Action("options", "O", "O", "options", "This screen: theme, bells, banners, slow link, order of screens.",
           STATION, lambda app: app.manner.choose(), footer=False),
    Action("theme", "ctrl+t", "ctrl+t", "theme", "Dark, light, high contrast, colour-blind.", STATION,
           lambda app: app.manner.next_theme(), footer=False),
    Action("slow", "N", "N", "slow link", "Paint twice a second, for a slow link; it is found by itself too.",
           STATION, lambda app: app.manner.switch_pace(), footer=False),
    Action("welcome", "ctrl+w", "ctrl+w", "welcome", "The first minutes again.", STATION,
           lambda app: app.manner.greet(), footer=False),
    Action("help", "question_mark,f1", "?", "help", "This page.", STATION, lambda app: app.hand.show_help()),
    Action("quit", "q,ctrl+c", "q", "quit", "Leave: detach, or stop the engine.", STATION,
           lambda app: app.hand.ask_quit()),
)  # fmt: skip
ACTIONS: Final = (
    _PROTECTIVE[0], *_DEALING, *_PROTECTIVE[1:], *(_pane(entry) for entry in PANES), *_LOOKING, *_CHARTING,
    *(_timeframe(place, frame) for place, frame in enumerate(TIMEFRAMES)),
    *_TURNING, *(_screen(entry) for entry in SCREENS), *_STATION,
)  # fmt: skip

BY_NAME: Final = {action.name: action for action in ACTIONS}
FORBIDDEN: Final = frozenset({"f12", "ctrl+q", "ctrl+z", "ctrl+m", "ctrl+h", "ctrl+i", "enter", "escape"})
CURSOR_KEYS: Final = frozenset(
    {"up", "down", "left", "right", "j", "k", "pageup", "pagedown", "home", "end", "ctrl+p"}
)
