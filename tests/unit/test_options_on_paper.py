"""The picker on the paper exchange through the real market: what it picks, risk can judge and let pass."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

from station.calendars import load_calendar
from station.domain.instruments import INSTRUMENTS, Side, Timeframe
from station.domain.orders import Action
from station.market import Market
from station.options import NoPick, OptionDesk, Pick, Warmed
from station.risk import Limits, Proposal, RiskView, begin_session, fit, preflight
from station.risk.controls import Controls
from tests.unit.paper_harness import Alone, alone

SYMBOLS = ("SPX", "SPY", "ES")


def test_warm_ladders_on_paper_give_contracts_that_preflight_approves(tmp_path: Path) -> None:
    picks: list[Pick | NoPick] = []
    warmed: list[Warmed] = []
    views: list[RiskView] = []

    async def trade(run: Alone) -> None:
        calendar = load_calendar()
        here = {symbol: INSTRUMENTS[symbol] for symbol in run.exchange.tape.symbols}
        market = Market(run.clock, calendar, here, dict.fromkeys(here, (Timeframe.M1,)))
        desk = OptionDesk(run.clock, calendar, market)
        await run.exchange.connect(market.on_report)
        for instrument in here.values():
            await run.exchange.watch(await run.exchange.resolve(instrument))
        await run.clock.sleep(2)
        warmed.extend(await desk.keep_warm(run.exchange, SYMBOLS))
        await run.clock.sleep(4)
        now, account = run.clock.now(), await run.exchange.account()
        controls, _ = begin_session(Controls(), "2026-07-22", account.net_liquidation)
        span = calendar.last_opened(INSTRUMENTS["SPX"].hours, now)
        for symbol in SYMBOLS:
            for side, delta in ((Side.CALL, 0.30), (Side.PUT, 0.25)):
                found = desk.pick(symbol, side, delta, "0dte", now)
                picks.append(found)
                if isinstance(found, Pick):
                    views.append(
                        RiskView(
                            now, controls, span.open_ns, span.close_ns, quote=found.quote,
                            greeks=desk.greeks(found.contract, now), vix=market.last_price("VIX"),
                            equity=account.net_liquidation, buying_power=account.buying_power,
                        )
                    )  # fmt: skip

    alone(tmp_path, ((330, trade),), 340, start_s=320, start_cash=Decimal(35_000))
    assert [(each.symbol, each.warm, each.contracts) for each in warmed] == [
        (name, True, 30) for name in SYMBOLS
    ]
    assert len(views) == 6, picks
    for found, view in zip(picks, views, strict=True):
        assert isinstance(found, Pick)
        assert abs(abs(found.greeks.delta) - (0.30 if found.greeks.delta > 0 else 0.25)) < 0.05
        order = Proposal(found.contract.symbol, found.contract, Action.BUY, Decimal(3), confidence=74)
        fitted = fit(order, view, Limits())
        assert 1 <= fitted.qty <= 3
        verdict = preflight(replace(order, qty=fitted.qty), view, Limits())
        assert verdict.approved, verdict.text()
