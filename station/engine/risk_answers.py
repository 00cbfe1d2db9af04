"""The `risk` question answered: by a running engine, or from what a stopped one left in its directory."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Final

from config.settings import load_settings
from station.calendars import Calendar, load_calendar
from station.desk.judgement import terms_of
from station.domain.errors import BadInput
from station.domain.instruments import INSTRUMENTS, Hours, Side
from station.domain.market import FeedMode
from station.domain.ports import Snapshot
from station.domain.specs import Desired
from station.domain.trade import Trade
from station.engine import mapping
from station.engine.engine import Engine
from station.engine.profiles import profile_of
from station.engine.risk_documents import Json, risk_document
from station.engine.stopped import desired_of, settings_in
from station.options import Pick
from station.pricing import expiry_instant
from station.risk import Held, Proposal, RiskView, assess, fit, from_rows, parse_proposal, preflight
from station.store import load_snapshot, viewed
from station.store.files import LIFECYCLE

STOPPED: Final = "no engine runs here: quotes, feeds and the broker are not known, so nothing would be sent"
LARGEST: Final = 65_536
LONG_AGO: Final = 0


def read_proposal(path: Path) -> str:
    """The text of a proposal file, checked. Raises BadInput in one line: no file, no JSON, no proposal."""
    try:
        text = path.read_bytes()[: LARGEST + 1].decode("utf-8")
    except OSError as error:
        raise BadInput(f"{path} cannot be read ({error.strerror}): name a JSON file") from None
    except UnicodeDecodeError:
        raise BadInput(f"{path} is not UTF-8 text: write a JSON object") from None
    if len(text) > LARGEST:
        raise BadInput(f"{path} is longer than {LARGEST} bytes: a proposal is one small JSON object")
    try:
        parsed(text)
    except BadInput as bad:
        raise BadInput(f"{path}: {bad}") from None
    return text


def parsed(text: str) -> Proposal:
    """A proposal from JSON text. Raises BadInput."""
    try:
        row = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadInput(f"proposal is no JSON ({error}): write one object") from None
    if not isinstance(row, dict):
        raise BadInput(f"proposal is a {type(row).__name__}, not a JSON object: write one object")
    return parse_proposal({str(key): value for key, value in row.items()})


def risk_answer(engine: Engine, args: Mapping[str, str]) -> Json:
    """The document of a running engine. `proposal` is JSON text; without one it is what the first strategy
    (or `symbol` and `side`) would be picked now, one contract. Raises BadInput."""
    rooms = engine.rooms
    note = ""
    if "proposal" in args:
        proposal = with_terms(parsed(args["proposal"]), engine.desired.value)
    else:
        proposal, note = _hypothetical(engine, args)
    fitted, verdict = rooms.judgement.verdict(proposal)
    return risk_document(
        source="engine", at_ns=engine.outside.clock.now(), controls=rooms.controls.controls, proposal=proposal,
        fitted=fitted, verdict=verdict, portfolio=rooms.judgement.portfolio(), note=note,
    )  # fmt: skip


def _hypothetical(engine: Engine, args: Mapping[str, str]) -> tuple[Proposal, str]:
    enabled = [spec for spec in engine.desired.value.strategies if spec.enabled]
    first = min(enabled, key=lambda spec: (spec.priority, spec.strategy_id), default=None)
    symbol = args.get("symbol") or (first.symbol if first is not None else engine.outside.symbols[0])
    side = args.get("side", "CALL").upper()
    if symbol not in INSTRUMENTS or side not in ("CALL", "PUT"):
        raise BadInput(f"risk of {symbol} {side}: give a symbol of the catalogue, and CALL or PUT")
    expiry = first.expiry if first is not None else "0dte"
    now = engine.outside.clock.now()
    found = engine.rooms.options.pick(symbol, Side(side), 0.30, expiry, now)
    if isinstance(found, Pick):
        row = {"symbol": symbol, "expiry": found.contract.expiry, "strike": str(found.contract.strike),
               "right": Side(side).right.value, "qty": 1}  # fmt: skip
        return parse_proposal(row), "hypothetical: one contract as it would be picked now"
    return parse_proposal({"symbol": symbol, "qty": 1}), f"hypothetical: {symbol} itself, for {found.reason}"


def with_terms(proposal: Proposal, desired: Desired) -> Proposal:
    """The proposal under its strategy's own limits. Raises BadInput for a strategy that is not configured."""
    if not proposal.strategy:
        return proposal
    known = {spec.strategy_id: spec for spec in desired.strategies}
    if proposal.strategy not in known:
        raise BadInput(f"proposal: strategy = {proposal.strategy!r} is not configured: use {', '.join(known)}")
    return replace(proposal, terms=terms_of(known[proposal.strategy]))


