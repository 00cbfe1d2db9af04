"""Greeks and quotes of what is held, through the life of each trade, for the journal."""

from __future__ import annotations

from station.domain.clock import Clock
from station.engine.rooms import Rooms
from station.store import ArchiveRepository, PositionSnapshot


class SnapshotKeeper:
    """Writes one snapshot a held trade to the archive; bulk, so never in the way of an order."""

    def __init__(self, rooms: Rooms, archive: ArchiveRepository, clock: Clock) -> None:
        self._rooms = rooms
        self._archive = archive
        self._clock = clock

    async def run(self) -> str:
        """Take and flush; answers how many."""
        taken = [self._of(trade_id) for trade_id in self._held()]
        if taken:
            self._archive.snapshot(*taken)
            await self._archive.flush()
        return f"{len(taken)} snapshots"

    def _held(self) -> list[str]:
        return [
            trade.id for trade in self._rooms.ledger.open_trades() if trade.open_qty != 0 and trade.contract
        ]

    def _of(self, trade_id: str) -> PositionSnapshot:
        trade = self._rooms.ledger.trades[trade_id]
        assert trade.contract is not None
        now = self._clock.now()
        quote = self._rooms.market.quote(trade.contract)
        greeks = self._rooms.options.greeks(trade.contract, now)
        underlying = self._rooms.market.last_price(trade.symbol)
        if greeks is None:
            return PositionSnapshot(
                now, trade.id, trade.contract, trade.open_qty, quote.bid if quote else None,
                quote.ask if quote else None, underlying,
            )  # fmt: skip
        return PositionSnapshot(
            now, trade.id, trade.contract, trade.open_qty, quote.bid if quote else None,
            quote.ask if quote else None, underlying, greeks.iv, greeks.delta, greeks.gamma, greeks.theta,
            greeks.vega, greeks.source.value,
        )  # fmt: skip
