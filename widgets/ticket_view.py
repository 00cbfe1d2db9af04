"""The ticket as it is drawn: the form at the left, at the right what the engine says of it, the keys below."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from station.domain.clock import SECOND
from widgets import ink, words
from widgets.fate import Fate
from widgets.ink import Line, Span
from widgets.order import BUY, LIMIT
from widgets.orderline import price_of
from widgets.pane import wrapped
from widgets.preview import Preview, loud_lines, money_lines, rule_lines
from widgets.ticket import BRACKET, CHOICES, NAMES, Form, Market

EDIT: Final = "edit"
ARMED: Final = "armed"
SENDING: Final = "sending"
OVER: Final = "over"
FORM_CELLS: Final = 37
NARROW_FORM: Final = 34
ROOMY_FROM: Final = 72
LEAST_BESIDE: Final = 30
"""Cells that the engine's word needs beside the form."""
TWO_COLUMNS_FROM: Final = 60
MONEY_ROWS: Final = 9
"""What it is likely to say, before it has said anything."""
THROUGH_PCT: Final = 5
"""Beyond the other side of the market by which a limit is remarked on."""
STALE_S: Final = 5.0
"""Seconds after which a quote is told with its age."""
LABELS: Final = {
    "action": "side", "qty": "quantity", "kind": "order", "trigger": "trigger", "limit": "limit",
    "target": "take profit", "stop": "stop loss", "confidence": "confidence", "override": "override",
}  # fmt: skip
HINTS: Final = {
    "action": "", "kind": "← →", "qty": "↑ ↓", "limit": "↑ ↓ b m a l", "trigger": "↑ ↓ b m a l",
    "target": "price or %", "stop": "price or %", "confidence": "0-100", "override": "space",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class TicketPicture:
    """Everything the ticket shows. `fault` stands at `fault_at`; `waiting` while a preview of this very form is
    on its way; `old_s` seconds since the preview was made; `barred` says why nothing can be sent; `whole` where
    every rule is shown; `fate` is what became of it."""

    form: Form
    market: Market
    preview: Preview | None
    stage: str = EDIT
    fault: str = ""
    fault_at: str = ""
    news: str = ""
    tone: str = "info"
    waiting: bool = False
    old_s: float = 0.0
    barred: str = ""
    order: str = ""
    cursor: int = 0
    contract: str = ""
    live: bool = False
    about: tuple[str, ...] = ()
    now_ns: int = 0
    whole: bool = False
    fate: Fate | None = None


def picture_lines(picture: TicketPicture, width: int, height: int) -> list[Line]:
    """The whole ticket in `height` lines of `width` cells."""
    foot = _foot(picture, width)
    room = height - len(foot) - 1
    cells, other = _halves(width)
    left = _form_lines(picture, cells)
    right = _engine_lines(picture, other, room)
    rows: list[Line] = []
    for row in range(room):
        one = left[row] if row < len(left) else ink.BLANK
        beside = right[row] if row < len(right) else ink.BLANK
        rows.append(
            (*ink.clipped(one, cells), (" " * (cells - min(ink.width_of(one), cells)), ink.TEXT),
             ("│ ", ink.FAINT), *beside)
        )  # fmt: skip
    return [*rows, (("─" * width, ink.FAINT),), *foot]


def rows_wanted(picture: TicketPicture, width: int) -> int:
    """The least height in which the form and all that speaks against it are read."""
    cells, other = _halves(width)
    preview, right = picture.preview, MONEY_ROWS
    if preview is not None and not picture.barred:
        right = len(money_lines(preview, other)) + 1 + len(loud_lines(preview, other)) + bool(preview.rules)
    return max(len(_form_lines(picture, cells)), right) + 1 + len(_foot(picture, width))


def _halves(width: int) -> tuple[int, int]:
    """Cells of the form, and of what the engine says beside it."""
    cells = FORM_CELLS if width >= ROOMY_FROM else NARROW_FORM
    return cells, max(width - cells - 2, LEAST_BESIDE)


def _form_lines(picture: TicketPicture, cells: int) -> list[Line]:
    form, market = picture.form, picture.market
    editing = picture.stage == EDIT
    rows = [_field(picture, name, cells, editing=editing) for name in form.fields]
    side = ink.UP if form.action == BUY else ink.DOWN
    what: Line = ((f" {form.action} ", side), (picture.contract or contract_of(form), ink.STRONG))
    told: list[Line] = [((f" {line}", ink.DIM),) for one in picture.about for line in wrapped(one, cells - 2)]
    return [what, *rows, *_market_lines(market, picture.now_ns, cells), *told]


def _market_lines(market: Market, now_ns: int, cells: int) -> list[Line]:
    """The prices that keys fetch; dimmed and with their age where they are old."""
    old_s = (now_ns - market.at_ns) / SECOND if market.at_ns and now_ns else 0.0
    stale = old_s >= STALE_S
    strong, plain = (ink.DIM, ink.DIM) if stale else (ink.STRONG, ink.TEXT)
    tick = market.rule.increment(market.last or market.mid or market.rule.steps[0][0])
    told = [("bid", _price(market.bid), strong), ("mid", _price(market.mid), strong),
            ("ask", _price(market.ask), strong), ("last", _price(market.last), plain),
            ("tick", f"{tick}", ink.TEXT)]  # fmt: skip
    told += [("", f"{words.age_text(old_s)} old", ink.WARN)] if stale else []
    lines: list[list[Span]] = [[]]
    room = cells
    for name, text, style in told:
        need = len(name) + len(text) + 2
        if need > room or name == "last":
            lines.append([])
            room = cells
        lines[-1] += [(f" {name} ", ink.FAINT), (text, style)]
        room -= need
    return [tuple(line) for line in lines]


def _price(value: Decimal | None) -> str:
    return "--" if value is None else words.price(value)


def contract_of(form: Form) -> str:
    """`SPX 5940C 0DTE`."""
    if form.strike is None:
        return form.symbol
    return f"{form.symbol} {form.strike.normalize():f}{form.right} {form.expiry.upper()}"


def _field(picture: TicketPicture, name: str, cells: int, *, editing: bool) -> Line:
    form = picture.form
    here = editing and form.at == name
    wrong = picture.fault_at == name
    text, style = _value(form, name)
    label: Span = (f"{'▸' if here else ' '}{LABELS[name]:<12}", ink.STRONG if here else ink.DIM)
    if wrong:
        style = ink.ALARM
    if here and name not in CHOICES:
        text = f"{text if form.text(name) else ''}▏" if not form.fresh or not form.text(name) else f"[{text}]"
    hint = HINTS[name] if here else ""
    line: Line = (label, (text, style), (f"  {hint}" if hint else "", ink.FAINT))
    if not here:
        return line
    padded = (*line, (" " * max(cells - 1 - ink.width_of(line), 0), ink.TEXT))
    return ink.on_ground(padded, ink.CURSOR.bgcolor.name if ink.CURSOR.bgcolor else ink.PICKED)


def _value(form: Form, name: str) -> tuple[str, ink.Style]:
    if name == "action":
        return form.action, ink.UP if form.action == BUY else ink.DOWN
    if name == "kind":
        return NAMES[form.kind], ink.STRONG
    if name == "override":
        return ("YES, past advice", ink.WARN) if form.override else ("no", ink.TEXT)
    text = form.text(name)
    if text:
        return text, ink.STRONG
    if form.policy and name != "qty":
        return "as its strategy says", ink.FAINT
    if name in ("target", "stop"):
        usual = "by the house's rule" if name == "target" else "none of its own"
        return ("needed", ink.WARN) if form.kind == BRACKET else (usual, ink.FAINT)
    return ("not told", ink.FAINT) if name == "confidence" else ("--", ink.FAINT)


def _engine_lines(picture: TicketPicture, width: int, room: int) -> list[Line]:
    if picture.barred:
        return [((line, ink.ALARM),) for line in wrapped(picture.barred, width)]
    preview = picture.preview
    if preview is None:
        return [(("asking the engine …", ink.DIM),)] if not picture.fault else []
    age = f"  {words.age_text(picture.old_s)} old" if picture.old_s >= 3 else ""
    age = "  asking …" if picture.waiting else age
    calm = preview.approved and not preview.overridden
    verdict: Line = ((f" {preview.verdict} ", ink.PAPER if calm else ink.CAUTION), (age, ink.WARN))
    money = money_lines(preview, width)
    space = max(room - len(money) - 1, 1)
    ways = ((1, 2) if width >= TWO_COLUMNS_FROM else (1,)) if picture.whole else (0,)
    made = [rule_lines(preview, width, columns) for columns in ways]
    rules = next((lines for lines in made if len(lines) <= space), made[-1])
    top = min(picture.cursor, max(len(rules) - space, 0))
    shown = rules[top : top + space]
    if top + space < len(rules):
        left = len(rules) - top - space + 1
        how = f"… {left} more lines: ctrl+↓" if picture.whole else f"… {left} more lines: r, every rule"
        shown = [*shown[:-1], ((f"  {how}", ink.DIM),)]
    lines = [*money, verdict, *shown]
    return [ink.faded(line) for line in lines] if picture.waiting and not picture.fault else lines


# --- the foot ------------------------------------------------------------------------------------------


_TONES: Final = {"info": ink.TEXT, "good": ink.UP, "warn": ink.WARN, "bad": ink.ALARM}


def _foot(picture: TicketPicture, width: int) -> list[Line]:
    """News, and what became of it, over two lines of keys."""
    text, tone = (picture.fault, "bad") if picture.fault else (picture.news, picture.tone)
    if picture.stage == ARMED and tone == "info" and picture.preview is not None and not picture.waiting:
        # Why, in full, stands above.
        text, tone = (text, tone) if picture.preview.approved else ("Nothing can be sent as it stands.", "bad")
    said: list[Line] = [((f" {line}", _TONES[tone]),) for line in wrapped(text, width - 1)[:3]]
    through = (
        "" if picture.fault or picture.stage not in (EDIT, ARMED) else _through(picture.form, picture.market)
    )
    said += [((f" {line}", ink.WARN),) for line in wrapped(through, width - 1)[:2]] if through else []
    if picture.fate is not None:
        fate = picture.fate
        said += [((f" {line}", _TONES[fate.tone]),) for line in wrapped(fate.text, width - 1)[:2]]
    said = said or [ink.BLANK]
    return [*said, *(ink.clipped(line, width) for line in _keys(picture, width))]


def _through(form: Form, market: Market) -> str:
    """That a limit lies well beyond the other side of the market, as one with a slipped digit does."""
    limit, buys = price_of(form.text("limit")), form.action == BUY
    edge = market.ask if buys else market.bid
    if limit is None or not edge or form.kind not in (LIMIT, BRACKET):
        return ""
    beyond = (limit - edge if buys else edge - limit) / edge * 100
    if beyond < THROUGH_PCT:
        return ""
    side = "over the ask" if buys else "under the bid"
    return f"limit {words.price(limit)} is {beyond:.0f} % {side} {words.price(edge)}: it fills at once."


def _why_not(picture: TicketPicture) -> str:
    refused = picture.preview.refused if picture.preview is not None else ()
    if refused and not picture.barred and all(rule.advises for rule in refused):
        return "only advice refuses it: override in the ticket asks past that"
    return "it cannot be sent as it stands"


def _keys(picture: TicketPicture, width: int) -> tuple[Line, ...]:
    if picture.stage == ARMED:
        back: Line = (
            (" ▸[ Enter  not yet, back to the ticket ] ", ink.LAST),
            ("  F12 ", ink.KEY),
            ("KILL", ink.DIM),
        )
        if picture.barred or picture.preview is None or not picture.preview.approved:
            return back, ((f"  {_why_not(picture)}", ink.ALARM),)
        ground = ink.LIVE if picture.live else ink.PAPER
        return back, *(
            (("     " if number else "   y ", ink.KEY), (f"{'' if number else ' SEND '} {line} ", ground))
            for number, line in enumerate(wrapped(picture.order, width - 13))
        )
    if picture.stage == SENDING:
        return ((" sending …", ink.STRONG),), ink.BLANK
    if picture.stage == OVER:
        return (
            ((" ▸[ Enter  close ] ", ink.LAST), ("  any other key closes it and does its work", ink.DIM)),
            ((" it closes by itself once the broker has it", ink.FAINT),),
        )  # fmt: skip
    first: Line = (
        (" Enter ", ink.KEY), ("look it over", ink.DIM), ("   Esc ", ink.KEY), ("leave", ink.DIM),
        ("   r ", ink.KEY), ("small again" if picture.whole else "every rule", ink.DIM),
        ("   F12 ", ink.KEY), ("KILL", ink.DIM),
    )  # fmt: skip
    if picture.form.policy:
        return first, (
            (" d ", ink.KEY), ("decline it", ink.DIM), ("   Tab ", ink.KEY), ("field", ink.DIM),
            ("   ↑ ↓ PgUp PgDn ", ink.KEY), ("step", ink.DIM), ("   b m a l ", ink.KEY), ("market", ink.DIM),
        )  # fmt: skip
    second: Line = (
        (" Tab ", ink.KEY), ("field", ink.DIM), ("   ↑ ↓ PgUp PgDn ", ink.KEY), ("step", ink.DIM),
        ("   b m a l ", ink.KEY), ("bid mid ask last", ink.DIM),
    )  # fmt: skip
    return first, second
