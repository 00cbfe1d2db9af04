"""What the signals screen asks: each signal with what it led to, how long each step took, and its whole way."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Final

from station.calendars import at_et
from station.domain.clock import DAY
from station.domain.errors import BadInput
from station.domain.instruments import Hours
from station.domain.orders import Execution, Order
from station.domain.signals import Decision, SignalState, stage_of
from station.engine.engine import Engine
from station.journal.shapes import count, decimal_text
from station.link.screens import FillLine, Lap, OrderLine, SignalLine, Signals, SignalStory, StepLine
from station.store.chains import Chain, ChainFilter

SIDES: Final = ("", "CALL", "PUT")
STATES: Final = ("", *(state.value for state in SignalState))


async def signals_document(engine: Engine, args: Mapping[str, str]) -> Signals:
    """The `signals` document. Raises BadInput for a filter that cannot be read."""
    day = _day(engine, args.get("day", ""))
    since, until = _bounds(engine, day)
    wanted = ChainFilter(
        since, until, engine.outside.clock.now(), args.get("symbol", "").upper(),
        _one_of(args, "side", SIDES), _one_of(args, "state", STATES),
    )  # fmt: skip
    lifecycle = engine.outside.stores.lifecycle
    rows, counts = await lifecycle.chains(wanted)
    days = {metrics.session for metrics in await lifecycle.days()} | {engine.session.day.isoformat()}
    stopwatch = engine.rooms.stopwatch
    return Signals(
        tuple(map(_line, rows)), counts, day.isoformat(), tuple(sorted(days)[-30:]), engine.outside.symbols,
        tuple(
            Lap(
                path.replace("_to_", " → "), len(laps), stopwatch.quantile_ms(path, 0.5),
                stopwatch.quantile_ms(path, 0.99),
            )
            for path, laps in stopwatch.laps.items()
        ),
    )  # fmt: skip


async def signal_document(engine: Engine, args: Mapping[str, str]) -> SignalStory:
    """The `signal` document of the id in `args`. Raises BadInput for one nobody knows."""
    lifecycle, wanted = engine.outside.stores.lifecycle, args.get("id", "")
    signal = await lifecycle.signal(wanted)
    if signal is None:
        raise BadInput(f"no signal {wanted!r} in this journal: choose one of the list")
    trade_id = signal.trade_id
    steps = await lifecycle.decisions(signal.id)
    steps += await lifecycle.decisions(trade_id) if trade_id else ()
    return SignalStory(
        signal.id, signal.firing.scanner, signal.published_ns, signal.valid_until_ns, signal.rationale,
        signal.warnings, signal.firing.provenance,
        tuple(map(_step, steps)),
        tuple(map(_order, await lifecycle.orders(trade_id))) if trade_id else (),
        tuple(map(_fill, await lifecycle.fills(trade_id))) if trade_id else (),
    )  # fmt: skip


def _day(engine: Engine, text: str) -> date:
    if not text:
        return engine.session.day
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise BadInput(f"day {text!r} is not YYYY-MM-DD: write the session's date") from None


def _bounds(engine: Engine, day: date) -> tuple[int, int]:
    """The trade date: from the futures session that leads into it to the same hour of the next day."""
    if day == engine.session.day:
        since = engine.day_start()
    else:
        span = engine.outside.calendar.on(Hours.FUTURES, day)
        since = span.open_ns if span is not None else at_et(day, "00:00")
    return since, since + DAY


def _one_of(args: Mapping[str, str], name: str, known: tuple[str, ...]) -> str:
    value = args.get(name, "").upper()
    if value not in known:
        raise BadInput(f"{name} {value!r} is not known: use one of {', '.join(filter(None, known))}")
    return value


def _line(chain: Chain) -> SignalLine:
    failed = chain.trade_state == "FAILED"
    why = (f"{chain.cause}: {chain.reason}" if failed else chain.cause) or _left(chain)
    return SignalLine(
        chain.id, chain.published_ns, chain.scanner, chain.instrument, chain.timeframe, chain.side,
        chain.confidence, chain.state, chain.bar_close_ns, chain.trade_id, chain.strategy or "",
        chain.contract.label if chain.contract is not None else "", chain.trade_state or "",
        chain.order_ref or "", chain.order_state or "", chain.ordered_ns or 0, chain.filled_ns or 0,
        chain.filled or "", _price(chain), chain.net_pnl or "", why,
    )  # fmt: skip


def _left(chain: Chain) -> str:
    """Why no strategy took it, in the words of the last that looked."""
    if chain.trade_id or not chain.passed_over:
        return ""
    stage, _, reason = chain.passed_over.partition(": ")
    name, strategy = stage_of(stage)
    return f"{strategy} {name}: {reason}".strip()


def _price(chain: Chain) -> str:
    average = Decimal(chain.average or "0")
    return decimal_text(average) if average else ""


def _step(decision: Decision) -> StepLine:
    stage, strategy = stage_of(decision.stage)
    return StepLine(
        decision.at_ns,
        f"{stage} {strategy}".strip(),
        decision.verdict,
        decision.reason,
        decision.value,
        decision.limit,
    )


def _order(order: Order) -> OrderLine:
    ticket = order.ticket
    return OrderLine(
        order.ref, ticket.purpose.value, ticket.action.value, ticket.kind.value, str(count(ticket.qty)),
        str(count(order.filled)), order.state.value, order.created_ns, order.updated_ns,
        "" if ticket.limit is None else decimal_text(ticket.limit),
        "" if ticket.stop is None else decimal_text(ticket.stop),
        decimal_text(order.avg_price) if order.filled else "", order.reason,
    )  # fmt: skip


def _fill(fill: Execution) -> FillLine:
    fee = "" if fill.commission is None else decimal_text(fill.commission)
    return FillLine(
        fill.order_ref, fill.at_ns, fill.action.value, str(count(fill.qty)), decimal_text(fill.price), fee
    )
