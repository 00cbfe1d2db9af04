"""Sources behind one protocol: a folder, a REST service, who stands in for whom, and how they disagree."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from datetime import date
from pathlib import Path

import httpx
import numpy as np
import pytest

from station.calendars import at_et, load_calendar
from station.clock import Activity, Lockstep, LockstepLoop, VirtualClock
from station.domain.broker import QuoteReport
from station.domain.clock import MILLISECOND, MINUTE, SECOND
from station.domain.errors import BadInput, Refused
from station.domain.instruments import INSTRUMENTS, Hours, Timeframe, equity, underlying_contract
from station.domain.market import FeedMode, Grade, Quote
from station.market import Market, MarketLimits, MarketWatch, Sources, SourceUnavailable
from station.market.divergence import compare
from station.market.folder import FolderSource
from station.market.rest import RestAccess, RestSource
from station.market.sources import Pacer
from station.series import Bars, aggregate
from tests.recorded_market import RecordedBroker

CALENDAR = load_calendar()
DAY = date(2024, 7, 2)
OPEN = at_et(DAY, "09:30")
NOW = at_et(DAY, "11:00")
SPY, ES, SPX = INSTRUMENTS["SPY"], INSTRUMENTS["ES"], INSTRUMENTS["SPX"]


def minutes(level: float = 100.0, last: date = DAY) -> Bars:
    spans = CALENDAR.sessions(Hours.REGULAR, date(2024, 6, 20), last)
    starts = np.concatenate([CALENDAR.bar_starts(Hours.REGULAR, span, Timeframe.M1) for span in spans])
    close = level + np.round(np.sin(np.arange(len(starts)) / 40), 2)
    return Bars(starts, close, close + 0.05, close - 0.05, close, np.full(len(starts), 10.0))


def csv(bars: Bars, symbol: str = "") -> str:
    head = "ts_utc,open,high,low,close,volume" + (",symbol" if symbol else "")
    stamps = np.datetime_as_string(bars.start_ns.astype("datetime64[ns]"), unit="s")
    rows = [
        f"{stamp}Z,{row.open},{row.high},{row.low},{row.close},{row.volume}" + (f",{symbol}" if symbol else "")
        for stamp, row in zip(stamps, bars.to_bars(), strict=True)
    ]
    return "\n".join([head, *rows]) + "\n"


def folder(path: Path, **options: object) -> FolderSource:
    return FolderSource(path, Activity(ordered=False), CALENDAR, **options)  # type: ignore[arg-type]


# --- the folder -------------------------------------------------------------------------------------


async def test_a_folder_answers_by_column_and_by_name_and_aggregates(tmp_path: Path) -> None:
    whole = minutes()
    (tmp_path / "mixed.csv").write_text(csv(whole.before(OPEN), "SPY"))
    (tmp_path / "spy_today.csv").write_text(csv(whole.since(OPEN - 5 * 86_400 * SECOND)))
    (tmp_path / "notes.txt").write_text("no bars")
    source = folder(tmp_path)
    found = await source.bars(SPY, Timeframe.M15, NOW, 60)
    expected = aggregate(whole, Timeframe.M15, Hours.REGULAR, CALENDAR).before(NOW)
    assert found.same(expected.cut(len(expected) - 60, None))
    assert source.label(SPY) == "raw"
    with pytest.raises(Refused, match="holds no bars of ES"):
        await source.bars(ES, Timeframe.M15, NOW, 60)


async def test_a_folder_of_long_bars_gives_no_short_ones(tmp_path: Path) -> None:
    five = aggregate(minutes(), Timeframe.M5, Hours.REGULAR, CALENDAR)
    (tmp_path / "SPY.csv").write_text(csv(five))
    source = folder(tmp_path)
    assert len(await source.bars(SPY, Timeframe.M10, NOW, 10)) == 10
    assert len(await source.bars(SPY, Timeframe.D1, NOW, 10)) > 5
    with pytest.raises(Refused, match="for 1m"):
        await source.bars(SPY, Timeframe.M1, NOW, 10)


async def test_a_folder_adjusts_where_it_has_factors_and_says_so(tmp_path: Path) -> None:
    (tmp_path / "bars").mkdir()
    (tmp_path / "factors").mkdir()
    (tmp_path / "bars" / "SPY.csv").write_text(csv(minutes()))
    (tmp_path / "factors" / "spy.csv").write_text("20240701,1,0.5,100\n20501231,1,1,0\n")
    source = folder(tmp_path / "bars", factors=tmp_path / "factors", as_of=DAY)
    days = await source.bars(SPY, Timeframe.D1, NOW, 2)
    assert 49 < days.close[0] < 51 and 99 < days.close[1] < 101
    assert source.label(SPY) == "adjusted" and source.label(SPX) == "raw"


async def test_a_folder_that_cannot_be_read_is_no_answer(tmp_path: Path) -> None:
    with pytest.raises(SourceUnavailable):
        await folder(tmp_path / "absent").bars(SPY, Timeframe.M1, NOW, 5)
    (tmp_path / "SPY.csv").write_text("ts_utc,open\n2024-07-02T13:30:00Z,1\n")
    with pytest.raises(SourceUnavailable, match="missing column"):
        await folder(tmp_path).bars(SPY, Timeframe.M1, NOW, 5)


# --- the service ------------------------------------------------------------------------------------

Handler = Callable[[httpx.Request], httpx.Response]


class Service:
    """A Polygon-shaped service over `bars`, and what it was asked."""

    def __init__(self, bars: Bars, page: int = 50_000) -> None:
        self.asked: list[httpx.Request] = []
        self.bars = bars
        self.page = page

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        *_, step, unit, first, last = request.url.path.split("/")
        frame = Timeframe.D1 if unit == "day" else Timeframe(f"{step}m")
        rows = aggregate(self.bars, frame, Hours.REGULAR, CALENDAR)
        rows = rows.since(int(first) * MILLISECOND - MINUTE).before(int(last) * MILLISECOND + 1)
        at = int(request.url.params.get("cursor", 0))
        results = [
            {"v": row.volume, "vw": row.close, "o": row.open, "c": row.close, "h": row.high, "l": row.low,
             "t": self._stamp(row.start_ns, unit), "n": 7}
            for row in rows.to_bars()[at : at + self.page]
        ]  # fmt: skip
        body: dict[str, object] = {
            "ticker": "SPY", "queryCount": len(rows), "resultsCount": len(results), "adjusted": True,
            "results": results, "status": "OK", "request_id": "6a7e466379af0a71039d60cc78e72282", "count": 1,
        }  # fmt: skip
        if at + self.page < len(rows):
            body["next_url"] = str(request.url.copy_with(params={"cursor": at + self.page}))
        return httpx.Response(200, json=body)

    @staticmethod
    def _stamp(start_ns: int, unit: str) -> int:
        return (start_ns - 570 * MINUTE if unit == "day" else start_ns) // MILLISECOND


def rest(handler: Handler, clock: VirtualClock | None = None, per_s: int = 5) -> RestSource:
    access = RestAccess("https://bars.example", "a-secret-key", per_s)
    transport = httpx.MockTransport(handler)
    return RestSource(access, clock or VirtualClock(NOW), CALENDAR, Activity(ordered=False), transport)


@pytest.mark.parametrize("timeframe", [Timeframe.M1, Timeframe.M5, Timeframe.M15, Timeframe.H1, Timeframe.H4])
async def test_the_service_s_bars_are_session_aligned(timeframe: Timeframe) -> None:
    service = Service(minutes())
    source = rest(service)
    found = await source.bars(SPY, timeframe, NOW, 10)
    expected = aggregate(minutes().before(NOW), timeframe, Hours.REGULAR, CALENDAR)
    assert found.start_ns.tolist() == expected.start_ns.tolist()[-10:]
    assert found.close[:-1].tolist() == expected.close.tolist()[-10:-1]
    (request,) = service.asked
    assert request.url.path.startswith("/v2/aggs/ticker/SPY/range/")
    assert request.headers["authorization"] == "Bearer a-secret-key" and "secret" not in str(request.url)
    assert request.url.params["adjusted"] == "true" and source.label(SPY) == "adjusted"
    await source.close()


async def test_day_bars_are_stamped_with_the_session_s_open() -> None:
    found = await rest(Service(minutes())).bars(SPY, Timeframe.D1, OPEN, 3)
    spans = CALENDAR.sessions(Hours.REGULAR, date(2024, 6, 20), date(2024, 7, 1))[-3:]
    assert found.start_ns.tolist() == [span.open_ns for span in spans]


class Nothing:
    """A venue where nothing happens."""

    def next_instant(self) -> None:
        return None

    async def advance(self, at_ns: int) -> None:
        return None


def test_pages_are_followed_at_the_pace_allowed() -> None:
    clock, service = VirtualClock(NOW), Service(minutes(), page=400)
    stamps: list[int] = []

    def answer(request: httpx.Request) -> httpx.Response:
        stamps.append(clock.now())
        return service(request)

    async def ask() -> Bars:
        source = rest(answer, clock)
        task = asyncio.ensure_future(source.bars(SPY, Timeframe.M1, NOW, 800))
        await Lockstep(clock, Nothing()).run(NOW + 60 * SECOND)
        return await task

    with asyncio.Runner(loop_factory=LockstepLoop) as runner:
        assert len(runner.run(ask())) == 800
    assert len(stamps) > 3 and stamps == [NOW + n * SECOND // 5 for n in range(len(stamps))]


async def test_the_next_page_is_asked_of_the_same_host_only() -> None:
    def elsewhere(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json={"status": "OK", "results": [], "next_url": "https://evil.example/x"})

    with pytest.raises(SourceUnavailable, match="another host"):
        await rest(elsewhere).bars(SPY, Timeframe.M1, NOW, 5)


@pytest.mark.parametrize(
    ("code", "body", "kind", "words"),
    [
        (429, {}, SourceUnavailable, "asked too often"),
        (500, {}, SourceUnavailable, "HTTP 500"),
        (401, {}, Refused, "VIGIL_SECRETS__REST_KEY"),
        (404, {}, Refused, "does not know the ticker"),
        (200, {"status": "ERROR", "error": "bad range"}, SourceUnavailable, "status ERROR bad range"),
        (200, {"status": "OK", "results": [{"t": "x"}]}, SourceUnavailable, "not as agreed"),
        (200, ["nonsense"], SourceUnavailable, "not as agreed"),
    ],
)
async def test_what_is_no_answer_is_told_apart_from_what_never_will_be(code, body, kind, words) -> None:
    with pytest.raises(kind, match=words) as caught:
        await rest(lambda _: httpx.Response(code, content=json.dumps(body))).bars(SPY, Timeframe.M1, NOW, 5)
    assert "a-secret-key" not in str(caught.value)


async def test_a_lost_connection_is_no_answer_and_futures_are_not_asked_for() -> None:
    def lost(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    with pytest.raises(SourceUnavailable, match="ConnectError"):
        await rest(lost).bars(SPY, Timeframe.M1, NOW, 5)
    with pytest.raises(Refused, match="use the broker"):
        await rest(lost).bars(ES, Timeframe.M1, NOW, 5)
    empty = await rest(lambda _: httpx.Response(200, json={"status": "OK"})).bars(SPX, Timeframe.M1, NOW, 5)
    assert len(empty) == 0


async def test_the_pacer_spaces_turns_evenly() -> None:
    clock = VirtualClock(NOW)
    pacer = Pacer(clock, 5)
    await pacer.turn()
    assert pacer.throttled
    clock.move_to(NOW + SECOND // 5)
    assert not pacer.throttled
    await pacer.turn()


# --- who stands in ----------------------------------------------------------------------------------


class Desk:
    """A market of one symbol over a broker, with a folder beside it."""

    def __init__(self, path: Path, order: dict[str, list[str]] | None = None, level: float = 100.0) -> None:
        self.clock = VirtualClock(NOW)
        self.broker = RecordedBroker(self.clock, CALENDAR, {"SPY": minutes()})
        (path / "SPY.csv").write_text(csv(minutes(level)))
        self.folder = folder(path)
        self.sources = Sources([self.folder], order)
        wanted = {"SPY": [Timeframe.M5]}
        self.market = Market(self.clock, CALENDAR, INSTRUMENTS, wanted, self.sources)


async def test_the_folder_stands_in_where_the_broker_gives_no_history(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.broker.down = {Timeframe.M1, Timeframe.M5}
    assert await desk.market.warm(desk.broker) == ()
    series = desk.market.series("SPY", Timeframe.M5)
    assert series.ready and len(series.bars) > 300
    assert series.provenance(series.newest_start_ns).source == "folder history"
    assert "history from folder" in desk.market.health("SPY").note
    assert desk.sources.failures["broker"] == 2 and desk.sources.answering == {"SPY": "folder"}
    desk.broker.down = set()
    await desk.market.chart(desk.broker, "SPY", Timeframe.M15)
    assert "history from" not in desk.market.health("SPY").note


async def test_the_order_is_set_by_symbol_and_the_first_refusal_is_told(tmp_path: Path) -> None:
    desk = Desk(tmp_path, {"SPY": ["folder", "broker"], "*": ["broker"]})
    assert await desk.market.warm(desk.broker) == ()
    assert desk.broker.requests == []
    alone = Desk(tmp_path, {"*": ["broker"]})
    alone.broker.down = {Timeframe.M1, Timeframe.M5}
    lines = await alone.market.warm(alone.broker)
    assert len(lines) == 2 and all("no history: 162" in line for line in lines)
    with pytest.raises(BadInput, match="sources of SPY: 'rest' is not configured; there are broker, folder"):
        Sources([desk.folder], {"SPY": ["rest"]})


async def test_an_adjusted_history_is_labelled() -> None:
    source = rest(Service(minutes()))
    broker = RecordedBroker(VirtualClock(NOW), CALENDAR, {"SPY": minutes()})
    sources = Sources([source], {"*": ["rest"]})
    market = Market(VirtualClock(NOW), CALENDAR, INSTRUMENTS, {"SPY": [Timeframe.M1]}, sources)
    source.pacer = Pacer(VirtualClock(NOW), 1_000_000_000)
    assert await market.warm(broker) == ()
    assert market.series("SPY", Timeframe.M1).label == "adjusted"
    assert "history adjusted" in market.health("SPY").note


async def test_an_instrument_that_the_broker_does_not_have_is_asked_for_ever_later() -> None:
    clock = VirtualClock(NOW)
    broker = RecordedBroker(clock, CALENDAR, {"SPY": minutes()})
    asked: list[str] = []

    async def resolve(instrument):
        asked.append(instrument.symbol)
        if instrument.symbol == "NVDA":
            raise Refused("unknown", "no NVDA here")
        return underlying_contract(instrument)

    broker.resolve = resolve
    known = {"SPY": SPY, "NVDA": equity("NVDA")}
    market = Market(clock, CALENDAR, known, dict.fromkeys(known, (Timeframe.M1,)))
    assert await market.warm(broker) == ()
    assert not market.wants_recovery and broker.requests == [("SPY", Timeframe.M1)]
    assert "no NVDA here" in market.health("NVDA").note
    for minute in range(1, 61):
        clock.move_to(NOW + minute * MINUTE)
        if market.wants_recovery:
            await market.recover(broker)
    assert asked.count("NVDA") == 7, "after ½, 1, 2, 4, 8, 16 and 30 minutes"


# --- disagreement -----------------------------------------------------------------------------------


def test_compare_looks_at_common_bars_only() -> None:
    ours, theirs = minutes(), minutes(100.05)
    found = compare(ours.cut(0, 50), theirs.cut(20, 80), 0.1)
    assert (found.checked, found.beyond) == (30, 0)
    theirs.close[25] = ours.close[25] * 1.01
    found = compare(ours.cut(0, 50), theirs.cut(20, 80), 0.1)
    assert found.beyond == 1 and found.worst_start_ns == ours.start_ns[25]
    assert found.worst_pct == pytest.approx(100 * (1 - 1 / 1.01))
    assert compare(ours.cut(0, 5), theirs.cut(5, 9), 0.1).checked == 0


async def test_a_second_source_that_disagrees_costs_quality_and_is_told_once(tmp_path: Path) -> None:
    desk = Desk(tmp_path, {"*": ["broker"]}, level=100.5)
    assert await desk.market.warm(desk.broker) == ()
    told: list[tuple[str, str]] = []

    async def alert(severity: str, text: str) -> None:
        told.append((severity, text))

    watch = MarketWatch(desk.clock, desk.market, desk.folder, alert)
    before = desk.market.health("SPY").score
    await watch.look()
    await watch.look()
    ((severity, text),) = told
    assert severity == "warning" and text.startswith("SPY differs from folder by 0.5")
    assert "30 of 30 bars over 0.1 %" in text
    health = desk.market.health("SPY")
    assert before - health.score == 40 and "differs from folder" in health.note
    desk.folder._known.clear()
    (tmp_path / "SPY.csv").write_text(csv(minutes()))
    desk.market._second._compared_ns.clear()
    desk.clock.move_to(NOW + MINUTE)
    await watch.look()
    assert told[1:] == [("info", "divergence SPY: well again")]


async def test_a_second_source_that_is_silent_is_told_too(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    assert await desk.market.warm(desk.broker) == ()
    told: list[str] = []

    async def alert(severity: str, text: str) -> None:
        told.append(text)

    silent = rest(lambda _: httpx.Response(503))
    await MarketWatch(desk.clock, desk.market, silent, alert).look()
    assert told == ["the second source does not answer: rest: HTTP 503"]


# --- late data, and clocks apart --------------------------------------------------------------------


def quotes(market: Market, delays_ms: list[float], grade: Grade = Grade.LIVE) -> None:
    contract = underlying_contract(SPY)
    for delay in delays_ms:
        quote = Quote(
            contract, None, None, 0, 0, NOW, grade=grade, venue_ns=NOW - round(delay * MILLISECOND)
        )  # fmt: skip
        market.on_report(QuoteReport(quote))


def quiet_market() -> Market:
    return Market(VirtualClock(NOW), CALENDAR, INSTRUMENTS, {"SPY": [Timeframe.M5]}, limits=MarketLimits())


def test_data_that_is_late_at_p95_is_an_alarm() -> None:
    market = quiet_market()
    quotes(market, [10.0] * 95 + [190.0] * 5)
    assert market.alarms() == {}
    quotes(market, [250.0] * 20)
    assert market.alarms() == {"latency": "market data is 250 ms late at p95 (limit 200 ms)"}


def test_few_samples_and_delayed_data_judge_nothing() -> None:
    market = quiet_market()
    quotes(market, [9_000.0] * 19)
    quotes(market, [900_000.0] * 50, Grade.DELAYED)
    assert market.alarms() == {} and market.latency.samples == 19


@pytest.mark.parametrize(("skew_ms", "side"), [(6_000.0, "ahead of"), (-6_000.0, "behind")])
def test_fault_49_clock_skew_seen_in_quotes(skew_ms: float, side: str) -> None:
    market = quiet_market()
    quotes(market, [skew_ms / 4 + 20.0] * 30)
    (alarm,) = market.alarms().values()
    assert f"s {side} the venue's (limit 1000 ms): entries go on" in alarm
    assert market.health("SPY").score > 0
    blocked = quiet_market()
    quotes(blocked, [skew_ms + 20.0] * 30)
    (alarm,) = blocked.alarms().values()
    assert "(limit 5000 ms): entries are blocked" in alarm
    health = blocked.health("SPY")
    assert health.score == 0 and health.mode is FeedMode.DEGRADED and side in health.note
