"""What the journal's screen asks of the pictures: one of a trade, and a week's gallery."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Final, TypeVar

from station.calendars import et_date
from station.domain.errors import BadInput, Retryable
from station.domain.trade import Trade
from station.engine.engine import Engine
from station.journal import Journal
from station.journal.album import Album, Kept
from station.journal.entries import entry_shape
from station.journal.notes import NOTHING
from station.journal.periods import week_of
from station.journal.picture import MOMENTS, film_in
from station.journal.shapes import Json

PICTURE_QUERIES: Final = ("picture", "gallery")
SHOWN_AT_MOST: Final = 24
T = TypeVar("T")
_WEEK: Final = re.compile(r"(\d{4})-W(\d{2})")


async def picture_answer(engine: Engine, name: str, args: Mapping[str, str]) -> Json:
    """The document `picture` (arguments `trade` and `moment`, the newest where it is left out) or `gallery`
    (`week`, as 2026-W47; this one where it is left out). Raises BadInput, Retryable for a disk that refuses."""
    known = {"trade", "moment"} if name == "picture" else {"week"}
    if strange := sorted(set(args) - known):
        raise BadInput(f"{name} has no setting {strange[0]!r}: use {', '.join(sorted(known))}")
    album = Album(engine.outside.runtime)
    try:
        if name == "gallery":
            return await _gallery(engine, album, args.get("week", ""))
        return await _picture(engine, album, args.get("trade", ""), args.get("moment", ""))
    except OSError as error:
        raise Retryable(f"{album.folder} cannot be read: {error.strerror or error}") from error


async def moments_of(engine: Engine, trade_id: str) -> list[str]:
    """The moments that a trade has pictures of; none where they cannot be read."""
    trade = engine.rooms.ledger.trades.get(trade_id)
    if trade is None:
        trade = await Journal(engine.outside.stores.lifecycle).trade(trade_id)
    try:
        return await engine.outside.activity.off_loop(Album(engine.outside.runtime).moments, trade)
    except OSError:
        return []


async def _picture(engine: Engine, album: Album, trade_id: str, moment: str) -> Json:
    if moment not in ("", *MOMENTS):
        raise BadInput(f"moment {moment!r}: use {' or '.join(MOMENTS)}")
    trade = await Journal(engine.outside.stores.lifecycle).trade(trade_id)
    return await engine.outside.activity.off_loop(_read_picture, album, trade, moment)


def _read_picture(album: Album, trade: Trade, moment: str) -> Json:
    have = album.moments(trade)
    shown = moment if moment in have else have[-1] if have and not moment else ""
    if not shown:
        said = f"no picture of {trade.id}{f' at {moment}' if moment else ''} was kept"
        return {"v": 1, "trade": entry_shape(trade, NOTHING), "bars": [], "moments": have, "note": said}
    path = album.path(trade, shown)
    return film_in(path.read_text(encoding="utf-8")) | {"moments": have, "path": str(path)}


async def _gallery(engine: Engine, album: Album, week: str) -> Json:
    first = _monday(week, et_date(engine.outside.clock.now()))
    return await engine.outside.activity.off_loop(gallery_document, album, first)


def gallery_document(album: Album, first: date) -> Json:
    """`{v, week, found, before, after, pictures, note}` of a Monday's week: one picture a trade, that of the
    exit where there is one, the newest SHOWN_AT_MOST of `found`; `before` and `after` are the nearest weeks
    that have any. A file that is not one of ours is counted in `note`."""
    everything = album.between(date.min, date.max)
    mine = [one for one in everything if first <= one.day < first + timedelta(days=7)]
    newest = {one.trade_id: one for one in mine}
    shown = sorted(newest.values(), key=lambda one: (one.day, one.trade_id), reverse=True)[:SHOWN_AT_MOST]
    pictures, bad = _read(shown)
    weeks = sorted({one.day - timedelta(days=one.day.weekday()) for one in everything})
    return {
        "v": 1,
        "week": _name(first),
        "found": len(newest),
        "before": next((_name(monday) for monday in reversed(weeks) if monday < first), ""),
        "after": next((_name(monday) for monday in weeks if monday > first), ""),
        "pictures": pictures,
        "note": f"{bad} of the files cannot be read" if bad else "",
    }


def _read(shown: Sequence[Kept]) -> tuple[list[Json], int]:
    found: list[Json] = []
    bad = 0
    for one in shown:
        try:
            found.append(film_in(one.path.read_text(encoding="utf-8")))
        except (BadInput, UnicodeDecodeError):
            bad += 1
    return found, bad


def _monday(week: str, today: date) -> date:
    if not week:
        return week_of(today).first
    found = _WEEK.fullmatch(week)
    try:
        if found is not None:
            return date.fromisocalendar(int(found[1]), int(found[2]), 1)
    except ValueError:
        pass
    raise BadInput(f"week {week!r}: write it as {_name(today)}")


def _name(day: date) -> str:
    year, week, _ = day.isocalendar()
    return f"{year}-W{week:02d}"
