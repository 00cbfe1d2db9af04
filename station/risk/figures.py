"""A rule's figures as a trader reads them: the sign before the dollar, thousands apart, long waits in hours."""

from __future__ import annotations

from decimal import Decimal


def dollars(value: Decimal) -> str:
    """`-$1,000.80`."""
    return f"{'-' if value < 0 else ''}${abs(value):,.2f}"


def whole_dollars(value: Decimal | float) -> str:
    """`-$2,000`; cents where a limit has any."""
    return f"{'-' if value < 0 else ''}${abs(value):,.2f}".removesuffix(".00")


def signed_dollars(value: float) -> str:
    """`+$0`, `-$885`: to the dollar, for what is reckoned and not booked."""
    return f"{'-' if value < 0 else '+'}${abs(value):,.0f}"


def lasting(seconds: float) -> str:
    """`95 s`, `5m`, `2m 30s`, `3h 30m`."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes, left = divmod(round(seconds), 60)
    if minutes >= 60:
        return f"{minutes // 60}h {minutes % 60:02d}m"
    return f"{minutes}m {left:02d}s" if left else f"{minutes}m"
