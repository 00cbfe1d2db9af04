"""The ticket as it is drawn: the form at the left, at the right what the engine says of it, the keys below."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from station.domain.clock import SECOND
from widgets import ink, words
from widgets.ink import Line, Span
from widgets.order import BUY
from widgets.pane import wrapped
from widgets.preview import Preview, money_lines, rule_lines
from widgets.ticket import BRACKET, CHOICES, NAMES, Form, Market

EDIT: Final = "edit"
ARMED: Final = "armed"
SENDING: Final = "sending"
OVER: Final = "over"
FORM_CELLS: Final = 37
ROOMY_FROM: Final = 100
SMALL_ROOM: Final = 16
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
    on its way; `old_s` seconds since the preview was made; `barred` says why nothing can be sent."""

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


def picture_lines(picture: TicketPicture, width: int, height: int) -> list[Line]:
    """The whole ticket in `height` lines of `width` cells."""
    foot = _foot(picture, width)
    room = height - len(foot) - 1
    roomy = width >= ROOMY_FROM
    left = _form_lines(picture, tight=room <= SMALL_ROOM and bool(picture.about))
    right = _engine_lines(picture, width - FORM_CELLS - 2, room, roomy=roomy)
    rows: list[Line] = []
    for row in range(room):
        one = left[row] if row < len(left) else ink.BLANK
        other = right[row] if row < len(right) else ink.BLANK
        rows.append(
            (*ink.clipped(one, FORM_CELLS), (" " * (FORM_CELLS - min(ink.width_of(one), FORM_CELLS)), ink.TEXT),
             ("│ ", ink.FAINT), *other)
        )  # fmt: skip
    return [*rows, (("─" * width, ink.FAINT),), *foot]


def _form_lines(picture: TicketPicture, *, tight: bool) -> list[Line]:
    form, market = picture.form, picture.market
    editing = picture.stage == EDIT
    rows = [_field(picture, name, editing=editing) for name in form.fields]
    prices, last = _market_lines(market, picture.now_ns)
    side = ink.UP if form.action == BUY else ink.DOWN
    what: Line = ((f" {form.action} ", side), (picture.contract or contract_of(form), ink.STRONG))
    told: list[Line] = [
        ((f" {line}", ink.DIM),) for one in picture.about for line in wrapped(one, FORM_CELLS - 2)
    ]
    gap = [] if tight else [ink.BLANK]
    return [what, *gap, *rows, *gap, prices, last, *gap, *told]


def _market_lines(market: Market, now_ns: int) -> tuple[Line, Line]:
    """The prices that keys fetch; dimmed and with their age where they are old."""
    old_s = (now_ns - market.at_ns) / SECOND if market.at_ns and now_ns else 0.0
    stale = old_s >= STALE_S
    prices: list[Span] = []
    for name, value in (("bid", market.bid), ("mid", market.mid), ("ask", market.ask)):
        style = ink.DIM if stale else ink.STRONG
        prices += [(f" {name} ", ink.FAINT), ("--" if value is None else words.price(value), style)]
    tick = market.rule.increment(market.last or market.mid or market.rule.steps[0][0])
    last = "--" if market.last is None else words.price(market.last)
    age: Span = (f"  {words.age_text(old_s)} old" if stale else "", ink.WARN)
    return tuple(prices), (
        (" last ", ink.FAINT), (last, ink.DIM if stale else ink.TEXT), ("   tick ", ink.FAINT),
        (f"{tick}", ink.TEXT), age,
    )  # fmt: skip


def contract_of(form: Form) -> str:
    """`SPX 5940C 0DTE`."""
    if form.strike is None:
        return form.symbol
    return f"{form.symbol} {form.strike.normalize():f}{form.right} {form.expiry.upper()}"


def _field(picture: TicketPicture, name: str, *, editing: bool) -> Line:
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
    padded = (*line, (" " * max(FORM_CELLS - 1 - ink.width_of(line), 0), ink.TEXT))
    return ink.on_ground(padded, ink.CURSOR.bgcolor.name if ink.CURSOR.bgcolor else ink.PICKED)


