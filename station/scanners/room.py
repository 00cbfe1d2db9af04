"""The scanners at work: what closed is evaluated, and four gates stand before a firing is published."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from station.calendars import Calendar
from station.domain.errors import BadInput
from station.domain.instruments import INSTRUMENTS, Hours, Side, Timeframe
from station.domain.signals import Firing, Gate
from station.domain.specs import ScannerSpec, Switches
from station.market import ClosedBar, Market, Series
from station.scanners.family import CALL, Family, Marks, Params, sides_of
from station.scanners.registry import check, family_of
from station.scanners.sessions import recent_opens
from station.scanners.study import Study

ES_ONLY_SYMBOL: Final = "ES"
KEPT_TIMES: Final = 400
"""A session of 1-minute bars, and a little."""


@dataclass(frozen=True, slots=True)
class _Post:
    """A spec made ready to run. `rule` is equal for specs that share one evaluation."""

    spec: ScannerSpec
    family: Family
    params: Params
    warmup: int
    sides: tuple[int, ...]
    rule: tuple[object, ...]


@dataclass(slots=True)
class ScannerCounts:
    """One scanner's history of the day; what was evaluated and refused, since the start."""

    evaluated: int = 0
    fired: int = 0
    published: int = 0
    rejected: Counter[str] = field(default_factory=Counter[str])
    last: Firing | None = None
    times: deque[int] = field(default_factory=lambda: deque[int](maxlen=KEPT_TIMES))
    """When the bars of the newest firings closed, UTC ns, oldest first."""


