"""A future outright: carried on margin, bought by hand, protected, and flat with the station's day."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from station.domain.instruments import SecType
from station.domain.orders import OrderKind
from station.domain.trade import Trade
from station.engine.preview import preview
from station.link import Ack, PlaceOrder, Ticket
from tests.faults.station_stage import Stage, ours
from tests.lab import assert_sound, paper_rows, play

RICH: dict[str, Any] = {
    "paper.start_cash_usd": 2_000_000, "risk.position_size_pct": 100, "risk.capital_at_risk_usd": 1_000_000,
    "risk.portfolio_delta": 1_000_000, "risk.daily_loss_usd": 500_000, "risk.daily_loss_pct": 50,
    "protection.late_mode": "alert_only", "protection.grace_s": 86_400,
}  # fmt: skip


async def bought(lab: Stage, symbol: str) -> Trade:
    ticket = Ticket(symbol, qty=1, kind="MARKET", target_pct="5")
    reply = await lab.during(lab.ask(PlaceOrder(ticket, symbol, "ann")))
    assert isinstance(reply, Ack) and reply.ok, reply
    await lab.until_true(lambda: any(t.symbol == symbol and t.open_qty == 1 for t in lab.trades()), limit_s=60)
    return next(trade for trade in lab.trades() if trade.symbol == symbol)


@pytest.mark.parametrize(("symbol", "multiplier"), [("ES", 50), ("NQ", 20)])
def test_a_future_is_bought_on_margin_protected_and_flat_at_the_stations_close(
    symbol: str, multiplier: int, tmp_path: Path
) -> None:
    async def work() -> Decimal:
        async with Stage(tmp_path, settings=RICH, start="15:20", strategy={"enabled": False}) as lab:
            await lab.until("15:22")
            before = lab.rooms.money.equity
            trade = await bought(lab, symbol)
            assert trade.contract is not None and trade.entry_price is not None
            assert (trade.contract.sec_type, trade.contract.multiplier) == (SecType.FUTURE, multiplier)
            assert trade.entry_value == trade.entry_price * multiplier
            await lab.step(5)
            await lab.rooms.money.refresh()
            account = lab.rooms.money.account
            assert account is not None
            margin = account.maintenance / trade.entry_value
            assert abs(margin - Decimal("0.08")) < Decimal("0.001")
            assert abs(lab.rooms.money.equity - before) < 500, "a purchase changes equity by its cost alone"
            (sell,) = lab.exits(trade)
            assert sell.ticket.kind is OrderKind.LIMIT
            assert sell.ticket.limit == lab.rooms.judgement.tick_rule(trade.contract).up(
                trade.entry_price * Decimal("1.05")
            )
            await lab.until("15:54:59")
            assert lab.trade(trade.id).open_qty == 1
            await lab.until("15:56")
            assert lab.is_over(trade.id)
            await lab.until("16:00:55")
            await lab.rooms.money.refresh()
            net = lab.trade(trade.id).net_pnl
            assert net is not None
            assert lab.rooms.money.equity - before == net
            return net

    play(work)
    assert ours(tmp_path, f"SELECT cause, commission FROM trades WHERE symbol = '{symbol}'") == [
        ("end of day", "4.50")
    ]
    assert [row[0] for row in paper_rows(tmp_path, "SELECT commission FROM executions")] == ["2.25", "2.25"]
    assert_sound(tmp_path)


def test_a_future_with_a_stop_fits_the_shipped_limits_by_its_margin_and_its_risk(tmp_path: Path) -> None:
    """$100,000 carry one ES: 8 % of its notional is tied up, a stop of 0.3 % risks less than 5 % of equity, and
    its notional is under four times equity; a second one would pass that."""

    async def work() -> None:
        async with Stage(
            tmp_path, settings={"paper.start_cash_usd": 100_000}, start="15:20", strategy={"enabled": False}
        ) as lab:
            await lab.until("15:22")
            ticket = Ticket("ES", qty=2, kind="MARKET", stop_pct="0.3")
            shown = await lab.during(asyncio.ensure_future(preview(lab.run.engine, ticket)))
            assert (shown["fits"], shown["verdict"]) == (1, "refused")
            to_stop = (Decimal(shown["price_basis"]["ask"]) - Decimal(shown["stop"])) * 2 * 50
            assert (shown["notional"], shown["fees"]) == (True, "4.50")
            assert Decimal(shown["max_loss"]) == to_stop + Decimal("4.50")
            assert [row["rule"] for row in shown["rules"] if not row["ok"]] == ["portfolio delta", "leverage"]
            reply = await lab.during(
                lab.ask(PlaceOrder(Ticket("ES", qty=1, kind="MARKET", stop_pct="0.3"), "a", "b"))
            )
            assert isinstance(reply, Ack) and reply.ok, reply
            ((_, said),) = lab.rooms.judgement.view(lab.trades()[0].contract).future_margins
            assert 20_000 < said < 30_000

    play(work)


def test_a_future_that_the_account_cannot_carry_is_refused_by_the_rules_and_says_by_which(
    tmp_path: Path,
) -> None:
    async def work() -> None:
        async with Stage(tmp_path, start="15:20") as lab:
            await lab.until("15:22")
            reply = await lab.during(lab.ask(PlaceOrder(Ticket("ES", qty=1, kind="MARKET"), "one", "ann")))
            assert isinstance(reply, Ack)
            assert not reply.ok
            assert "position size" in reply.text and "leverage" in reply.text

    play(work)
    assert paper_rows(tmp_path, "SELECT COUNT(*) FROM orders") == [(0,)]
    assert_sound(tmp_path)
