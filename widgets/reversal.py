"""What turning a position round would buy, as the engine says it."""

from __future__ import annotations

from typing import Final

from station.link import Data, Link, LinkDown, PreviewReverse
from widgets import words
from widgets.preview import Preview, preview_of

ASKINGS: Final = 3


async def other_side(link: Link, trade_id: str) -> Preview | None:
    """None where the engine did not say. What was not watched before may have no quote at the first asking."""
    told: Preview | None = None
    try:
        for _ in range(ASKINGS):
            reply = await link.ask(PreviewReverse(trade_id))
            told = preview_of(reply.json) if isinstance(reply, Data) else None
            if told is None or not told.problems:
                break
    except (LinkDown, ValueError):
        return None
    return told


def named(told: Preview, now_ns: int) -> str:
    """`BUY 2 SPXW 5940P 0DTE`."""
    return f"BUY {told.document.get('qty')} {words.contract(str(told.document.get('contract')), now_ns)}"