def stopped_answer(runtime: Path, text: str) -> Json:
    """The document as far as a stopped directory knows: switches, baselines, open trades at their entry price,
    the session of the newest instant on its log. Raises BadInput where there is no such directory."""
    with viewed(runtime / LIFECYCLE) as connection:
        snapshot = load_snapshot(LONG_AGO, connection)
    proposal = with_terms(parsed(text), desired_of(runtime))
    settings = settings_in(runtime, load_settings(profile=profile_of(runtime)))
    limits, controls = mapping.limits(settings), from_rows(snapshot.controls)
    calendar = load_calendar(runtime / "cache")
    now = snapshot.last_ns
    session = calendar.at(Hours.REGULAR, now) if now else None
    baseline = controls.day.baseline or Decimal(0)
    today = _day_pnl(snapshot, controls.day.session)
    held = _held(snapshot, calendar)
    month = controls.day.month_baseline
    view = RiskView(
        now, controls, session_open_ns=session.open_ns if session else None,
        session_close_ns=session.close_ns if session else None, link_up=False, reconciled=False,
        instrument_enabled=proposal.symbol in INSTRUMENTS
        and proposal.symbol not in settings.risk.disabled_instruments,
        feed_mode=FeedMode.CLOSED, feed_age_s=float("inf"), feed_score=0, equity=baseline + today,
        buying_power=baseline + today, day_pnl=today,
        month_pnl=baseline + today - month if month is not None else Decimal(0), held=held,
    )  # fmt: skip
    return risk_document(
        source="stopped", at_ns=now, controls=controls, proposal=proposal, fitted=fit(proposal, view, limits),
        verdict=preflight(proposal, view, limits), note=STOPPED,
        portfolio=assess(held, now, view.equity, None, {}, limits),
    )  # fmt: skip


def _day_pnl(snapshot: Snapshot, session: str) -> Decimal:
    """What the session's finished trades made; a trade's id begins with its session."""
    prefix = f"T{session.replace('-', '')[2:]}"
    done = (trade.net_pnl for trade in snapshot.trades if session and trade.id.startswith(prefix))
    return sum((net for net in done if net is not None), Decimal(0))


def _held(snapshot: Snapshot, calendar: Calendar) -> tuple[Held, ...]:
    return tuple(
        held
        for trade in snapshot.trades
        if trade.state.is_open and (held := _at_entry(trade, calendar)) is not None
    )


def _at_entry(trade: Trade, calendar: Calendar) -> Held | None:
    if trade.contract is None or trade.open_qty == 0:
        return None
    price = trade.entry_price or trade.selected_ask
    value = price * trade.open_qty * trade.contract.multiplier
    expiry = expiry_instant(trade.contract.expiry, calendar) if trade.contract.is_option else None
    delta = trade.delta if trade.contract.is_option else 1.0
    return Held(
        trade.symbol,
        trade.contract,
        trade.open_qty,
        value,
        delta=delta,
        strategy=trade.strategy,
        expiry_ns=expiry,
    )
