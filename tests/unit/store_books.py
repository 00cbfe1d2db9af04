"""A good runtime directory: real trades through the real store, and the exchange's book that matches them."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any, cast, get_args

import msgspec

from station.clock import Activity, VirtualClock
from station.domain.clock import SECOND
from station.domain.events import (
    CommissionBooked,
    EntryEnded,
    EntrySubmitted,
    Event,
    ExecutionBooked,
    ExitModified,
    ExitSubmitted,
    OptionSelected,
    OrderMoved,
    Recorded,
    SettledAtExpiry,
    SignalAccepted,
    StrategyPassed,
    TradeEvent,
    TradeFailed,
    TradeSized,
    WealthRecorded,
)
from station.domain.instruments import INSTRUMENTS, Contract, Right, Side, Timeframe, option_contract
from station.domain.lifecycle import closing as closing_of
from station.domain.lifecycle import evolve
from station.domain.orders import (
    Action,
    Execution,
    Order,
    OrderKind,
    OrderState,
    Purpose,
    Ticket,
    order_ref,
)
from station.domain.ports import Changes, DiaryRow, WealthState
from station.domain.projection import order_ref_of, project_order
from station.domain.signals import Decision, Firing, Signal, SignalState
from station.domain.trade import Trade
from station.store import Stores, open_stores
from station.store.chain import GENESIS, INSERT_EVENT, SELECT_EVENTS, Entry, EventRow, sealed

D = Decimal
ACCOUNT = "DU1000001"
OPEN_NS = 1_795_012_200 * SECOND
START = D(35000)
PLAN = "WM235K"
FEE = D("1.30")
_TRADE_EVENTS = get_args(TradeEvent)

_PAPER = (
    "CREATE TABLE meta(key TEXT PRIMARY KEY, value TEXT)",
    "CREATE TABLE orders(order_ref TEXT PRIMARY KEY, account TEXT, broker_id INTEGER, perm_id INTEGER, "
    "contract TEXT, action TEXT, qty TEXT, kind TEXT, limit_price TEXT, stop_price TEXT, tif TEXT, "
    "oca_group TEXT, parent_ref TEXT, purpose TEXT, state TEXT, filled TEXT, received_ns INTEGER, "
    "updated_ns INTEGER, reason TEXT)",
    "CREATE TABLE order_events(seq INTEGER PRIMARY KEY, at_ns INTEGER, order_ref TEXT, what TEXT, state TEXT, "
    "qty TEXT, filled TEXT)",
    "CREATE TABLE executions(exec_id TEXT PRIMARY KEY, seq INTEGER, order_ref TEXT, account TEXT, "
    "contract TEXT, action TEXT, qty TEXT, price TEXT, multiplier INTEGER, commission TEXT, at_ns INTEGER)",
    "CREATE TABLE cash(seq INTEGER PRIMARY KEY, at_ns INTEGER, kind TEXT, amount TEXT, ref TEXT)",
    "CREATE TABLE settlements(seq INTEGER PRIMARY KEY, at_ns INTEGER, account TEXT, contract TEXT, qty TEXT, "
    "price TEXT, multiplier INTEGER)",
)


def spx(strike: int, right: Right = Right.CALL) -> Contract:
    return option_contract(INSTRUMENTS["SPX"], "20261118", D(strike), right)


async def opened(runtime: Path, clock: VirtualClock | None = None, **more: Any) -> Stores:
    return await open_stores(
        runtime, clock=clock or VirtualClock(OPEN_NS), activity=Activity(ordered=True), account=ACCOUNT, **more
    )


class Exchange:
    """The paper book by plain SQL: what it is told becomes rows, nothing is decided here."""

    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(path, isolation_level=None)
        for statement in _PAPER:
            self._db.execute(statement)
        self._db.execute("BEGIN")
        self._tickets: dict[str, Ticket] = {}
        self._states: dict[str, tuple[str, D]] = {}
        self._db.execute("INSERT INTO meta VALUES ('start_cash', ?)", (str(START),))
        self._cash(OPEN_NS, "deposit", START, "")

    def received(self, ticket: Ticket, at_ns: int) -> None:
        t = ticket
        self._tickets[t.order_ref] = t
        number = len(self._tickets)
        self._db.execute(
            "INSERT INTO orders VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'SUBMITTED', '0', ?, ?, '')",
            (t.order_ref, t.account, number, 900 + number, _json(t.contract), t.action.value, str(t.qty),
             t.kind.value, _text(t.limit), _text(t.stop), t.tif.value, t.oca_group, t.parent_ref,
             t.purpose.value, at_ns, at_ns),
        )  # fmt: skip
        self.moved(t.order_ref, "SUBMITTED", D(0), at_ns, "received")

    def moved(self, ref: str, state: str, filled: D, at_ns: int, what: str = "moved") -> None:
        self._states[ref] = (state, filled)
        self._db.execute(
            "UPDATE orders SET state = ?, filled = ?, qty = ?, updated_ns = ? WHERE order_ref = ?",
            (state, str(filled), str(self._tickets[ref].qty), at_ns, ref),
        )
        self._db.execute(
            "INSERT INTO order_events (at_ns, order_ref, what, state, qty, filled) VALUES (?, ?, ?, ?, ?, ?)",
            (at_ns, ref, what, state, str(self._tickets[ref].qty), str(filled)),
        )

    def modified(self, ticket: Ticket, at_ns: int) -> None:
        self._tickets[ticket.order_ref] = ticket
        self.moved(ticket.order_ref, *self._states[ticket.order_ref], at_ns, "modified")

    def executed(self, execution: Execution, fee: D) -> None:
        e = execution
        sign, multiplier = e.action.sign, e.contract.multiplier
        self._db.execute(
            "INSERT INTO executions SELECT ?, COUNT(*) + 1, ?, ?, ?, ?, ?, ?, ?, ?, ? FROM executions",
            (e.exec_id, e.order_ref, e.account, _json(e.contract), e.action.value, str(e.qty), str(e.price),
             multiplier, str(fee), e.at_ns),
        )  # fmt: skip
        self._cash(e.at_ns, "trade", -sign * e.qty * e.price * multiplier, e.exec_id)
        self._cash(e.at_ns, "commission", -fee, e.exec_id)
        state, filled = self._states[e.order_ref]
        filled += e.qty
        state = "FILLED" if filled >= self._tickets[e.order_ref].qty else "PARTIALLY_FILLED"
        self.moved(e.order_ref, state, filled, e.at_ns, "filled")

    def settled(self, contract: Contract, qty: D, price: D, at_ns: int) -> None:
        self._db.execute(
            "INSERT INTO settlements (at_ns, account, contract, qty, price, multiplier) "
            "VALUES (?, ?, ?, ?, ?, ?)",
            (at_ns, ACCOUNT, _json(contract), str(qty), str(price), contract.multiplier),
        )
        self._cash(at_ns, "settlement", qty * price * contract.multiplier, contract.label)

    def close(self) -> None:
        self._db.execute("COMMIT")
        self._db.close()

    def _cash(self, at_ns: int, kind: str, amount: D, ref: str) -> None:
        row = (at_ns, kind, str(amount), ref)
        self._db.execute("INSERT INTO cash (at_ns, kind, amount, ref) VALUES (?, ?, ?, ?)", row)


class Hand:
    """Commits as the desk does: evolve, project, one commit; and tells the exchange what was sent."""

    def __init__(self, stores: Stores, exchange: Exchange | None = None) -> None:
        self.stores = stores
        self.exchange = exchange
        self.trades: dict[str, Trade] = {}
        self.orders: dict[str, Order] = {}
        self.now = OPEN_NS
        self.capital = START
        self.executions = 0

    async def record(self, trade_id: str, *events: Event, **more: Any) -> Trade:
        self.now += SECOND
        recorded = tuple(Recorded(event, self.now, trade_id) for event in events)
        trades: dict[str, Trade] = {}
        orders: dict[str, Order] = {}
        for item in recorded:
            if isinstance(item.event, _TRADE_EVENTS):
                before = trades.get(trade_id, self.trades.get(trade_id))
                trades[trade_id] = evolve(before, trade_id, cast("TradeEvent", item.event), self.now)
            ref = order_ref_of(item.event)
            order = project_order(orders.get(ref, self.orders.get(ref)), item) if ref else None
            if order is not None:
                orders[ref] = order
        changes = Changes(recorded, tuple(trades.values()), tuple(orders.values()), **more)
        await self.stores.lifecycle.commit(changes)
        self.trades.update(trades)
        self.orders.update(orders)
        return self.trades[trade_id]

    async def sized(self, qty: int, contract: Contract) -> str:
        """A new trade up to WEALTH_SIZED."""
        day = date(2026, 11, 18)
        trade_id = self.stores.ids.trade_id(day)
        signal = a_signal(self.stores.ids.signal_id(day), self.now)
        await self.stores.lifecycle.commit(Changes(signals=(signal,), scanner_marks={"SPX_V3_CALL": self.now}))
        await self.record(
            trade_id,
            SignalAccepted(("SPX_V3_CALL",), (signal.id,), f"SPX_V3_CALL@{self.now}", self.now, 5938.25),
            StrategyPassed(
                ACCOUNT, "paper", "momentum", 3, "STRATEGY", "SPX", Side.CALL, D(23), "rapid_shield", PLAN
            ),
            signals=(replace(signal, state=SignalState.EXECUTING, trade_id=trade_id),),
            decisions=(Decision(trade_id, "veera", "pass", "all enabled rules hold", self.now),),
        )
        await self.record(
            trade_id, OptionSelected(contract, D("3.00"), D("3.10"), 0.31, 0.18, 5938.25, "broker")
        )
        await self.record(trade_id, TradeSized(D(qty), PLAN, 1, "trade_start", self.capital))
        return trade_id

    async def enter(self, qty: int, contract: Contract) -> str:
        """A new trade with its entry at the exchange, unfilled."""
        trade_id = await self.sized(qty, contract)
        ref = order_ref(ACCOUNT, trade_id, "E", 1)
        ticket = Ticket(ref, ACCOUNT, contract, Action.BUY, D(qty), OrderKind.LIMIT, Purpose.ENTRY, D("3.10"))
        until = self.now + 60 * SECOND
        await self.record(trade_id, EntrySubmitted(ticket, D("3.10"), D("3.05"), until))
        await self._acknowledged(trade_id, ticket)
        return trade_id

    async def sell(
        self, trade_id: str, n: int, qty: int, price: str, *, group: str = "", stop: bool = False
    ) -> str:
        """An exit at the exchange."""
        contract = self.trades[trade_id].contract
        assert contract is not None
        ref = order_ref(ACCOUNT, trade_id, "X", n)
        kind, purpose = (OrderKind.STOP, Purpose.STOP) if stop else (OrderKind.LIMIT, Purpose.TARGET)
        limit, trigger = (None, D(price)) if stop else (D(price), None)
        ticket = Ticket(
            ref, ACCOUNT, contract, Action.SELL, D(qty), kind, purpose, limit, trigger, oca_group=group
        )
        await self.record(trade_id, ExitSubmitted(ticket, "stop" if stop else "target"))
        await self._acknowledged(trade_id, ticket)
        return ref

    async def modify(self, ref: str, qty: int, price: str) -> None:
        order = self.orders[ref]
        ticket = replace(order.ticket, qty=D(qty), limit=D(price))
        await self.record(order.trade_id, ExitModified(ticket, "break-even", "after the grace period"))
        if self.exchange:
            self.exchange.modified(ticket, self.now)

    async def fill(
        self, ref: str, qty: int, price: str, *, exec_id: str = "", corrects: Execution | None = None
    ) -> Execution:
        """A fill with its fee; a correction withdraws what it corrects."""
        order = self.orders[ref]
        ticket = order.ticket
        self.executions += 1
        fee = FEE * qty
        execution = Execution(
            exec_id or f"PX20261118.{self.executions:06d}.01", ref, ACCOUNT, ticket.contract, ticket.action,
            D(qty), D(price), self.now + SECOND, commission=fee,
        )  # fmt: skip
        booked = ExecutionBooked(
            execution.exec_id, ref, ticket.purpose, D(qty), D(price), 100, FEE * qty, D(0), D(0),
            replaces_qty=corrects.qty if corrects else D(0),
            replaces_price=corrects.price if corrects else D(0),
            replaces_fee=(corrects.commission or D(0)) if corrects else D(0),
        )  # fmt: skip
        events: list[Event] = [booked, CommissionBooked(execution.exec_id, ref, fee, FEE * qty)]
        if ticket.purpose is Purpose.ENTRY and order.filled + qty >= ticket.qty and corrects is None:
            events.append(EntryEnded(ref, OrderState.FILLED))
        await self.record(order.trade_id, *events, executions=(execution,))
        if self.exchange:
            self.exchange.executed(execution, fee)
        return execution

    async def cancelled(self, ref: str) -> None:
        order = self.orders[ref]
        events: list[Event] = [OrderMoved(ref, OrderState.CANCELLED, 0, 0, "202 cancelled")]
        if order.ticket.purpose is Purpose.ENTRY:
            events += [EntryEnded(ref, OrderState.CANCELLED), TradeFailed("ENTRY_EXPIRED", "unfilled for 60 s")]
        await self.record(order.trade_id, *events, cancels=((ref, "expiry", self.now),))
        if self.exchange:
            self.exchange.moved(ref, "CANCELLED", order.filled, self.now)

    async def settle(self, trade_id: str, qty: int, price: str) -> None:
        await self.record(trade_id, SettledAtExpiry(D(qty), D(price), 100, "expiry"))
        contract = self.trades[trade_id].contract
        if self.exchange and contract is not None:
            self.exchange.settled(contract, D(qty), D(price), self.now)

    async def close(self, trade_id: str) -> None:
        """CLOSED, then WEALTH_UPDATED, the wealth database first."""
        due = closing_of(self.trades[trade_id])
        assert due is not None
        trade = await self.record(trade_id, due)
        assert trade.net_pnl is not None
        self.capital += trade.net_pnl
        state = WealthState(PLAN, self.capital, 1, "trade_start", self.capital - START)
        label = trade.contract.label if trade.contract else ""
        await self.stores.wealth.begin(WealthState(PLAN, START, 1, "trade_start", D(0)))
        await self.stores.wealth.record(
            state,
            DiaryRow(
                trade_id, self.now, trade.symbol, label, trade.qty, trade.entry_price or D(0),
                trade.exit_price or D(0), trade.net_pnl, trade.cause, 60, trade.delta, self.capital, 1,
                "trade_start",
            ),
        )  # fmt: skip
        await self.record(trade_id, WealthRecorded(trade.net_pnl, self.capital, 1, "trade_start"))

    async def _acknowledged(self, trade_id: str, ticket: Ticket) -> None:
        if self.exchange:
            self.exchange.received(ticket, self.now + 1)
        number = len(self.orders)
        await self.record(
            trade_id, OrderMoved(ticket.order_ref, OrderState.SUBMITTED, number, 900 + number, "")
        )


async def good_runtime(runtime: Path) -> None:
    """Five trades: bought in two fills and taken at target, never filled, still open behind a target and a stop
    in one group, sold after its exit was changed, and settled worthless."""
    stores = await opened(runtime)
    exchange = Exchange(runtime / "paper.db")
    hand = Hand(stores, exchange)
    first = await hand.enter(2, spx(5940))
    await hand.fill(order_ref(ACCOUNT, first, "E", 1), 1, "3.10")
    await hand.fill(order_ref(ACCOUNT, first, "E", 1), 1, "3.05")
    await hand.fill(await hand.sell(first, 1, 2, "3.80"), 2, "3.80")
    await hand.close(first)
    await hand.cancelled(order_ref(ACCOUNT, await hand.enter(1, spx(5950)), "E", 1))
    third = await hand.enter(3, spx(5930, Right.PUT))
    await hand.fill(order_ref(ACCOUNT, third, "E", 1), 3, "3.00")
    target = await hand.sell(third, 1, 3, "3.70", group="G3")
    await hand.sell(third, 2, 3, "2.30", group="G3", stop=True)
    await hand.fill(target, 1, "3.70")
    fourth = await hand.enter(1, spx(5945))
    await hand.fill(order_ref(ACCOUNT, fourth, "E", 1), 1, "3.10")
    exit_ref = await hand.sell(fourth, 1, 1, "3.80")
    await hand.modify(exit_ref, 1, "3.15")
    await hand.fill(exit_ref, 1, "3.15")
    await hand.close(fourth)
    fifth = await hand.enter(1, spx(6000))
    await hand.fill(order_ref(ACCOUNT, fifth, "E", 1), 1, "3.00")
    await hand.settle(fifth, 1, "0")
    await hand.close(fifth)
    exchange.close()
    await stores.close()


def a_signal(signal_id: str, at_ns: int) -> Signal:
    firing = Firing(
        "SPX_V3_CALL", "SPX", Timeframe.M5, Side.CALL, 74, at_ns - 300 * SECOND, at_ns, 5938.25, "ab12"
    )
    return Signal(
        signal_id, firing, 74, 1, at_ns, at_ns + 900 * SECOND, rationale="V3", warnings=("thin", "late")
    )


def sql(path: Path, *statements: str | tuple[str, Sequence[object]]) -> None:
    """Tamper with a database by plain SQL, the append-only triggers out of the way."""
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            db.execute(f"DROP TRIGGER {name}")
        for statement in statements:
            text, values = statement if isinstance(statement, tuple) else (statement, ())
            db.execute(text, values)


Forged = list[dict[str, Any]]


def forge(path: Path, change: Callable[[Forged], None]) -> None:
    """Rewrite the log and seal it anew, so that only its meaning is wrong. `change` edits rows whose `data`
    is parsed."""
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            db.execute(f"DROP TRIGGER {name}")
        kept = [EventRow(*row) for row in db.execute(f"{SELECT_EVENTS} ORDER BY seq")]
        rows = [{**row._asdict(), "data": msgspec.json.decode(row.data)} for row in kept]
        change(rows)
        db.execute("BEGIN")
        db.execute("DELETE FROM trade_events")
        before = GENESIS
        for seq, row in enumerate(rows, start=1):
            text = msgspec.json.encode(row["data"], order="sorted").decode()
            entry = Entry(row["at_ns"], row["trade_id"], row["type"], row["v"], text)
            forged = sealed(before, seq, row["account"], row["environment"], entry)
            db.execute(INSERT_EVENT, forged)
            before = forged.hash
        db.execute("COMMIT")


def _json(contract: Contract) -> str:
    return msgspec.json.encode(contract).decode()


def _text(price: D | None) -> str | None:
    return None if price is None else str(price)
