"""What the journal's screens ask of a running engine, and the trader's own notes and tags."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from station.domain.errors import BadInput, VigilError
from station.domain.events import TradeNoted, TradeTagged
from station.domain.instruments import INSTRUMENTS, Timeframe
from station.domain.market import Bar
from station.domain.trade import Trade
from station.engine.engine import Engine
from station.engine.film_bars import BEFORE, kept_bars
from station.journal import Journal
from station.journal.entries import JournalFilter
from station.journal.film import MAX_BARS, film_document
from station.journal.notes import MAX_TAGS, NOTHING, note_text, tag_text
from station.journal.wealth import wealth_document, wealth_progress
from station.link import Ack, NoteTrade, TagTrade

JOURNAL_QUERIES: Final = ("journal", "film", "performance", "wealth")
AFTER: Final = 10
"""Bars of a film after the close."""


async def journal_answer(engine: Engine, name: str, args: Mapping[str, str]) -> dict[str, Any]:
    """The document `journal`, `film`, `performance` or `wealth`; arguments as in `JournalFilter.parse`, for a
    film `trade` and `timeframe` (default 1m), for wealth none. Raises BadInput."""
    journal = Journal(engine.outside.stores.lifecycle)
    if name == "film":
        return await _film(engine, journal, args)
    if name == "wealth":
        return wealth_document(await wealth_progress(engine.outside.stores.wealth, engine.rooms.wealth.plans))
    wanted = JournalFilter.parse(args)
    return await (journal.entries(wanted) if name == "journal" else journal.performance(wanted))


async def annotate(engine: Engine, command: NoteTrade | TagTrade) -> Ack:
    """Append the note or tag to the log; what is there already is not written twice. Raises BadInput."""
    journal = Journal(engine.outside.stores.lifecycle)
    await journal.trade(command.trade_id)
    known = (await journal.annotations(command.trade_id)).get(command.trade_id, NOTHING)
    by = command.by or "operator"
    if isinstance(command, NoteTrade):
        text = note_text(command.text)
        if known.notes and known.notes[-1].text == text:
            return Ack(True, f"{command.trade_id} has this note already")
        await engine.rooms.ledger.record(command.trade_id, TradeNoted(text, by))
        return Ack(True, f"noted on {command.trade_id}")
    tag = tag_text(command.tag)
    if (tag in known.tags) == command.on:
        return Ack(True, f"{command.trade_id} {'has' if command.on else 'has no'} tag {tag}")
    if command.on and len(known.tags) >= MAX_TAGS:
        raise BadInput(f"{command.trade_id} has {len(known.tags)} tags, the limit is {MAX_TAGS}: take one off")
    await engine.rooms.ledger.record(command.trade_id, TradeTagged(tag, command.on, by))
    return Ack(True, f"tag {tag} {'on' if command.on else 'off'} {command.trade_id}")


async def _film(engine: Engine, journal: Journal, args: Mapping[str, str]) -> dict[str, Any]:
    if strange := sorted(set(args) - {"trade", "timeframe"}):
        raise BadInput(f"a film has no setting {strange[0]!r}: use trade and timeframe")
    trade = await journal.trade(args.get("trade", ""))
    timeframe = _timeframe(args.get("timeframe") or "1m")
    bars, note = await _bars(engine, trade, timeframe)
    return film_document(
        trade, await journal.events(trade.id), bars, timeframe.value,
        await engine.outside.stores.archive.read_snapshots(trade.id), note,
    )  # fmt: skip


def _timeframe(text: str) -> Timeframe:
    try:
        return Timeframe(text)
    except ValueError:
        known = ", ".join(one.value for one in Timeframe)
        raise BadInput(f"timeframe {text!r}: choose one of {known}") from None


async def _bars(engine: Engine, trade: Trade, timeframe: Timeframe) -> tuple[tuple[Bar, ...], str]:
    """The finished bars from well before the signal, of the session before where its own has too few, to a
    little after the end; and why there are none."""
    instrument, now_ns = INSTRUMENTS.get(trade.symbol), engine.outside.clock.now()
    if instrument is None:
        return (), f"{trade.symbol} is not in the catalogue: no bars"
    until_ns = min((trade.closed_ns or now_ns) + (AFTER + 1) * timeframe.ns, now_ns)
    fired_ns = trade.fired_ns or trade.opened_ns
    kept = kept_bars(engine.outside, engine.rooms, instrument, timeframe, fired_ns)
    if kept is not None:
        return kept.before(until_ns).to_bars()[-MAX_BARS:], ""
    wanted = min((until_ns - fired_ns) // timeframe.ns + BEFORE, MAX_BARS)
    try:
        found = await engine.outside.broker.history(instrument, timeframe, until_ns, int(wanted))
    except VigilError as error:
        return (), f"no bars: {error}"
    first = max(sum(bar.start_ns <= fired_ns for bar in found) - BEFORE, 0)
    return found[first:], "" if found else "no bars of that time"
