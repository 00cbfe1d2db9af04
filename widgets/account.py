"""The account strip: the day's curve, the trades that made it, and what may still be risked."""

from __future__ import annotations

import logging
from decimal import Decimal

from station.domain.clock import MINUTE
from station.link import Account, LinkState
from widgets import candles, ink, words
from widgets.canvas import DRAWING_FAULTS, LineCanvas
from widgets.ink import Line, Span, Style
from widgets.scene import Scene

CURVE = 48
GAP: Span = ("   ", ink.TEXT)
_log = logging.getLogger(__name__)


class AccountStrip(LineCanvas):
    """One line, or two where there is room."""

    def paint(self, scene: Scene) -> None:
        if not self.size.height:
            return
        try:
            self.show(lines(scene, self.size.width, self.size.height))
        except DRAWING_FAULTS:
            _log.exception("the account strip cannot be drawn")
            self.show([((" the account could not be drawn; the log says why ", ink.ALARM),)])


def lines(scene: Scene, width: int, rows: int) -> list[Line]:
    """The strip in `rows` lines (1 or 2) of `width` cells."""
    account = scene.floor.account
    if account is None or account.state != "ready":
        said, style = _unknown(account, scene)
        return [ink.clipped(((f" {said}", style),), width)]
    curve = _curve(account, min(CURVE, width // (3 if width >= 100 else 5)), rows)
    trades, limit, sums = _trades(account), _limit(account), _sums(account)
    old = _old(account, scene)
    if old:
        trades, limit, sums = ([ink.faded(line) for line in part] for part in (trades, limit, sums))
        curve = [ink.faded(line) for line in curve]
    first: list[Line] = [((old, ink.ALARM), GAP)] if old else []
    said = [[*first, *trades, *limit, *sums]] if rows < 2 else [[*first, *trades, *limit], sums]
    return [ink.packed(line, parts, width) for line, parts in zip(curve, said, strict=True)]


def _old(account: Account, scene: Scene) -> str:
    """Of when the figures are and why no newer ones come; empty while they are the present."""
    if not scene.live:
        return f"{_gone(scene)}: of {words.clock_text(scene.now_ns)}"
    header, age_s = scene.floor.header, scene.age_s(account.at_ns)
    down = header is not None and not header.broker_up
    if not account.at_ns or not (down or age_s > account.stale_s):
        return ""
    since = f"of {words.clock_text(account.at_ns)}, {words.age_text(age_s)} old"
    return f"broker {header.broker} down: {since}" if header is not None and down else since


def _gone(scene: Scene) -> str:
    gone = "engine silent" if scene.state is LinkState.SILENT else "engine lost"
    return f"{gone} {words.age_text(scene.silence_s)}"


def _unknown(account: Account | None, scene: Scene) -> tuple[str, Style]:
    """What stands instead of figures that were never seen."""
    header = scene.floor.header
    if scene.state is LinkState.MISMATCH:
        return f"no account figures: {scene.detail}", ink.ALARM
    if not scene.live and scene.state is not LinkState.CONNECTING:
        since = f" since {words.clock_text(scene.now_ns)} ET" if header is not None else ""
        return (
            f"no account figures: {_gone(scene) if header is not None else 'no engine answers'}{since}",
            ink.ALARM,
        )
    if header is not None and not header.broker_up:
        return f"no account figures: the broker {header.broker} is down", ink.ALARM
    return account.note if account is not None and account.note else "waiting for the account …", ink.DIM


def _curve(account: Account, cells: int, rows: int) -> list[Line]:
    """The day's P&L so far over the part of the session that has passed."""
    whole = max(account.curve_to_ns - account.curve_from_ns, 1)
    passed = len(account.curve) * MINUTE
    used = min(max(round(cells * passed / whole), 1), cells) if account.curve else 0
    style = words.tone(account.curve[-1]) if account.curve else ink.DIM
    lines: list[Line] = []
    for row, text in enumerate(candles.spark(account.curve, used, rows)):
        ahead = ("·" if row == rows - 1 else " ") * (cells - len(text))
        lines.append(((" ", ink.TEXT), (text, style), (ahead, ink.FAINT), GAP))
    return lines


def _trades(account: Account) -> list[Line]:
    closed = account.won + account.lost
    rate = f"{account.won / closed * 100:.0f}%" if closed else "--"
    return [
        (("trades ", ink.DIM), (f"{account.trades}", ink.TEXT), GAP),
        (("win ", ink.DIM), (rate, ink.TEXT), (f" {account.won}–{account.lost}", ink.DIM), GAP),
    ]


def _limit(account: Account) -> list[Line]:
    """How much of the day's loss limit is used."""
    if not account.loss_limit:
        return []
    used = float(-min(account.day_pnl or Decimal(0), Decimal(0)) / account.loss_limit * 100)
    style = ink.ALARM if used >= 100 else ink.WARN if used >= 50 else ink.DIM
    of = f" of {words.whole(account.loss_limit)}"
    return [(("loss limit ", ink.DIM), (f"{used:.0f}%", style), (of, ink.DIM), GAP)]


def _sums(account: Account) -> list[Line]:
    found: list[Line] = []
    for name, value in (("buying power", account.buying_power), ("cash", account.cash)):
        found.append(((f"{name} ", ink.DIM), ("--" if value is None else words.whole(value), ink.TEXT), GAP))
    if account.realised is not None:
        text = f"{words.arrow(account.realised)} {words.signed_money(account.realised)}"
        found.append((("realised ", ink.DIM), (text, words.tone(account.realised)), GAP))
    return found
