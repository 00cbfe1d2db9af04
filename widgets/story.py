"""A trade told: what it was, why it was made, what became of it. Lines of text, pure."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from station.domain.saying import said
from widgets import ink, words
from widgets.ink import Line
from widgets.pane import Block, wrapped
from widgets.told import StoryTold, TradeTold, Verdict, instant

LABEL: Final = 10
TYPE: Final = 21
"""Cells of an event's type."""
LEAST: Final = 24
"""Cells that words need beside what stands before them."""
_VERDICTS: Final = {"pass": ink.UP, "ok": ink.UP, "block": ink.WARN, "reject": ink.ALARM, "fail": ink.ALARM}


def result_text(trade: TradeTold) -> tuple[str, ink.Style]:
    """`▲ +80.00`, or the word for what has no result yet."""
    if trade.net_pnl is None:
        word = trade.result or trade.state.lower()
        return word, ink.FAINT if word == "refused" else ink.ACCENT
    net = Decimal(trade.net_pnl)
    return f"{words.arrow(net)} {words.signed_money(net)}", words.tone(net)


def hold_text(seconds: int | None) -> str:
    """`12m`, `1h 05m`, `--` while there is none."""
    if seconds is None:
        return "--"
    if seconds < 60:
        return f"{seconds}s"
    return f"{seconds // 60}m" if seconds < 3600 else f"{seconds // 3600}h {seconds // 60 % 60:02d}m"


def telling(story: StoryTold, width: int) -> tuple[Block, ...]:
    """The summary, tags, notes and the decision trace."""
    trade = story.trade
    lines = [*_summary(trade, width), *_own(story, width)]
    if story.pictures:
        said: Line = (
            (f" {'pictures':<{LABEL}}", ink.FAINT),
            (f"at {' and '.join(story.pictures)}: p shows them", ink.TEXT),
        )
        lines.append(ink.clipped(said, width))
    if story.decision:
        lines += [ink.BLANK, _heading("Why", width)]
        for verdict in story.decision:
            lines += _verdict(verdict, width)
    return (Block(tuple(lines)),)


def _summary(trade: TradeTold, width: int) -> list[Line]:
    opened, closed = instant(trade.opened_utc), instant(trade.closed_utc)
    result, tone = result_text(trade)
    fees = f"  fees {trade.commission}" if trade.net_pnl is not None else ""
    rows: list[tuple[str, Line]] = [
        ("trade", ((f"{trade.id}  ", ink.STRONG), (words.contract(trade.label, opened), ink.STRONG))),
        ("result", ((result, tone), (f"{fees}  {trade.cause or ''}", ink.DIM))),
        ("prices", ((f"{trade.qty:g} × {trade.entry or '--'} → {trade.exit or '--'}", ink.TEXT),)),
        ("when", ((_when(opened, closed, trade.hold_s), ink.TEXT),)),
        ("strategy", ((f"{trade.strategy} v{trade.strategy_version}  {trade.origin.lower()}", ink.TEXT),)),
    ]
    if trade.scanners:
        rows.append(("scanners", ((", ".join(trade.scanners), ink.TEXT),)))
    lines = [ink.clipped(((f" {name:<{LABEL}}", ink.FAINT), *line), width) for name, line in rows]
    if trade.reason:
        lines += _paragraph("reason", trade.reason, width, ink.WARN)
    return lines


def _when(opened: int, closed: int, hold_s: int | None) -> str:
    if not opened:
        return "--"
    end = f" → {words.clock_text(closed)}  held {hold_text(hold_s)}" if closed else ""
    return f"{words.date_text(opened)} {words.clock_text(opened)}{end}"


def _own(story: StoryTold, width: int) -> list[Line]:
    """What the trader added."""
    tags = " ".join(f"#{tag}" for tag in story.tags) or "none: # puts one on"
    lines = [
        ink.clipped(((f" {'tags':<{LABEL}}", ink.FAINT), (tags, ink.KEY if story.tags else ink.FAINT)), width)
    ]
    if not story.notes:
        lines.append(((f" {'notes':<{LABEL}}", ink.FAINT), ("none: n writes one", ink.FAINT)))
    for note in story.notes:
        at = instant(note.ts_utc)
        lines += _paragraph(
            "note", f"{words.day_text(at)} {words.minute_text(at)}  {note.text}", width, ink.STRONG
        )
    return lines


def _paragraph(name: str, text: str, width: int, style: ink.Style) -> list[Line]:
    pieces = wrapped(text, max(width - LABEL - 2, 10)) or [""]
    heads = [name, *[""] * (len(pieces) - 1)]
    return [
        ((f" {head:<{LABEL}}", ink.FAINT), (piece, style)) for head, piece in zip(heads, pieces, strict=True)
    ]


def _heading(text: str, width: int) -> Line:
    return ink.clipped(((f" {text}", ink.ACCENT),), width)


def _verdict(verdict: Verdict, width: int) -> list[Line]:
    """What a stage measured and found, below each other where they do not fit beside."""
    style = _VERDICTS.get(verdict.verdict.lower(), ink.TEXT)
    at = words.clock_text(instant(verdict.ts_utc)) if verdict.ts_utc else ""
    head: Line = (
        (f" {at:<8} ", ink.FAINT), (f"{verdict.verdict:<6} ", style), (f"{verdict.stage:<12} ", ink.TEXT),
    )  # fmt: skip
    limit = f"(limit {verdict.limit})" if verdict.limit else ""
    measured = " ".join(one for one in (verdict.value or "", limit) if one)
    if ink.width_of(head) + len(measured) + len(verdict.reason) + 3 <= width:
        both = f"{measured}  {verdict.reason}" if measured else verdict.reason
        return [(*head, (both, ink.DIM))]
    if not measured:
        return _hung(head, verdict.reason, width)
    under: Line = ((" " * (ink.width_of(head)), ink.TEXT),)
    return [*_hung(head, measured, width), *_hung(under, verdict.reason, width)]


def timeline(story: StoryTold, width: int) -> tuple[Block, ...]:
    """Every event, with the state it led to; nothing is cut off."""
    states = {step.seq: step.state for step in story.transitions}
    found: list[Block] = []
    for event in story.events:
        at = instant(event.ts_utc)
        head: Line = ((f" {words.clock_text(at)} ", ink.FAINT), (f"{event.type:<{TYPE}} ", ink.TEXT))
        state = states.get(event.seq, "")
        lines = _hung(head, words.shortened(said(event.type, event.data), at), width)
        if state:
            lines.append(((" " * ink.width_of(head), ink.TEXT), (f"→ {state}", ink.ACCENT)))
        found.append(Block(tuple(lines), str(event.seq)))
    return tuple(found)


def _hung(head: Line, text: str, width: int) -> list[Line]:
    """`text` after `head`, going on under itself."""
    room = width - ink.width_of(head) - 1
    if room < LEAST:
        return [ink.clipped(head, width), *(((" " * 10, ink.TEXT), (one, ink.DIM)) for one in
                                            wrapped(text, width - 11))]  # fmt: skip
    first, *rest = wrapped(text, room) or [""]
    under: ink.Span = (" " * ink.width_of(head), ink.TEXT)
    return [(*head, (first, ink.DIM)), *((under, (one, ink.DIM)) for one in rest)]


def as_text(story: StoryTold) -> str:
    """The whole story as plain text, for copying and for a file."""
    blocks = (*telling(story, 110), Block((ink.BLANK, _heading("Events", 110))), *timeline(story, 160))
    return "\n".join("".join(text for text, _ in line).rstrip() for block in blocks for line in block.lines)