class ScannerRoom:
    """Evaluates the scanners of the series that closed, and judges their firings.

    `rejections` counts refused firings by gate; `counts` the same and more by scanner; `marks` is the start of
    each scanner's last published bar, to be persisted with its signal and given back to `restore`.
    """

    def __init__(
        self, market: Market, calendar: Calendar, specs: Sequence[ScannerSpec], switches: Switches
    ) -> None:
        self._market = market
        self._calendar = calendar
        self._switches = switches
        self._posts: dict[str, _Post] = {}
        self._by_series: dict[tuple[str, Timeframe], list[_Post]] = {}
        self._studies: dict[tuple[str, Timeframe], tuple[int, Study, dict[tuple[object, ...], Marks]]] = {}
        self._marks: dict[str, int] = {}
        self.rejections: dict[str, int] = {gate.value: 0 for gate in Gate}
        self.counts: dict[str, ScannerCounts] = {}
        self.configure(specs, switches)

    def configure(self, specs: Sequence[ScannerSpec], switches: Switches) -> None:
        """Take the specs and switches as they now stand; marks and counts stay. Raises BadInput, with nothing
        changed, for a spec that cannot run or whose instrument is not watched."""
        posts: dict[str, _Post] = {}
        for spec in specs:
            check(spec)
            if spec.instrument not in self._market.symbols:
                raise BadInput(
                    f"scanner {spec.name}: {spec.instrument} is not watched; "
                    f"choose one of {', '.join(self._market.symbols)}"
                )
            if spec.name in posts:
                raise BadInput(f"scanner {spec.name} is named twice: names are unique")
            self._market.series(spec.instrument, spec.timeframe)
            posts[spec.name] = _ready(spec)
        self._posts, self._switches = posts, switches
        self._by_series = {}
        for post in posts.values():
            self._by_series.setdefault((post.spec.instrument, post.spec.timeframe), []).append(post)
        self._studies.clear()
        for name in posts:
            self.counts.setdefault(name, ScannerCounts())

    # --- evaluating ----------------------------------------------------------------------------------

    def on_closed(self, closed: Iterable[ClosedBar]) -> tuple[Firing, ...]:
        """The firings on bars that have just closed, ungated, in the order of `closed`, then of the specs.

        A bar that is not the newest of its series, or whose series is not ready, fires nothing.
        """
        firings: list[Firing] = []
        for bar in closed:
            posts = self._by_series.get((bar.symbol, bar.timeframe))
            if not posts:
                continue
            series = self._market.series(bar.symbol, bar.timeframe)
            if series.ready and series.newest_start_ns == bar.start_ns:
                self._evaluate(posts, series, bar.close_ns, firings)
        return tuple(firings)

    def _evaluate(self, posts: list[_Post], series: Series, close_ns: int, firings: list[Firing]) -> None:
        study, answers = self._study(series)
        for post in posts:
            counts = self.counts[post.spec.name]
            counts.evaluated += 1
            if len(study.bars) < post.warmup:
                continue
            found = answers.get(post.rule)
            if found is None:
                found = answers[post.rule] = post.family.answer(study, post.params)
            side = int(found.side[-1])
            if side not in post.sides:
                continue
            spec, bars = post.spec, study.bars
            firing = Firing(
                spec.name, spec.instrument, spec.timeframe, Side.CALL if side == CALL else Side.PUT,
                int(found.score[-1]), int(bars.start_ns[-1]), close_ns, float(bars.close[-1]), series.head,
            )  # fmt: skip
            counts.fired += 1
            counts.last = firing
            counts.times.append(close_ns)
            firings.append(firing)

    def _study(self, series: Series) -> tuple[Study, dict[tuple[object, ...], Marks]]:
        key = (series.symbol, series.timeframe)
        known = self._studies.get(key)
        if known is None or known[0] != series.revision:
            bars = series.bars
            opens = partial(recent_opens, bars.start_ns, series.hours, self._calendar)
            study = Study(bars, series.session_start, max(len(bars) - 1, 0), opens)
            known = self._studies[key] = (series.revision, study, {})
        return known[1], known[2]

    # --- gates ---------------------------------------------------------------------------------------

    def judge(self, firing: Firing, at_ns: int) -> Gate | None:
        """The first gate that refuses the firing at `at_ns`, counted; None where it may be published."""
        gate = self._refusing(firing, at_ns)
        if gate is not None:
            self.rejections[gate.value] += 1
            self.counts.setdefault(firing.scanner, ScannerCounts()).rejected[gate.value] += 1
        return gate

    def _refusing(self, firing: Firing, at_ns: int) -> Gate | None:
        post = self._posts.get(firing.scanner)
        if post is None or not post.spec.enabled:
            return Gate.CONFIG
        if self._switches.es_only_mode and firing.instrument != ES_ONLY_SYMBOL:
            return Gate.CONFIG
        if not self._in_hours(firing):
            return Gate.HOURS
        mark_ns = self._marks.get(firing.scanner)
        cooldown_ns = post.spec.effective_cooldown_s * 1_000_000_000
        if mark_ns is not None and firing.bar_start_ns - mark_ns < cooldown_ns:
            return Gate.COOLDOWN
        superseded = at_ns - firing.bar_close_ns >= firing.timeframe.ns
        if superseded or (mark_ns is not None and firing.bar_start_ns <= mark_ns):
            return Gate.BAR
        return None

    def _in_hours(self, firing: Firing) -> bool:
        instrument = INSTRUMENTS.get(firing.instrument)
        hours = Hours.REGULAR if instrument is None else instrument.hours
        span = self._calendar.last_opened(hours, firing.bar_close_ns - 1)
        return span.open_ns < firing.bar_close_ns <= span.close_ns

    def published(self, firing: Firing) -> None:
        """Note that the firing became a signal; no bar at or before its own fires for this scanner again."""
        name = firing.scanner
        self._marks[name] = max(firing.bar_start_ns, self._marks.get(name, firing.bar_start_ns))
        self.counts.setdefault(name, ScannerCounts()).published += 1

    @property
    def marks(self) -> dict[str, int]:
        """Scanner name → start of its last published bar, UTC ns."""
        return dict(self._marks)

    def restore(self, marks: Mapping[str, int]) -> None:
        """Take back persisted marks; a newer mark already held stays."""
        for name, start_ns in marks.items():
            self._marks[name] = max(start_ns, self._marks.get(name, start_ns))

    def recall(self, firing: Firing) -> None:
        """Count a firing that an earlier process published; what was refused then nobody kept."""
        counts = self.counts.setdefault(firing.scanner, ScannerCounts())
        counts.fired += 1
        counts.published += 1
        counts.last = firing
        counts.times.append(firing.bar_close_ns)

    # --- showing -------------------------------------------------------------------------------------

    @property
    def specs(self) -> tuple[ScannerSpec, ...]:
        return tuple(post.spec for post in self._posts.values())

    def warmth(self, name: str) -> tuple[int, int]:
        """Bars the scanner has and bars it needs. Raises BadInput for an unknown name."""
        post = self._post(name)
        series = self._market.series(post.spec.instrument, post.spec.timeframe)
        return len(series.bars), post.warmup

    def status(self, name: str) -> str:
        """`DISABLED`, `DEGRADED <why>`, `WARMING n/m`, `BACKFILLING` or `READY`."""
        post = self._post(name)
        series = self._market.series(post.spec.instrument, post.spec.timeframe)
        have, need = len(series.bars), post.warmup
        if not post.spec.enabled:
            return "DISABLED"
        if series.trouble:
            return f"DEGRADED {series.trouble}"
        if have < need:
            return f"WARMING {have}/{need}"
        return "READY" if series.ready else "BACKFILLING"

    def _post(self, name: str) -> _Post:
        post = self._posts.get(name)
        if post is None:
            raise BadInput(f"no scanner named {name!r}: see `scanners` for the names")
        return post


def _ready(spec: ScannerSpec) -> _Post:
    family = family_of(spec)
    params = family.params(spec)
    return _Post(
        spec, family, params, family.warmup(params), sides_of(spec), (family.name, *params.items())
    )  # fmt: skip
