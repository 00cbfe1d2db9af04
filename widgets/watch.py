"""The watchlist: the one symbol that chart and chain follow, and how far its feed can be trusted."""

from __future__ import annotations

from station.link import Watch, WatchRow
from widgets import ink, words
from widgets.ink import Line, Span
from widgets.pane import Block, Content
from widgets.scene import Scene

LAST, CHANGE, REACH = 10, 9, 7
EVERYTHING, UNWATCHED = "all", "not watched"
ROOMY = 40
"""Below this width the place in the day's range stands instead of the score, while that is good."""


def part(scene: Scene) -> Watch | None:
    return scene.floor.watch


def content(scene: Scene, width: int) -> Content:
    watch = scene.floor.watch
    if watch is None:
        return Content()
    unwell = sum(row.mode not in ("LIVE", "CLOSED") for row in watch.rows)
    return Content(
        note=f"{unwell} unwell" if unwell else "",
        warn=bool(unwell),
        head=(_tabs(scene, width),) if scene.groups else (),
        blocks=tuple(Block((_row(row, scene, width),), row.symbol) for row in _grouped(watch, scene)),
        empty="no instrument is watched",
        picked=scene.sight.symbol,
    )


def _grouped(watch: Watch, scene: Scene) -> tuple[WatchRow, ...]:
    """The rows of the group in sight, in its order; all of them where it is gone."""
    group = next((one for one in scene.groups if one.name == scene.sight.group), None)
    if group is None:
        return watch.rows
    rows = {row.symbol: row for row in watch.rows}
    return tuple(rows.get(symbol) or WatchRow(symbol, mode=UNWATCHED) for symbol in group.symbols)


def _tabs(scene: Scene, width: int) -> Line:
    """`[all] tech  index`, from the left of the one shown where there is no room for all."""
    names = [EVERYTHING, *(group.name for group in scene.groups)]
    here = scene.sight.group if scene.sight.group in names else EVERYTHING
    spans = [(f"[{name}]", ink.KEY) if name == here else (f" {name} ", ink.DIM) for name in names]
    first = 0
    while ink.width_of(spans[first : names.index(here) + 1]) > width:
        first += 1
    return ink.clipped(tuple(spans[first:]), width)


def _row(row: WatchRow, scene: Scene, width: int) -> Line:
    """What moves stands left: last, change, then the name."""
    age_s = scene.age_s(row.at_ns) if row.at_ns else 0.0
    old = row.mode != "CLOSED" and age_s > row.stale_s
    last = "--" if row.last is None else words.price(row.last)
    spans: list[Span] = [(f"{last:>{LAST}}", ink.FAINT if old or row.last is None else ink.STRONG)]
    if row.change_pct is None:
        spans.append((f"{'--':>{CHANGE}}", ink.FAINT))
    else:
        text = f"{words.arrow(row.change_pct)}{abs(row.change_pct):.2f}%"
        spans.append((f"{text:>{CHANGE}}", ink.FAINT if old else words.tone(row.change_pct)))
    chosen = row.symbol == scene.sight.symbol
    spans.append((f" {'▸' if chosen else ' '}{row.symbol:<5}", ink.STRONG if chosen else ink.TEXT))
    state, reach = _state(row, age_s, old=old), _reach(row, old=old)
    if width < ROOMY and reach and state[0].startswith(" q") and row.score >= 70:
        return (*spans, *reach)
    return ink.packed((*spans, state), (reach, _extremes(row)), width)


def _reach(row: WatchRow, *, old: bool) -> Line:
    """Where the last price stands between the session's low and high."""
    if row.high is None or row.low is None or row.last is None:
        return ()
    span = row.high - row.low
    place = round((row.last - row.low) / span * (REACH - 1)) if span > 0 else REACH // 2
    place = min(max(place, 0), REACH - 1)
    return (
        (f" {'─' * place}", ink.FAINT), ("●", ink.FAINT if old else ink.TEXT),
        ("─" * (REACH - 1 - place), ink.FAINT),
    )  # fmt: skip


def _extremes(row: WatchRow) -> Line:
    if row.high is None or row.low is None:
        return ()
    return ((f"  {words.price(row.low)}–{words.price(row.high)}", ink.FAINT),)


def _state(row: WatchRow, age_s: float, *, old: bool) -> Span:
    if row.halted:
        return (" HALTED", ink.ALARM)
    if old:
        return (f" {words.age_text(age_s)} old", ink.WARN)
    if row.mode in ("LIVE", ""):
        return (f" q{row.score:<3}", ink.DIM if row.score >= 70 else ink.WARN)
    return (f" {row.mode}", ink.DIM if row.mode == "CLOSED" else ink.WARN)
