"""Numbers and times as a trader reads them. Signs and arrows always, colour only besides."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Final
from zoneinfo import ZoneInfo

from rich.style import Style

from station.domain.clock import SECOND
from widgets import ink

ET: Final = ZoneInfo("America/New_York")


def clock_text(at_ns: int) -> str:
    """`14:32:07`, exchange time."""
    return f"{et(at_ns):%H:%M:%S}"


def minute_text(at_ns: int) -> str:
    return f"{et(at_ns):%H:%M}"


def date_text(at_ns: int) -> str:
    return f"{et(at_ns):%a %d %b %Y}"


def et(at_ns: int) -> datetime:
    """The exchange's wall time."""
    return datetime.fromtimestamp(at_ns // SECOND, UTC).astimezone(ET)


def age_text(seconds: float) -> str:
    """`7s`, `12m`, `3h`, `2d`."""
    whole = max(int(seconds), 0)
    for size, unit in ((86400, "d"), (3600, "h"), (60, "m")):
        if whole >= size:
            return f"{whole // size}{unit}"
    return f"{whole}s"


def countdown(until_ns: int, now_ns: int) -> str:
    """`07:12` left, `due` when it has run out."""
    left = (until_ns - now_ns) // SECOND
    if left < 0:
        return "due"
    if left >= 3600:
        return f"{left // 3600}:{left // 60 % 60:02d}:{left % 60:02d}"
    return f"{left // 60:02d}:{left % 60:02d}"


def counted(number: int, noun: str) -> str:
    """`1 trade`, `3 trades`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def state(name: str) -> str:
    """A trade's or order's state as it is said: `SELL_SUBMITTED` is `sell submitted`."""
    return name.replace("_", " ").lower()


def arrow(value: Decimal | float) -> str:
    if value > 0:
        return "▲"
    return "▼" if value < 0 else "·"


def tone(value: Decimal | float) -> Style:
    if value > 0:
        return ink.UP
    return ink.DOWN if value < 0 else ink.DIM


def money(value: Decimal) -> str:
    """`35,412.00`."""
    return f"{value:,.2f}"


def whole(value: Decimal) -> str:
    """`35,412`: dollars where cents do not matter."""
    return f"{value:,.0f}"


def signed_money(value: Decimal) -> str:
    """`+80.00`."""
    return f"{value:+,.2f}"


def dollars(value: float) -> str:
    """`-$887`: whole dollars."""
    return f"{'-' if value < 0 else '+'}${abs(value):,.0f}"


def signed_pct(value: float) -> str:
    """`+10.1%`, two decimals below ten."""
    return f"{value:+.1f}%" if abs(value) >= 10 else f"{value:+.2f}%"


def price(value: float | Decimal) -> str:
    return f"{value:,.2f}"


def day_text(at_ns: int) -> str:
    """`Nov 18`."""
    return f"{et(at_ns):%b %d}"


def compact(value: float) -> str:
    """A size in four cells at most: `812`, `1.2k`, `37k`, `1.5M`."""
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size * 0.9995:
            scaled = value / size
            return f"{scaled:.1f}{unit}" if scaled < 9.95 else f"{scaled:.0f}{unit}"
    return f"{value:.0f}"


_ENDLESS: Final = re.compile(r"\S{49,}")


def brief(text: str) -> str:
    """`text` with words that nobody reads to their end cut short, so that what is said of them is seen."""
    return _ENDLESS.sub(lambda found: f"{found[0][:40]}…", text)


_OPTION: Final = re.compile(r"(\S+) (\d{4})(\d\d)(\d\d) (\S+)")


def contract(label: str, now_ns: int) -> str:
    """`SPXW 20251120 5940C` as a trader says it: `SPXW 5940C 0DTE`, or `… Nov21` before its day."""
    found = _OPTION.fullmatch(label)
    if found is None:
        return label
    name, year, month, day, strike = found.groups()
    expiry = date(int(year), int(month), int(day))
    today = et(now_ns).date()
    when = "0DTE" if expiry == today else f"{expiry:%b%d}" if expiry.year == today.year else f"{expiry:%b%d'%y}"
    return f"{name} {strike} {when}"


_INSIDE: Final = re.compile(r"\S+ \d{8} \S+[CP]\b")


def shortened(text: str, now_ns: int) -> str:
    """A sentence with every option named as `contract` names it."""
    return _INSIDE.sub(lambda found: contract(found.group(), now_ns), text)


def count(value: Decimal | int) -> str:
    """A quantity without needless decimals."""
    number = Decimal(value)
    return f"{number.normalize():f}" if number else "0"
