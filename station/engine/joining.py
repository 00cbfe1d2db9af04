"""The composition: every room built and joined, once, from settings and what the outside provides."""

from __future__ import annotations

from decimal import Decimal

from config.plans import plan_names, plan_path
from config.settings import Settings
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
from station.desk.preparation import Preparation
from station.desk.proposals import ProposalDesk
from station.desk.reconciler import Reconciler
from station.desk.settlement import Settlement
from station.desk.spool import ExitSpool
from station.desk.stopwatch import Stopwatch
from station.desk.way import TradeWay
from station.domain.instruments import INSTRUMENTS, Timeframe
from station.domain.specs import Desired, ScannerSpec, StrategySpec
from station.domain.trade import Trade
from station.engine import mapping
from station.engine.rooms import PROVISIONAL_FEE, Hooks, Outside, Rooms
from station.engine.sources import market_limits, market_sources
from station.engine.tuning import Tuned
from station.execution import InstrumentLocks, OrderBook, Submitter
from station.market import Market
from station.options import OptionDesk
from station.protection import ProtectionWorker, rungs_of
from station.scanners import ScannerRoom
from station.strategy import Hunter, Pool, bars_from
from station.wealth import WealthBook, read_plan


def build_rooms(outside: Outside, hooks: Hooks) -> Rooms:
    """Join the rooms. Nothing runs yet."""
    return _Joining(outside, hooks).rooms()


