"""The `preview` document: what a ticket would cost, risk and be told by every rule, before anything is sent."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

from station.desk.asked import Asked
from station.desk.meant import hand_proposal
from station.desk.proposals import Look
from station.domain.errors import BadInput, BrokerUnavailable, Refused
from station.domain.fees import order_fee
from station.domain.hand import HandOrder, OwnExits
from station.domain.instruments import Contract, Right, SecType
from station.domain.market import Greeks, Quote
from station.domain.orders import Action, OrderKind, Purpose, Ticket
from station.domain.trade import Trade
from station.engine.engine import Engine
from station.engine.rooms import Rooms
from station.engine.tickets import read_ticket
from station.execution import within
from station.execution.policy import hand_terms
from station.journal.shapes import decimal_text
from station.link import Ticket as LinkTicket
from station.risk import OVERRIDABLE, Proposal, Verdict

Json = dict[str, Any]
MARGIN_WAIT_S: Final = 1.5
TOKEN: Final = "preview"


async def preview(engine: Engine, ticket: LinkTicket) -> Json:
    """The document; what cannot be previewed says why in `problems`, in place of a contract and its figures.
    `fits` is the quantity that the size rules pass."""
    try:
        asked = read_ticket(ticket)
    except BadInput as bad:
        return _empty(ticket, str(bad))
    rooms = engine.rooms
    try:
        contract = await rooms.manual.find(asked)
        if asked.action is Action.SELL:
            return _closing(rooms, asked, contract)
        hand = rooms.manual.order(asked, contract, TOKEN, "")
    except (BadInput, Refused) as bad:
        return _empty(ticket, str(bad))
    return await _opening(engine, asked, contract, hand)


def _empty(ticket: LinkTicket, problem: str) -> Json:
    return nothing(ticket.action, ticket.qty, problem) | {"kind": ticket.kind, "limit": ticket.limit or None}


def nothing(action: str, qty: int, problem: str) -> Json:
    """The document of what cannot be traded as it stands."""
    return {
        "v": 1, "contract": "", "action": action, "qty": qty, "kind": "", "limit": None,
        "price_basis": None, "cost": None, "fees": None, "break_even": [],
        "max_loss": None, "greeks": None, "margin": None, "target": None, "stop": None,
        "stop_rests": False, "verdict": "refused", "rules": [], "problems": [problem],
    }  # fmt: skip


async def proposal_preview(engine: Engine, look: Look) -> Json:
    """The document of taking a strategy's proposal: priced by its policy, judged under its own limits."""
    rooms, now, trade = engine.rooms, engine.outside.clock.now(), look.trade
    contract, terms = trade.contract, look.terms
    assert contract is not None
    asked = Asked.at_market(contract, look.qty)
    hand = HandOrder(TOKEN, "", look.qty, OrderKind.MARKET if terms is None else terms.kind)
    greeks = rooms.options.greeks(contract, now) if contract.is_option else None
    rule = rooms.judgement.tick_rule(contract)
    document = _document(asked, contract, look.quote, look.verdict) | {
        "kind": look.spec.entry_policy.upper(),
        "steps": [[f"{edge}", f"{step}"] for edge, step in rule.steps],
        "limit": _text(terms and terms.limit),
        "fits": int(look.fitted.qty),
        "greeks": _greeks(greeks),
        "margin": await _margin(engine, contract, hand, terms and terms.limit),
        "trade": trade.id,
        "strategy": trade.strategy,
        "until_ns": trade.offer.until_ns if trade.offer is not None else 0,
    }
    if terms is None:
        problem = f"{contract.label} has no sane two-sided quote to price it from"
        return document | {"problems": [problem], "verdict": "refused"}
    if look.fitted.qty < look.qty:
        document |= {"problems": [f"{look.fitted.qty} fit now, not {look.qty}: take fewer"]}
    paid = terms.decision_price
    by_hand = trade.own.target(0) if trade.own is not None else None
    target = rule.up(by_hand or paid * (1 + trade.target_pct / 100))
    level = rooms.judgement.stop_of(trade, paid)
    stop = None if level is None else rule.down(level)
    return document | _figures(asked, contract, paid, stop) | {
        "target": decimal_text(target), "stop": _text(stop),
    }  # fmt: skip


async def reverse_preview(engine: Engine, trade_id: str) -> Json:
    """The document of the other side of a trade, judged as if that were closed already."""
    try:
        reversal = await engine.rooms.manual.opposite(trade_id, "operator")
    except (BadInput, Refused) as refused:
        return nothing("BUY", 0, str(refused))
    contract = reversal.contract
    asked = Asked.at_market(contract, reversal.qty)
    return await _opening(engine, asked, contract, reversal.order, but=trade_id)


