"""Answers to asks as they look on a trading day: charts that tell by their prices whose they are."""

from __future__ import annotations

import math
from decimal import Decimal

from station.domain.clock import MINUTE, SECOND
from station.link import (
    Account,
    Ask,
    AskedPart,
    Book,
    BookLevel,
    Candle,
    Chain,
    ChainRow,
    Chart,
    Level,
    Mark,
    OwnOrder,
    PlanRow,
    RungRow,
    Side,
    Tip,
    Watch,
    WatchRow,
    Wealth,
)

BASES = {"SPX": 5938.0, "SPY": 592.0, "ES": 5951.0, "VIX": 14.0}
MINUTES = {"1m": 1, "2m": 2, "3m": 3, "5m": 5, "10m": 10, "15m": 15, "30m": 30, "1h": 60, "4h": 240, "1d": 1440}


def price(symbol: str, timeframe: str, place: int) -> float:
    """A walk of its own for every symbol and timeframe."""
    base, pace = BASES[symbol], 7 + list(MINUTES).index(timeframe)
    return round(base * (1 + 0.002 * math.sin(place / pace) + 0.0008 * math.sin(place * 1.7)), 2)


def chart(ask: Ask, now_ns: int, bars: int = 120) -> Chart:
    length_ns = MINUTES[ask.timeframe] * MINUTE
    first_ns = now_ns // length_ns * length_ns - bars * length_ns
    rows: list[Candle] = []
    for place in range(bars):
        opened, closed = (price(ask.symbol, ask.timeframe, at) for at in (place, place + 1))
        reach = abs(opened - closed) * 0.4 + BASES[ask.symbol] * 1e-4
        high, low = max(opened, closed) + reach, min(opened, closed) - reach
        volume = 0.0 if ask.symbol in ("SPX", "VIX") else 1000.0 + place
        rows.append(Candle(first_ns + place * length_ns, opened, high, low, closed, volume))
    spot = rows[-1].close
    mean = tuple(
        None if at < 20 else round(sum(r.close for r in rows[at - 20 : at + 1]) / 21, 2) for at in range(bars)
    )
    flat = tuple(round(spot * 0.9995 + at * spot * 4e-6, 2) for at in range(bars))
    levels = (Level("day", "prev high", spot * 1.0015), Level("day", "prev close", spot * 0.9985))
    levels += (
        Level("range", "OR high", spot * 1.0006), Level("range", "OR low", spot * 0.9992),
        Level("plan", "GB4h low", spot * 0.9988),
    )  # fmt: skip
    marks: tuple[Mark, ...] = ()
    if ask.symbol == "SPX":
        levels += (
            Level("entry", "entry 4.20", spot * 1.0002),
            Level("target", "TP 5.20", spot * 1.0009, about=True),
            Level("even", "break-even", spot * 1.0022),
        )
        marks = (
            Mark(rows[-30].start_ns, "entry", "PUT", "3.10"),
            Mark(rows[-22].start_ns, "exit", "PUT", "3.80", won=True),
            Mark(rows[-9].start_ns, "entry", "CALL", "4.20"),
        )  # fmt: skip
    return Chart(
        ask, 1, tuple(rows), mean, flat, flat if ask.timeframe not in ("4h", "1d") else (), levels, marks,
        ask.timeframe not in ("4h", "1d"), "paper",
    )  # fmt: skip