class _Joining:
    """The rooms, each stage upon the ones before; a room calls through here what is joined after it."""

    def __init__(self, outside: Outside, hooks: Hooks) -> None:
        self.outside = outside
        self.hooks = hooks
        self.tuned = Tuned(outside.settings)
        self.stopwatch = Stopwatch(outside.clock)
        self.locks = InstrumentLocks()
        self._watch_the_market()
        self._open_the_books()
        self._judge()
        self._send()
        self._lead()
        self._hunt()
        self._serve_a_hand()
        self.tuned.listeners.append(self._retuned)

    def _watch_the_market(self) -> None:
        outside, desired = self.outside, self.hooks.desired()
        clock, calendar, settings = outside.clock, outside.calendar, outside.settings
        instruments = {symbol: INSTRUMENTS[symbol] for symbol in outside.symbols}
        sources = market_sources(settings, clock, calendar, outside.activity, self.hooks.session())
        self.market = Market(
            clock, calendar, instruments, _wanted(desired, outside.symbols), sources, market_limits(settings)
        )
        here = _here(desired, outside.symbols)
        self.scanners = ScannerRoom(self.market, calendar, here, desired.switches)
        self.pool = Pool()
        self.hunter = Hunter(self.pool, bars_from(self.market), mapping.caps(settings))
        self.options = OptionDesk(clock, calendar, self.market, mapping.pick_limits(settings))

    def _open_the_books(self) -> None:
        outside, clock = self.outside, self.outside.clock
        plans = {name: read_plan(plan_path(name)) for name in plan_names()}
        self.wealth = WealthBook(outside.stores.wealth, plans)
        self.spool = ExitSpool(outside.runtime / "exits.spool")
        self.ledger = Ledger(outside.stores.lifecycle, OrderBook(PROVISIONAL_FEE), clock, self.spool)
        self.inbox = OrderInbox(self.ledger, clock, self.hooks.on_fault)
        self.submitter = Submitter(outside.broker, clock, mapping.send_caps(outside.settings), outside.probe)
        self.hands = ExitHands(
            self.ledger, self.inbox, self.submitter, outside.broker, self.locks,
            lambda why: self.reconciler.ask(why), self._alert, self.stopwatch, self.market.quote,
            mapping.execution(outside.settings),
        )  # fmt: skip
        self.money = MoneyDesk(
            clock, outside.broker, self.ledger, self.market, self.hooks.day_start, self._money_moved
        )

    def _judge(self) -> None:
        outside, money, shields = self.outside, self.money, self.outside.settings.protection
        self.holdings = HoldingsView(
            clock=outside.clock, calendar=outside.calendar, market=self.market, ledger=self.ledger, money=money,
            options=self.options, foreign=lambda: self.reconciler.foreign, specs=self._specs,
            rapid_shield_pct=shields.rapid_shield_pct,
        )  # fmt: skip
        self.judgement = Judgement(
            clock=outside.clock, calendar=outside.calendar, market=self.market, ledger=self.ledger, money=money,
            controls=lambda: self.controls.controls, limits=lambda: self.tuned.limits, options=self.options,
            day_shield_usd=shields.day_shield_loss_usd, enabled=self.tuned.enabled, holdings=self.holdings,
            events=lambda: self.tuned.events, reconciled=lambda: self.reconciler.ready,
            link_up=lambda: outside.broker.connected, day_start=self.hooks.day_start,
        )  # fmt: skip

    def _send(self) -> None:
        outside, hooks, clock = self.outside, self.hooks, self.outside.clock
        self.reconciler = Reconciler(
            self.ledger, self.inbox, outside.broker, clock, self._alert, self.submitter
        )
        self.entries = EntryDesk(
            clock=clock, ledger=self.ledger, inbox=self.inbox, submitter=self.submitter, broker=outside.broker,
            locks=self.locks, hands=self.hands, judgement=self.judgement,
            buying_power=lambda: self.money.buying_power, spec=lambda trade: self._specs().get(trade.strategy),
            ask_reconcile=self.reconciler.ask, terms=mapping.execution(outside.settings),
            stopwatch=self.stopwatch,
        )  # fmt: skip
        self.preparation = Preparation(
            clock=clock, ids=outside.stores.ids, identity=hooks.identity, session=hooks.session,
            options=self.options, wealth=self.wealth, judgement=self.judgement, specs=self._specs,
            proposal_s=lambda: self.tuned.settings.signals.proposal_s,
        )  # fmt: skip
        self.way = TradeWay(
            clock=clock, ledger=self.ledger, locks=self.locks, entries=self.entries,
            preparation=self.preparation, wealth=self.wealth, judgement=self.judgement, pool=self.pool,
            specs=self._specs, protect=lambda trade_id: self.protection.notify(trade_id), alert=self._alert,
            stopwatch=self.stopwatch, use_override=lambda: self.controls.note_override(),
            on_fault=hooks.on_fault, quarantine=lambda symbol, why: self.desk.quarantine(symbol, why),
        )  # fmt: skip
        self.controls = ControlDesk(
            self.ledger, self.hands, clock, lambda: self.tuned.limits, lambda: self.protection.notify_all(),
        )  # fmt: skip

    def _lead(self) -> None:
        outside, hooks, clock = self.outside, self.hooks, self.outside.clock
        look, quarantine = self.reconciler.look_again, self.controls.quarantine
        breaks = BreakDesk(
            ledger=self.ledger, inbox=self.inbox, hands=self.hands, locks=self.locks, look=look,
            mark=self.money.mark_of,
            settlement=Settlement(clock, outside.calendar, self.market, outside.broker), quarantine=quarantine,
            alert=self._alert,
        )  # fmt: skip
        adoption = AdoptionDesk(
            ledger=self.ledger, ids=outside.stores.ids, broker=outside.broker, identity=hooks.identity,
            session=hooks.session, look=look, quarantine=quarantine, alert=self._alert,
        )  # fmt: skip
        self.desk = Desk(
            clock=clock, breaks=breaks, adoption=adoption, ledger=self.ledger, inbox=self.inbox,
            market=self.market, way=self.way, entries=self.entries, hands=self.hands, controls=self.controls,
            reconciler=self.reconciler, judgement=self.judgement, kill_on_break=hooks.kill_soon,
            on_link=hooks.on_link, stopwatch=self.stopwatch,
        )  # fmt: skip
        self.protection = ProtectionWorker(
            self.desk, clock, outside.calendar, mapping.protection(outside.settings), hooks.on_fault_soon
        )
        self.desk.protector = self.protection

    def _hunt(self) -> None:
        outside, hooks, clock = self.outside, self.hooks, self.outside.clock
        self.bars = BarCloser(
            clock, self.market, self.scanners, outside.stores.lifecycle, self.pool, outside.stores.ids,
            hooks.session, hooks.desired, self.stopwatch, lambda: self.market.recover(outside.broker),
        )  # fmt: skip
        opposite = OppositeExit(clock, self.pool, self.ledger, self.way.specs, self.desk.close_trade)
        self.hunt = Hunt(
            clock, self.hunter, self.money.book, outside.stores.lifecycle, hooks.desired, self.way.begin,
            hooks.session, hooks.day_start, opposite,
        )  # fmt: skip

    def _serve_a_hand(self) -> None:
        outside, hooks, clock = self.outside, self.hooks, self.outside.clock
        protect = self.protection.notify
        self.manual = ManualDesk(
            clock=clock, ledger=self.ledger, way=self.way, options=self.options, broker=outside.broker,
            judgement=self.judgement, ids=outside.stores.ids, identity=hooks.identity, session=hooks.session,
            symbols=outside.symbols, protect=protect, terms=mapping.hand_terms(outside.settings),
        )  # fmt: skip
        self.changes = ChangeDesk(
            ledger=self.ledger, entries=self.entries, judgement=self.judgement, locks=self.locks,
            broker=outside.broker, protect=protect, rungs=self._rungs,
        )  # fmt: skip
        self.proposals = ProposalDesk(
            clock=clock, ledger=self.ledger, way=self.way, preparation=self.preparation,
            judgement=self.judgement, find=self.manual.find, positions=self._positions,
        )  # fmt: skip

    def rooms(self) -> Rooms:
        return Rooms(
            self.market, self.scanners, self.pool, self.hunter, self.options, self.wealth, self.ledger,
            self.inbox, self.submitter, self.money, self.judgement, self.controls, self.reconciler, self.way,
            self.desk, self.protection, self.bars, self.hunt, self.stopwatch, self.spool, self.tuned,
            self.manual, self.changes, self.proposals,
        )  # fmt: skip

    # --- what rooms ask of each other ---------------------------------------------------------------

    def _specs(self) -> dict[str, StrategySpec]:
        return {spec.strategy_id: spec for spec in self.hooks.desired().strategies}

    def _rungs(self, trade: Trade) -> tuple[Decimal, ...]:
        return rungs_of(self.desk.holding(trade.id), mapping.protection(self.tuned.settings))

    def _positions(self) -> tuple[int, int]:
        return self.money.book.counts(self.hooks.day_start()).positions, self.hunter.caps.positions

    async def _alert(self, severity: str, text: str, trade_id: str) -> None:
        await self.desk.alert(severity, text, trade_id)

    async def _money_moved(self, day_pnl: Decimal, equity: Decimal) -> None:
        await self.controls.begin_session(self.hooks.session().isoformat(), equity)
        await self.controls.watch_day(day_pnl, equity)

    def _retuned(self, settings: Settings) -> None:
        terms = mapping.execution(settings)
        self.hands.configure(terms)
        self.entries.configure(terms)
        self.holdings.configure(settings.protection.rapid_shield_pct)
        self.judgement.configure(settings.protection.day_shield_loss_usd)
        self.hunter.caps = mapping.caps(settings)
        self.options.configure(mapping.pick_limits(settings))
        self.submitter.configure(mapping.send_caps(settings))
        self.protection.configure(mapping.protection(settings))
        self.manual.terms = mapping.hand_terms(settings)


def _here(desired: Desired, symbols: tuple[str, ...]) -> tuple[ScannerSpec, ...]:
    return tuple(spec for spec in desired.scanners if spec.instrument in symbols)


def _wanted(desired: Desired, symbols: tuple[str, ...]) -> dict[str, tuple[Timeframe, ...]]:
    wanted = wanted_series(desired, symbols)
    return {symbol: wanted[symbol] for symbol in symbols}
