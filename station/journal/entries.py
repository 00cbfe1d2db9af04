"""The journal's list: trades found by date, symbol, strategy, result, tag and text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from station.calendars import et_date
from station.domain.clock import SECOND
from station.domain.errors import BadInput
from station.domain.trade import Trade, TradeState
from station.journal.notes import NOTHING, Annotated, tag_counts, tag_text
from station.journal.shapes import Json, trade_shape

RESULTS: Final = ("win", "loss", "flat", "open", "refused")
LIMIT: Final = 500


@dataclass(frozen=True, slots=True)
class JournalFilter:
    """Which trades; an empty field does not restrict, but refusals are left out unless `result` is `refused`
    or `any`. Dates are exchange dates of opening, both included; `text` is looked for anywhere in what the
    trade, its notes and its tags say, case-insensitive."""

    first: date | None = None
    last: date | None = None
    symbol: str = ""
    strategy: str = ""
    result: str = ""
    tag: str = ""
    text: str = ""
    limit: int = LIMIT

    @staticmethod
    def parse(args: Mapping[str, str]) -> JournalFilter:
        """From a question's words: date (or from, to), symbol, strategy, result, tag, text, limit. Raises
        BadInput for a word or value it does not know."""
        known = {"date", "from", "to", "symbol", "strategy", "result", "tag", "text", "limit"}
        if strange := sorted(set(args) - known):
            raise BadInput(f"the journal has no filter {strange[0]!r}: use {', '.join(sorted(known))}")
        result = args.get("result", "").lower()
        if result not in ("", "any", *RESULTS):
            raise BadInput(f"result {result!r}: use {', '.join(RESULTS)} or any")
        day = args.get("date", "")
        return JournalFilter(
            _day(args.get("from", "") or day), _day(args.get("to", "") or day),
            args.get("symbol", "").upper(), args.get("strategy", ""), result,
            tag_text(args["tag"]) if args.get("tag") else "", args.get("text", "").strip(),
            _count(args.get("limit", "")),
        )  # fmt: skip

    def takes(self, trade: Trade, known: Annotated) -> bool:
        day, result = et_date(trade.opened_ns), result_of(trade)
        return (
            (self.first is None or day >= self.first)
            and (self.last is None or day <= self.last)
            and self.symbol in ("", trade.symbol)
            and self.strategy in ("", trade.strategy)
            and (result != "refused" if not self.result else self.result in ("any", result))
            and (not self.tag or self.tag in known.tags)
            and (not self.text or self.text.lower() in _told(trade, known))
        )


def result_of(trade: Trade) -> str:
    """One of RESULTS; what has not ended is open."""
    if trade.state is TradeState.FAILED:
        return "refused"
    if trade.net_pnl is None:
        return "open"
    return "win" if trade.net_pnl > 0 else "loss" if trade.net_pnl < 0 else "flat"


def journal_document(
    trades: Sequence[Trade], known: Mapping[str, Annotated], wanted: JournalFilter | None = None
) -> Json:
    """`{v, total, found, trades, symbols, strategies, tags}`: the newest first, `limit` at most. Each trade as
    in `trades`, with result, hold_s, notes (how many) and tags; the rest is what there is to choose from."""
    only = wanted or JournalFilter()
    found = [trade for trade in trades if only.takes(trade, known.get(trade.id, NOTHING))]
    newest = sorted(found, key=lambda trade: (trade.opened_ns, trade.id), reverse=True)[: only.limit]
    return {
        "v": 1,
        "total": len(trades),
        "found": len(found),
        "trades": [entry_shape(trade, known.get(trade.id, NOTHING)) for trade in newest],
        "symbols": sorted({trade.symbol for trade in trades if trade.symbol}),
        "strategies": sorted({trade.strategy for trade in trades if trade.strategy}),
        "tags": tag_counts(known),
    }


def entry_shape(trade: Trade, known: Annotated) -> Json:
    """A row of the list."""
    ended = trade.closed_ns if trade.closed_ns and trade.filled_ns else 0
    return trade_shape(trade) | {
        "side": trade.side.value,
        "label": trade.contract.label if trade.contract is not None else trade.symbol,
        "result": result_of(trade),
        "hold_s": (ended - trade.filled_ns) // SECOND if ended else None,
        "scanners": list(trade.scanners),
        "notes": len(known.notes),
        "tags": list(known.tags),
    }


def _told(trade: Trade, known: Annotated) -> str:
    label = trade.contract.label if trade.contract is not None else ""
    said = (
        trade.id, trade.symbol, label, trade.strategy, trade.cause, trade.reason, *trade.scanners,
        *known.tags, *(note.text for note in known.notes),
    )  # fmt: skip
    return "\n".join(said).lower()


def _day(text: str) -> date | None:
    if not text:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise BadInput(f"date {text!r} is not YYYY-MM-DD") from None


def _count(text: str) -> int:
    if not text:
        return LIMIT
    if not text.isdecimal() or not 0 < int(text) <= 10_000:
        raise BadInput(f"limit {text!r} is not a number from 1 to 10000")
    return int(text)