def _value(form: Form, name: str) -> tuple[str, ink.Style]:
    if name == "action":
        return form.action, ink.UP if form.action == BUY else ink.DOWN
    if name == "kind":
        return NAMES[form.kind], ink.STRONG
    if name == "override":
        return ("YES, past what advises", ink.WARN) if form.override else ("no", ink.TEXT)
    text = form.text(name)
    if text:
        return text, ink.STRONG
    if form.policy and name != "qty":
        return "as its strategy says", ink.FAINT
    if name in ("target", "stop"):
        usual = "by the house's rule" if name == "target" else "none of its own"
        return ("needed", ink.WARN) if form.kind == BRACKET else (usual, ink.FAINT)
    return ("not told", ink.FAINT) if name == "confidence" else ("--", ink.FAINT)


def _engine_lines(picture: TicketPicture, width: int, room: int, *, roomy: bool) -> list[Line]:
    if picture.barred:
        return [((line, ink.ALARM),) for line in wrapped(picture.barred, width)]
    preview = picture.preview
    if preview is None:
        return [(("asking the engine …", ink.DIM),)] if not picture.fault else []
    age = f"  {words.age_text(picture.old_s)} old" if picture.old_s >= 3 else ""
    age = "  asking …" if picture.waiting else age
    good = preview.approved
    verdict: Line = ((f" {preview.verdict} ", ink.CAUTION if not good else ink.PAPER), (age, ink.WARN))
    money = money_lines(preview, width)
    gap = [ink.BLANK] if room > SMALL_ROOM else []
    space = room - len(money) - len(gap) - 1
    made = [rule_lines(preview, width, columns) for columns in ((1, 2, 0) if roomy else (0,))]
    rules = next((lines for lines in made if len(lines) <= space), made[-1])
    top = min(picture.cursor, max(len(rules) - space, 0))
    shown = rules[top : top + space]
    if top + space < len(rules):
        shown = [*shown[:-1], ((f"  … {len(rules) - top - space + 1} more lines: ctrl+↓", ink.DIM),)]
    lines = [*money, *gap, verdict, *shown]
    return [ink.faded(line) for line in lines] if picture.waiting and not picture.fault else lines


# --- the foot ------------------------------------------------------------------------------------------


_TONES: Final = {"info": ink.TEXT, "good": ink.UP, "warn": ink.WARN, "bad": ink.ALARM}


def _foot(picture: TicketPicture, width: int) -> list[Line]:
    """Two lines of news and two of keys: as many at every stage, so that nothing jumps."""
    text, tone = (picture.fault, "bad") if picture.fault else (picture.news, picture.tone)
    if picture.stage == ARMED and tone == "info" and picture.preview is not None and not picture.waiting:
        text, tone = (refusal, "bad") if (refusal := picture.preview.refusal) else (text, tone)
    news = wrapped(text, width - 1)[:2]
    said: list[Line] = [((f" {line}", _TONES[tone]),) for line in news]
    said += [ink.BLANK] * (2 - len(said))
    return [*said, *(ink.clipped(line, width) for line in _keys(picture))]


def _why_not(picture: TicketPicture) -> str:
    refused = picture.preview.refused if picture.preview is not None else ()
    if refused and not picture.barred and all(rule.advises for rule in refused):
        return "only rules that advise refuse it: override in the ticket asks past them"
    return "it cannot be sent as it stands"


def _keys(picture: TicketPicture) -> tuple[Line, Line]:
    if picture.stage == ARMED:
        back: Line = (
            (" ▸[ Enter  not yet, back to the ticket ] ", ink.LAST),
            ("  F12 ", ink.KEY),
            ("KILL", ink.DIM),
        )
        if picture.barred or picture.preview is None or not picture.preview.approved:
            return back, ((f"  {_why_not(picture)}", ink.ALARM),)
        return back, (("   y ", ink.KEY), (f" SEND  {picture.order} ", ink.LIVE if picture.live else ink.PAPER))
    if picture.stage == SENDING:
        return ((" sending …", ink.STRONG),), ink.BLANK
    if picture.stage == OVER:
        return ((" ▸[ Enter  close ] ", ink.LAST),), ink.BLANK
    first: Line = (
        (" Enter ", ink.KEY), ("look it over, then send", ink.DIM), ("   Esc ", ink.KEY), ("leave", ink.DIM),
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
