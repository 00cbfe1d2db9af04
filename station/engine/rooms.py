"""The composition: every room built and joined, once, from settings and what the outside provides."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from pathlib import Path

from config.plans import plan_names, plan_path
from config.settings import Settings
from station.calendars import Calendar
from station.clock import Activity
from station.desk.adoption import AdoptionDesk
from station.desk.breaks import BreakDesk
from station.desk.changes import ChangeDesk
from station.desk.controls import ControlDesk
from station.desk.desk import Desk
from station.desk.entries import EntryDesk
from station.desk.exits import ExitHands
from station.desk.holdings import HoldingsView
from station.desk.hunting import BarCloser, Hunt, wanted_series
from station.desk.inbox import OrderInbox
from station.desk.judgement import Judgement
from station.desk.ledger import Ledger
from station.desk.manual import ManualDesk
from station.desk.money import MoneyDesk
from station.desk.opposite import OppositeExit
from station.desk.preparation import Identity, Preparation
from station.desk.proposals import ProposalDesk
from station.desk.reconciler import Reconciler
from station.desk.settlement import Settlement
from station.desk.spool import ExitSpool
from station.desk.stopwatch import Stopwatch
from station.desk.way import TradeWay
from station.domain.broker import Broker, LinkReport
from station.domain.clock import Clock
from station.domain.instruments import INSTRUMENTS, Timeframe
from station.domain.specs import Desired, ScannerSpec, StrategySpec
from station.engine import mapping
from station.engine.sources import market_limits, market_sources
from station.engine.tuning import Tuned
from station.execution import InstrumentLocks, OrderBook, Submitter
from station.market import Market
from station.options import OptionDesk
from station.protection import ProtectionWorker, rungs_of
from station.scanners import ScannerRoom
from station.store import Stores
from station.strategy import Hunter, Pool, bars_from
from station.wealth import WealthBook, read_plan

Fault = Callable[[str, BaseException], Awaitable[None]]
PROVISIONAL_FEE = Decimal("0.65")
"""Dollars a contract, IBKR's tiered US option commission, until the broker reports the true one."""


@dataclass(frozen=True, slots=True)
class Outside:
    """What the engine is built around."""

    settings: Settings
    runtime: Path
    clock: Clock
    calendar: Calendar
    stores: Stores
    broker: Broker
    probe: Callable[[str], None] | None
    symbols: tuple[str, ...]
    activity: Activity = field(default_factory=lambda: Activity(ordered=False))
    base: Settings | None = None
    """The settings without the database's, where it has any."""
    pinned: Mapping[str, str] = field(default_factory=dict[str, str])
    """Settings that something stronger than the database gives, and what."""


@dataclass(frozen=True, slots=True)
class Hooks:
    """What the rooms ask of the engine itself; each is O(1) and synchronous unless it says otherwise."""

    desired: Callable[[], Desired]
    session: Callable[[], date]
    day_start: Callable[[], int]
    identity: Callable[[], Identity]
    on_fault: Fault
    on_fault_soon: Callable[[str, BaseException], None]
    on_link: Callable[[LinkReport], None]
    kill_soon: Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Rooms:
    """Everything that runs."""

    market: Market
    scanners: ScannerRoom
    pool: Pool
    hunter: Hunter
    options: OptionDesk
    wealth: WealthBook
    ledger: Ledger
    inbox: OrderInbox
    submitter: Submitter
    money: MoneyDesk
    judgement: Judgement
    controls: ControlDesk
    reconciler: Reconciler
    way: TradeWay
    desk: Desk
    protection: ProtectionWorker
    bars: BarCloser
    hunt: Hunt
    stopwatch: Stopwatch
    spool: ExitSpool
    tuned: Tuned
    manual: ManualDesk
    changes: ChangeDesk
    proposals: ProposalDesk


class _Late:
    """Names joined after all rooms exist: a room calls through here what is built after it."""

    desk: Desk
    protection: ProtectionWorker
    controls: ControlDesk
    reconciler: Reconciler
    way: TradeWay
    session: Callable[[], date]

    async def alert(self, severity: str, text: str, trade_id: str) -> None:
        await self.desk.alert(severity, text, trade_id)

    async def on_money(self, day_pnl: Decimal, equity: Decimal) -> None:
        await self.controls.begin_session(self.session().isoformat(), equity)
        await self.controls.watch_day(day_pnl, equity)


