"""What a screen or another shell may ask of the engine, and the answer to each."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any, Final, Protocol

from station.domain.clock import utc_text
from station.domain.errors import BadInput, Refused
from station.domain.market import FeedHealth
from station.domain.trade import Cause
from station.engine import killfile
from station.engine.by_hand import by_hand
from station.engine.documents import scanner_document
from station.engine.editing import edit_config
from station.engine.engine import Engine
from station.engine.journal_answers import JOURNAL_QUERIES, annotate, journal_answer
from station.engine.picture_answers import PICTURE_QUERIES, moments_of, picture_answer
from station.engine.proposal_answers import proposal_answer
from station.engine.risk_answers import risk_answer
from station.engine.screen_answers import SCREEN_QUERIES, screen_answer
from station.engine.supervisor import TaskRecord
from station.engine.watching import WATCHING_QUERIES, watching_answer
from station.journal import Journal
from station.journal.shapes import decimal_text
from station.link.messages import (
    Ack,
    CancelAll,
    CancelOrder,
    ClosePart,
    CloseTrade,
    Command,
    CopyStrategy,
    Data,
    DeclineProposal,
    EditConfig,
    Flatten,
    Gate,
    Kill,
    KillRelease,
    LiftQuarantine,
    ModifyOrder,
    NoteTrade,
    PlaceOrder,
    PreviewOrder,
    PreviewProposal,
    PreviewReverse,
    Query,
    Reconcile,
    Reply,
    ReverseTrade,
    RevertConfig,
    Scanners,
    Status,
    Stop,
    Story,
    TagTrade,
    Takeover,
    TakeProposal,
    Trades,
)
from station.risk import RELEASE_WORD
from station.risk import Gate as GateState

Stopper = Callable[[str], None]
KILLED: Final = "entries are cancelled and refused; protective exits stay"
KILLED_FLAT: Final = "entries are cancelled and refused; every position is being closed"
NOT_READY: Final = "the engine is still starting"


class Lag(Protocol):
    def quantile_ms(self, share: float) -> float | None: ...

    def document(self) -> dict[str, Any]: ...


class Commander:
    """Answers commands; a VigilError raised here becomes a refusal in one line."""

    def __init__(self, engine: Engine, stop: Stopper, lag: Lag) -> None:
        self._engine = engine
        self._stop = stop
        self._lag = lag

    async def handle(self, command: Command) -> Reply:
        """The reply to `command`. Raises Refused or BadInput with the line to show."""
        if isinstance(command, Stop | Takeover):
            return self._end(command)
        if isinstance(command, Status):
            return Data(json.dumps(self.status()))
        if isinstance(command, Query) and command.name == "lag":
            return Data(json.dumps(self._lag.document()))
        if not self._engine.is_loaded:
            if isinstance(command, Kill):
                await self._engine.park_kill(command.by or "operator", command.flatten)
                return Ack(True, KILLED_FLAT if command.flatten else KILLED)
            raise Refused("STARTING", f"{NOT_READY} ({self._engine.progress.phase}): try again")
        return await self._ready(command)

    async def _ready(self, command: Command) -> Reply:
        rooms = self._engine.rooms
        match command:
            case Kill():
                await rooms.controls.kill(command.by or "operator", "by hand", flatten=command.flatten)
                return Ack(True, KILLED_FLAT if command.flatten else KILLED)
            case KillRelease():
                return await self._release(command)
            case Flatten():
                count = await rooms.controls.flatten(command.by or "operator")
                return Ack(True, f"flattening {count} positions, gate CLOSED")
            case Gate():
                return await self._gate(command)
            case LiftQuarantine():
                return await self._lift(command)
            case CloseTrade():
                return await self._close(command)
            case CancelOrder():
                return await self._cancel(command)
            case (
                PreviewOrder() | PreviewReverse() | PlaceOrder() | ModifyOrder() | ClosePart() | ReverseTrade()
                | CancelAll()
            ):  # fmt: skip
                return await by_hand(self._engine, command)
            case PreviewProposal() | TakeProposal() | DeclineProposal():
                return await proposal_answer(self._engine, command)
            case Reconcile():
                clean = await rooms.reconciler.reconcile(f"asked by {command.by}")
                return Ack(
                    clean, "the books agree" if clean else f"breaks: {'; '.join(rooms.reconciler.unresolved)}"
                )
            case EditConfig() | CopyStrategy() | RevertConfig():
                return await edit_config(self._engine, command)
            case NoteTrade() | TagTrade():
                return await annotate(self._engine, command)
            case _:
                return await self._document(command)

    async def _document(self, command: Command) -> Reply:
        journal = Journal(self._engine.outside.stores.lifecycle)
        documents: dict[type, Callable[[], Awaitable[dict[str, Any]]]] = {
            Trades: journal.trades,
            Story: lambda: self._story(journal, command.trade_id if isinstance(command, Story) else ""),
            Scanners: self._scanners,
        }
        found = documents.get(type(command))
        if isinstance(command, Query) and command.name in JOURNAL_QUERIES:
            return Data(json.dumps(await journal_answer(self._engine, command.name, command.args)))
        if isinstance(command, Query) and command.name in PICTURE_QUERIES:
            return Data(json.dumps(await picture_answer(self._engine, command.name, command.args)))
        if isinstance(command, Query) and command.name in SCREEN_QUERIES:
            return Data(await screen_answer(self._engine, command.name, command.args))
        if isinstance(command, Query) and command.name == "risk":
            return Data(json.dumps(risk_answer(self._engine, command.args)))
        if isinstance(command, Query) and command.name in WATCHING_QUERIES:
            return Data(json.dumps(await watching_answer(self._engine, self._lag, command.name, command.args)))
        if found is None:
            name = command.name if isinstance(command, Query) else type(command).__name__
            raise BadInput(
                f"the engine knows no question {name!r}: ask status, trades, story, scanners, risk, "
                f"{', '.join((*JOURNAL_QUERIES, *PICTURE_QUERIES))}, lag, "
                f"{', '.join((*WATCHING_QUERIES, *SCREEN_QUERIES))}"
            )
        return Data(json.dumps(await found()))

    async def _story(self, journal: Journal, trade_id: str) -> dict[str, Any]:
        return await journal.story(trade_id) | {"pictures": await moments_of(self._engine, trade_id)}

    async def _scanners(self) -> dict[str, Any]:
        return scanner_document(self._engine.desired.value.scanners)

    def _end(self, command: Stop | Takeover) -> Ack:
        what = "stopping" if isinstance(command, Stop) else "giving up the lease"
        self._stop(f"{what}, asked by {command.by or 'operator'}")
        return Ack(True, what)

    async def _release(self, command: KillRelease) -> Ack:
        rooms, runtime = self._engine.rooms, self._engine.outside.runtime
        if rooms.controls.controls.kill.on and killfile.asked(runtime) is not None:
            raise Refused(
                "KILL_FILE", f"{runtime / killfile.NAME} still asks for the kill switch: remove it first"
            )
        if command.word == RELEASE_WORD and rooms.controls.controls.kill.on:
            await rooms.reconciler.reconcile("before the kill switch is released")
        await rooms.controls.release(command.word, command.by or "operator", clean=rooms.reconciler.clean)
        return Ack(True, "kill released; the gate stays where it was")

    async def _lift(self, command: LiftQuarantine) -> Ack:
        rooms, symbol = self._engine.rooms, command.symbol.upper()
        reason = rooms.controls.controls.quarantine_of(symbol)
        if reason is None:
            locked = ", ".join(name for name, _ in rooms.controls.controls.quarantined) or "none"
            raise BadInput(f"{symbol} is not quarantined (locked: {locked}): nothing to lift")
        if command.word == RELEASE_WORD:
            await rooms.reconciler.reconcile(f"before the quarantine of {symbol} is lifted")
        clean = rooms.reconciler.clean and rooms.reconciler.ready
        await rooms.controls.lift_quarantine(symbol, command.word, command.by or "operator", clean=clean)
        return Ack(True, f"{symbol} may be traded again; it was locked for: {reason}")

    async def _close(self, command: CloseTrade) -> Ack:
        rooms, trade_id, by = self._engine.rooms, command.trade_id, command.by or "operator"
        trade = rooms.ledger.trades.get(trade_id)
        if trade is not None:
            rooms.judgement.refuse_closing(trade, by)
        if not await rooms.desk.close_trade(trade_id, Cause.MANUAL, f"closed by {by}", by):
            raise BadInput(f"trade {trade_id!r} holds no position: `trades` lists those that do")
        return Ack(True, f"closing {trade_id} at market")

    async def _gate(self, command: Gate) -> Ack:
        try:
            state = GateState(command.state.upper())
        except ValueError:
            raise BadInput(f"gate {command.state!r}: give open, closed or reducing") from None
        await self._engine.rooms.controls.set_gate(state, command.by or "operator", "by hand")
        return Ack(True, f"gate {state.value}")

    async def _cancel(self, command: CancelOrder) -> Ack:
        rooms = self._engine.rooms
        order = rooms.ledger.book.orders.get(command.order_ref)
        if order is None or order.state.is_terminal:
            raise BadInput(f"order {command.order_ref!r} does not work: nothing to cancel")
        trade = rooms.ledger.trades[order.trade_id]
        if order.ticket.purpose.is_exit:
            raise Refused("PROTECTIVE", f"{command.order_ref} protects {trade.id}: close the trade instead")
        await rooms.controls.cancel_entry(trade, "manual")
        return Ack(True, f"cancelling {command.order_ref}")

    def status(self) -> dict[str, Any]:
        """The `status` document: what runs, what is open, what stands in the way."""
        engine = self._engine
        base = {
            "v": 1,
            "phase": engine.progress.phase,
            "detail": engine.progress.detail,
            "environment": engine.outside.settings.station.environment,
            "broker": engine.outside.broker.name,
            "session": engine.session.day.isoformat(),
            "now_utc": utc_text(engine.outside.clock.now()),
        }
        if not hasattr(engine, "rooms"):
            return base
        rooms = engine.rooms
        controls = rooms.controls.controls
        open_trades = [t for t in rooms.ledger.open_trades() if t.open_qty != 0]
        return base | {
            "account": engine.link.accounts[0] if engine.link else "",
            "broker_up": engine.outside.broker.connected,
            "gate": controls.gate.state.value,
            "gate_reason": controls.gate.reason,
            "kill": controls.kill.on,
            "kill_reason": controls.kill.reason,
            "quarantined": [symbol for symbol, _ in controls.quarantined],
            "reconciled": rooms.reconciler.ready and rooms.reconciler.clean,
            "storage": "spooling" if rooms.ledger.degraded else "ok",
            "breaks": list(rooms.reconciler.unresolved),
            "equity": decimal_text(rooms.money.equity),
            "day_pnl": decimal_text(rooms.money.day_pnl()),
            "open_positions": len(open_trades),
            "working_orders": len(rooms.ledger.book.working()),
            "proposals": [trade.id for trade in rooms.proposals.waiting()],
            "trades": len(rooms.ledger.trades),
            "signals": rooms.bars.published,
            "lag_ms": {"p50": self._lag.quantile_ms(0.5), "p99": self._lag.quantile_ms(0.99)},
            "tasks": [_task(record) for record in engine.supervisor.records.values()],
            "feeds": [_feed(rooms.market.health(symbol)) for symbol in engine.outside.symbols],
        }


def _task(record: TaskRecord) -> dict[str, Any]:
    return {
        "name": record.name, "running": record.running, "restarts": record.restarts,
        "failing": record.chronic, "last_error": record.last_error,
    }  # fmt: skip


def _feed(health: FeedHealth) -> dict[str, Any]:
    return {
        "symbol": health.symbol, "mode": health.mode.value, "age_s": round(health.age_s, 3),
        "score": health.score,
    }  # fmt: skip