async def _opening(engine: Engine, asked: Asked, contract: Contract, hand: HandOrder, but: str = "") -> Json:
    rooms, now = engine.rooms, engine.outside.clock.now()
    quote = rooms.judgement.quote(contract)
    rule = rooms.judgement.tick_rule(contract)
    own = asked.own_exits()
    terms = None if quote is None else hand_terms(hand.kind, hand.limit, hand.stop, quote, rule)
    paid = None if terms is None else terms.decision_price
    fitted, verdict = rooms.judgement.verdict(hand_proposal(contract, hand, own, quote, rule), but)
    greeks = rooms.options.greeks(contract, now) if contract.is_option else None
    document = _document(asked, contract, quote, verdict) | {
        "limit": _text(terms.limit if terms is not None else hand.limit),
        "steps": [[f"{edge}", f"{step}"] for edge, step in rule.steps],
        "kind": asked.pricing.value,
        "fits": int(fitted.qty),
        "greeks": _greeks(greeks),
        "margin": await _margin(engine, contract, hand, terms and terms.limit),
    }
    if paid is None:
        problem = f"{contract.label} has no sane two-sided quote to price it from"
        return document | {"problems": [problem], "verdict": "refused"}
    target_pct = asked.target_pct or rooms.manual.terms.target_pct
    target = rule.up(asked.target_price or paid * (1 + target_pct / 100))
    stop = (own or OwnExits()).stop_at(paid)
    stop = None if stop is None else rule.down(stop)
    return document | _figures(asked, contract, paid, stop) | {
        "target": decimal_text(target), "stop": _text(stop),
        "stop_rests": stop is not None and engine.outside.broker.capabilities.oca,
    }  # fmt: skip


def _document(asked: Asked, contract: Contract, quote: Quote | None, verdict: Verdict) -> Json:
    return {
        "v": 1,
        "contract": contract.label,
        "action": asked.action.value,
        "qty": int(asked.qty),
        "kind": asked.pricing.value,
        "limit": None,
        "price_basis": _basis(quote),
        "cost": None,
        "fees": None,
        "break_even": [],
        "max_loss": None,
        "greeks": None,
        "margin": None,
        "target": None,
        "stop": None,
        "stop_rests": False,
        "verdict": "approved" if verdict.approved else "refused",
        "rules": _rules(verdict),
        "problems": [],
    }


def _figures(asked: Asked, contract: Contract, paid: Decimal, stop: Decimal | None) -> Json:
    """Dollars at the price that the order should pay; all of it can be lost, of a future what lies above its
    stop. What a future stands for is no cost: it is carried on margin."""
    cost = paid * asked.qty * contract.multiplier
    fees, is_future = order_fee(contract, asked.qty), contract.sec_type is SecType.FUTURE
    lost = (paid - stop) * asked.qty * contract.multiplier if is_future and stop is not None else cost
    return {
        "notional": is_future,
        "cost": f"{cost:.2f}",
        "fees": f"{fees:.2f}",
        "break_even": [decimal_text(_break_even(contract, paid))],
        "max_loss": f"{lost + fees:.2f}",
    }


def _break_even(contract: Contract, paid: Decimal) -> Decimal:
    """Where the underlying must be at expiry: the strike and the premium beyond it."""
    if contract.right is None:
        return paid
    return contract.strike + paid if contract.right is Right.CALL else contract.strike - paid


def _closing(rooms: Rooms, asked: Asked, contract: Contract) -> Json:
    """A sell closes a part of what is held: its proceeds, and whether the gate lets a hand do it."""
    trade: Trade = rooms.manual.closes(asked, contract)
    proposal = Proposal(
        contract.symbol, contract, Action.SELL, asked.qty, opens_risk=False, origin="MANUAL"
    )  # fmt: skip
    _, verdict = rooms.judgement.verdict(proposal)
    quote = rooms.judgement.quote(contract)
    document = _document(asked, contract, quote, verdict) | {"trade": trade.id, "max_loss": "0.00"}
    if quote is None or quote.bid is None:
        return document | {"problems": [f"{contract.label} has no bid to sell to"]}
    cost, fees = -quote.bid * asked.qty * contract.multiplier, order_fee(contract, asked.qty)
    return document | {"cost": f"{cost:.2f}", "fees": f"{fees:.2f}"}


async def _margin(engine: Engine, contract: Contract, hand: HandOrder, limit: Decimal | None) -> Json | None:
    """What the broker says it would tie up, dollars; None where it does not say in time."""
    outside = engine.outside
    if not (outside.broker.capabilities.what_if and outside.broker.connected) or engine.link is None:
        return None
    ticket = Ticket(
        "", engine.link.accounts[0], contract, Action.BUY, hand.qty, hand.kind, Purpose.ENTRY,
        limit if hand.kind in (OrderKind.LIMIT, OrderKind.STOP_LIMIT) else None, hand.stop,
    )  # fmt: skip
    try:
        asked = outside.broker.what_if(ticket)
        margin = await within(outside.clock, asked, MARGIN_WAIT_S, "what-if margin")
    except (BrokerUnavailable, Refused):
        return None
    return {"initial": f"{margin.initial:.2f}", "maintenance": f"{margin.maintenance:.2f}"}


def _basis(quote: Quote | None) -> Json | None:
    if quote is None:
        return None
    sides = {"bid": quote.bid, "ask": quote.ask, "mid": quote.mid, "last": quote.last}
    return {name: _text(price) for name, price in sides.items()} | {"at_ns": quote.at_ns}


def _greeks(greeks: Greeks | None) -> Json | None:
    """Of one contract, a unit of the underlying: vega per 1.00 of volatility, theta a calendar day."""
    if greeks is None:
        return None
    return {"delta": greeks.delta, "gamma": greeks.gamma, "theta": greeks.theta, "vega": greeks.vega}


def _rules(verdict: Verdict) -> list[Json]:
    return [
        {
            "rule": each.rule,
            "ok": each.passed,
            "severity": "ok" if each.passed else "advice" if each.rule in OVERRIDABLE else "block",
            "text": f"{each.reason} ({each.value}, limit {each.limit})",
        }
        for each in verdict.findings
    ]


def _text(amount: Decimal | None) -> str | None:
    return None if amount is None else decimal_text(amount)