def tip(ask: Ask, now_ns: int, wave: float = 0.0) -> Tip:
    length_ns = MINUTES[ask.timeframe] * MINUTE
    last = round(price(ask.symbol, ask.timeframe, 120) + wave, 2)
    bar = Candle(now_ns // length_ns * length_ns, last - 0.4, last + 0.6, last - 0.7, last, 0.0)
    return Tip(ask, bar, last, now_ns - SECOND, "LIVE", 98)


def chain(ask: Ask) -> Chain:
    if ask.symbol == "VIX":
        return Chain(ask, note="VIX has no options here")
    spot = BASES[ask.symbol] + 0.25
    step = 5 if ask.symbol != "SPY" else 1
    middle = round(spot / step) * step
    rows: list[ChainRow] = []
    for away in range(-12, 13):
        strike = middle + away * step
        call = _side(spot - strike, step, 1) if away >= -3 else None
        put = _side(strike - spot, step, -1) if away <= 3 else None
        rows.append(ChainRow(Decimal(strike), call, put))
    return Chain(ask, "SPXW" if ask.symbol == "SPX" else ask.symbol, "20251120", spot, tuple(rows))


def _side(inside: float, step: int, sign: int) -> Side:
    value = max(inside, 0.0) + 4.0 * math.exp(-abs(inside) / (6 * step))
    bid = Decimal(round(value * 20)) / 20
    delta = round(sign * min(max(0.5 + inside / (20 * step), 0.03), 0.97), 2)
    held = 2 if sign > 0 and abs(inside + 1.75) < 0.01 else 0
    modelled = inside < -9 * step
    return Side(
        bid,
        bid + Decimal("0.10"),
        delta,
        round(14 + abs(inside) / step / 5, 1),
        0,
        modelled,
        held,
        round(24_000 * math.exp(-abs(inside) / (4 * step))),
    )


def book(ask: Ask, now_ns: int) -> Book:
    ours = ask.contract == "5940C"
    levels = range(5)
    return Book(
        ask, f"SPXW 20251120 {ask.contract}",
        tuple(BookLevel(Decimal("4.10") - Decimal(n) / 10, 42 + 11 * n) for n in levels),
        tuple(BookLevel(Decimal("4.20") + Decimal(n) / 10, 37 + 9 * n) for n in levels),
        deep=True, last=Decimal("4.20"), at_ns=now_ns - SECOND, volume=812, open_interest=1400,
        steps=((Decimal(0), Decimal("0.05")), (Decimal(3), Decimal("0.10"))),
        orders=(OwnOrder(Decimal("5.20"), Decimal(2), "SELL", "target", "T1"),) if ours else (),
        held=Decimal(2) if ours else Decimal(0), entry=Decimal("4.20") if ours else None,
        break_even=Decimal("4.226") if ours else None,
    )  # fmt: skip


def account(ask: Ask, now_ns: int) -> Account:
    points = tuple(round(300 * math.sin(at / 40) + at, 2) for at in range(292))
    return Account(
        ask, Decimal("35412.00"), Decimal("70824.00"), Decimal("34120.00"), Decimal("332.00"),
        Decimal("412.00"), Decimal("500.00"), 5, 3, 1, points, now_ns - 292 * MINUTE, now_ns + 98 * MINUTE,
        now_ns,
    )  # fmt: skip


def wealth(ask: Ask) -> Wealth:
    rungs = (("trade_start", 35000), ("T1", 35450), ("T2", 35906), ("T3", 36368))
    return Wealth(
        ask,
        (
            PlanRow(
                "WM235K", 4, 52, "T1", Decimal("35512.00"), Decimal(35000), Decimal(36836), Decimal("512.00"),
                tuple(RungRow(level, Decimal(capital), 3) for level, capital in rungs),
            ),
        ),
    )  # fmt: skip


def watch(ask: Ask, now_ns: int) -> Watch:
    changes = {"SPX": 0.42, "SPY": 0.39, "ES": -0.08, "VIX": -2.31}
    rows = tuple(
        WatchRow(
            symbol, base + 0.25, changes[symbol], now_ns - SECOND, "LIVE", 98, base * 1.004, base * 0.997,
            options=symbol != "VIX",
        )
        for symbol, base in BASES.items()
    )  # fmt: skip
    return Watch(ask, rows)


def answer(ask: Ask, now_ns: int, wave: float = 0.0) -> AskedPart | None:
    """What an engine at work says to `ask`."""
    match ask.part:
        case "chart":
            return chart(ask, now_ns)
        case "tip":
            return tip(ask, now_ns, wave)
        case "chain":
            return chain(ask)
        case "book":
            return book(ask, now_ns)
        case "account":
            return account(ask, now_ns)
        case "wealth":
            return wealth(ask)
        case "watch":
            return watch(ask, now_ns)
        case _:
            return None