def build_rooms(outside: Outside, hooks: Hooks) -> Rooms:
    """Join the rooms. Nothing runs yet."""
    clock, calendar, broker, late = outside.clock, outside.calendar, outside.broker, _Late()
    late.session = hooks.session
    desired = hooks.desired()
    instruments = {symbol: INSTRUMENTS[symbol] for symbol in outside.symbols}
    sources = market_sources(outside.settings, clock, calendar, outside.activity, hooks.session())
    market = Market(
        clock,
        calendar,
        instruments,
        _wanted(desired, outside.symbols),
        sources,
        market_limits(outside.settings),
    )
    scanners = ScannerRoom(market, calendar, _here(desired, outside.symbols), desired.switches)
    pool, stopwatch = Pool(), Stopwatch(clock)
    hunter = Hunter(pool, bars_from(market), mapping.caps(outside.settings))
    options = OptionDesk(clock, calendar, market, mapping.pick_limits(outside.settings))
    wealth = WealthBook(outside.stores.wealth, {name: read_plan(plan_path(name)) for name in plan_names()})
    spool = ExitSpool(outside.runtime / "exits.spool")
    ledger = Ledger(outside.stores.lifecycle, OrderBook(PROVISIONAL_FEE), clock, spool)
    inbox = OrderInbox(ledger, clock, hooks.on_fault)
    submitter = Submitter(broker, clock, mapping.send_caps(outside.settings), outside.probe)
    locks, execution = InstrumentLocks(), mapping.execution(outside.settings)
    hands = ExitHands(
        ledger,
        inbox,
        submitter,
        broker,
        locks,
        lambda why: late.reconciler.ask(why),
        late.alert,
        stopwatch,
        market.quote,
        execution,
    )
    tuned = Tuned(outside.settings)
    money = MoneyDesk(clock, broker, ledger, market, hooks.day_start, late.on_money)

    def specs() -> dict[str, StrategySpec]:
        return {spec.strategy_id: spec for spec in hooks.desired().strategies}

    holdings = HoldingsView(
        clock=clock, calendar=calendar, market=market, ledger=ledger, money=money, options=options,
        foreign=lambda: late.reconciler.foreign, specs=specs,
        rapid_shield_pct=outside.settings.protection.rapid_shield_pct,
    )  # fmt: skip
    judgement = Judgement(
        clock=clock, calendar=calendar, market=market, ledger=ledger, money=money,
        controls=lambda: late.controls.controls, limits=lambda: tuned.limits, options=options,
        day_shield_usd=outside.settings.protection.day_shield_loss_usd,
        enabled=tuned.enabled,
        holdings=holdings, events=lambda: tuned.events,
        reconciled=lambda: late.reconciler.ready, link_up=lambda: broker.connected, day_start=hooks.day_start,
    )  # fmt: skip
    reconciler = late.reconciler = Reconciler(ledger, inbox, broker, clock, late.alert, submitter)
    entries = EntryDesk(
        clock=clock, ledger=ledger, inbox=inbox, submitter=submitter, broker=broker, locks=locks,
        hands=hands, judgement=judgement, buying_power=lambda: money.buying_power,
        spec=lambda trade: specs().get(trade.strategy), ask_reconcile=reconciler.ask, terms=execution,
        stopwatch=stopwatch,
    )  # fmt: skip
    preparation = Preparation(
        clock=clock, ids=outside.stores.ids, identity=hooks.identity, session=hooks.session, options=options,
        wealth=wealth, judgement=judgement, specs=specs, proposal_s=lambda: tuned.settings.signals.proposal_s,
    )  # fmt: skip
    way = late.way = TradeWay(
        clock=clock, ledger=ledger, locks=locks, entries=entries, preparation=preparation, wealth=wealth,
        judgement=judgement, pool=pool, specs=specs,
        protect=lambda trade_id: late.protection.notify(trade_id), alert=late.alert, stopwatch=stopwatch,
        use_override=lambda: late.controls.note_override(),
        on_fault=hooks.on_fault, quarantine=lambda symbol, why: late.desk.quarantine(symbol, why),
    )  # fmt: skip
    controls = late.controls = ControlDesk(
        ledger, hands, clock, lambda: tuned.limits, lambda: late.protection.notify_all(),
        lambda trade_id, cause, reason: late.desk.close_trade(trade_id, cause, reason),
    )  # fmt: skip
    breaks = BreakDesk(
        ledger=ledger, inbox=inbox, hands=hands, locks=locks, look=reconciler.look_again, mark=money.mark_of,
        settlement=Settlement(clock, calendar, market, broker), quarantine=controls.quarantine,
        alert=late.alert,
    )  # fmt: skip
    adoption = AdoptionDesk(
        ledger=ledger, ids=outside.stores.ids, broker=broker, identity=hooks.identity, session=hooks.session,
        look=reconciler.look_again, quarantine=controls.quarantine, alert=late.alert,
    )  # fmt: skip
    desk = late.desk = Desk(
        clock=clock, breaks=breaks, adoption=adoption, ledger=ledger, inbox=inbox,
        market=market, way=way, entries=entries, hands=hands, controls=controls, reconciler=reconciler,
        judgement=judgement, kill_on_break=hooks.kill_soon, on_link=hooks.on_link, stopwatch=stopwatch,
    )  # fmt: skip
    protection = late.protection = ProtectionWorker(
        desk, clock, calendar, mapping.protection(outside.settings), hooks.on_fault_soon
    )
    desk.protector = protection
    bars = BarCloser(
        clock, market, scanners, outside.stores.lifecycle, pool, outside.stores.ids, hooks.session,
        hooks.desired, stopwatch, lambda: market.recover(broker),
    )  # fmt: skip
    opposite = OppositeExit(clock, pool, ledger, way.specs, protection.request_out)
    hunt = Hunt(
        clock, hunter, money.book, outside.stores.lifecycle, hooks.desired, way.begin, hooks.session,
        hooks.day_start, opposite,
    )  # fmt: skip

    def retuned(settings: Settings) -> None:
        terms = mapping.execution(settings)
        hands.configure(terms)
        entries.configure(terms)
        holdings.configure(settings.protection.rapid_shield_pct)
        judgement.configure(settings.protection.day_shield_loss_usd)
        hunter.caps = mapping.caps(settings)
        options.configure(mapping.pick_limits(settings))
        submitter.configure(mapping.send_caps(settings))
        protection.configure(mapping.protection(settings))
        manual.terms = mapping.hand_terms(settings)

    manual = ManualDesk(
        clock=clock, ledger=ledger, way=way, options=options, broker=broker, judgement=judgement,
        ids=outside.stores.ids, identity=hooks.identity, session=hooks.session, symbols=outside.symbols,
        protect=protection.notify, terms=mapping.hand_terms(outside.settings),
    )  # fmt: skip
    changes = ChangeDesk(
        ledger=ledger, entries=entries, judgement=judgement, locks=locks, broker=broker,
        protect=protection.notify,
        rungs=lambda trade: rungs_of(desk.holding(trade.id), mapping.protection(tuned.settings)),
    )  # fmt: skip
    tuned.listeners.append(retuned)
    return Rooms(
        market, scanners, pool, hunter, options, wealth, ledger, inbox, submitter, money, judgement,
        controls, reconciler, way, desk, protection, bars, hunt, stopwatch, spool, tuned,
        manual, changes,
        ProposalDesk(
            clock=clock, ledger=ledger, way=way, preparation=preparation, judgement=judgement, find=manual.find,
            positions=lambda: (money.book.counts(hooks.day_start()).positions, hunter.caps.positions),
        ),
    )  # fmt: skip


def _here(desired: Desired, symbols: tuple[str, ...]) -> tuple[ScannerSpec, ...]:
    return tuple(spec for spec in desired.scanners if spec.instrument in symbols)


def _wanted(desired: Desired, symbols: tuple[str, ...]) -> dict[str, tuple[Timeframe, ...]]:
    wanted = wanted_series(desired, symbols)
    return {symbol: wanted[symbol] for symbol in symbols}
