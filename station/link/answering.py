"""The engine's side of asked parts: every ask answered once a beat, however many screens have it."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from station.link.asked import ERROR, Ask, AskedPart, refusal

Answerer = Callable[[Ask], AskedPart | None]
FaultSink = Callable[[str, BaseException], None]


def silent(_ask: Ask) -> None:
    """An answerer that knows no part."""


class Answers:
    """The newest answer to each ask that somebody has, with a version that never repeats.

    `answerer` must not wait. One that raises becomes that part's own error state, told to `on_fault` once.
    """

    def __init__(self, answerer: Answerer, on_fault: FaultSink) -> None:
        self._answerer = answerer
        self._on_fault = on_fault
        self._known: dict[Ask, tuple[AskedPart, int]] = {}
        self._faulty: set[Ask] = set()
        self._count = 0

    def keep(self, asks: Iterable[Ask]) -> None:
        """Forget every other."""
        wanted = set(asks)
        self._known = {ask: known for ask, known in self._known.items() if ask in wanted}
        self._faulty &= wanted

    def refresh(self, asks: Iterable[Ask]) -> None:
        """Ask anew; a version grows where the answer differs from the one before."""
        for ask in dict.fromkeys(asks):
            part = self._ask(ask)
            known = self._known.get(ask)
            if part is not None and (known is None or (known[0] is not part and known[0] != part)):
                self._count += 1
                self._known[ask] = (part, self._count)

    def of(self, ask: Ask) -> tuple[AskedPart, int] | None:
        """The newest answer and its version; None before the first, and for a part nobody knows."""
        return self._known.get(ask)

    def _ask(self, ask: Ask) -> AskedPart | None:
        try:
            part = self._answerer(ask)
        except Exception as fault:  # noqa: BLE001 - the boundary where a fault becomes a pane's own state
            if ask not in self._faulty:
                self._faulty.add(ask)
                self._on_fault(f"the {ask.part} of {ask.symbol}".removesuffix(" of "), fault)
            return refusal(ask, ERROR, f"the engine failed at this picture: {fault!r}")
        self._faulty.discard(ask)
        return part
