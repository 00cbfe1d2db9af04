"""Working orders and previews as an engine tells them on a trading day."""

from __future__ import annotations

import json
from decimal import Decimal

from station.domain.clock import MINUTE, SECOND
from station.link import (
    Ack,
    Command,
    Data,
    DeclineProposal,
    ModifyOrder,
    Orders,
    PlaceOrder,
    PreviewOrder,
    PreviewProposal,
    PreviewReverse,
    ProposalRow,
    Proposals,
    Reply,
    Ticket,
    WorkingOrder,
)

RULES = (
    ("market_gate", "OPEN"), ("kill_switch", "off"), ("session", "in session"), ("entry_window", "to 15:30 ET"),
    ("instrument_enabled", "yes"), ("greeks", "loaded"), ("quote_age", "1 s of 5 s"), ("feed_age", "1 s of 15"),
    ("data_quality", "98, at least 70"), ("spread", "2.4 % of 5 %"), ("size_vs_volume", "0.2 % of 10 %"),
    ("daily_loss", "0.0 % of 2 %"), ("monthly_loss", "0.4 % of 6 %"), ("drawdown", "0.8 % of 10 %"),
    ("vix_ceiling", "14.1 of 35"), ("volatility_ceiling", "13 % of 50 %"), ("open_positions", "2 of 3"),
    ("one_per_instrument", "none on SPX"), ("portfolio_delta", "41 of 100"), ("gamma", "0.02 of 0.15"),
    ("position_size", "2.3 % of 5 %"), ("notional", "31 % of 95 %"), ("capital_at_risk", "$2,140 of $10,000"),
    ("orders_a_day", "6 of 50"), ("orders_a_minute", "0 of 10"), ("fat_finger", "2 of 20 contracts"),
    ("buying_power", "$70,824"), ("duplicate_order", "none"),
)  # fmt: skip


def orders(now_ns: int) -> Orders:
    def row(n: int, trade: str, label: str, purpose: str, action: str, kind: str, qty: int, **more: object):
        leg = "E" if purpose == "entry" else "X"
        values: dict[str, object] = {
            "limit": None, "stop": None, "filled": Decimal(0), "state": "SUBMITTED",
            "at_ns": now_ns - n * MINUTE - 4 * SECOND, "may_modify": True, "may_cancel": purpose == "entry",
            **more,
        }  # fmt: skip
        return WorkingOrder(
            f"V1-DU1-{trade}-{leg}-{n}", trade, label, label.split()[0].replace("SPXW", "SPX"), purpose, action,
            kind, Decimal(qty), **values,  # pyright: ignore[reportArgumentType]
        )  # fmt: skip

    return Orders(
        (
            row(7, "T1", "SPXW 20251120 5940C", "target", "SELL", "LMT", 1, limit=Decimal("5.20")),
            row(6, "T1", "SPXW 20251120 5940C", "target", "SELL", "LMT", 1, limit=Decimal("5.90")),
            row(5, "T2", "SPY 20251120 591P", "target", "SELL", "LMT", 5, limit=Decimal("1.38")),
            row(4, "T2", "SPY 20251120 591P", "stop", "SELL", "STP", 5, stop=Decimal("0.87")),
            row(0, "T4", "SPXW 20251120 5900P", "entry", "BUY", "LMT", 2, limit=Decimal("3.10"),
                filled=Decimal(1), state="PARTIALLY_FILLED"),
        )
    )  # fmt: skip


def proposals(now_ns: int) -> Proposals:
    def row(trade: str, strategy: str, label: str, side: str, qty: int, left_s: int) -> ProposalRow:
        symbol = label.split()[0].replace("SPXW", "SPX")
        return ProposalRow(
            trade, strategy, symbol, side, label, Decimal(qty), now_ns - 40 * SECOND, now_ns + left_s * SECOND,
            "walk", (f"{symbol}_FIB_10M_{side}", f"{symbol}_V3_{side}"), 74,
        )  # fmt: skip

    return Proposals(
        (
            row("T7", "SPY_TREND", "SPY 20251120 591P", "PUT", 3, 71),
            row("T8", "SPX_CONTEXT", "SPXW 20251120 5940C", "CALL", 2, 260),
        )
    )


def preview(ticket: Ticket, *, refused: bool = False, advised: bool = False, rests: bool = True) -> str:
    """The preview document of a ticket, around 4.10 by 4.20; its stop rests at the broker, a strategy's does
    not."""
    price = Decimal(ticket.limit or ticket.stop or "4.15")
    cost = price * 100 * ticket.qty
    rules = [
        {"rule": name, "ok": True, "severity": "block", "text": f"within the limit ({text})"}
        for name, text in RULES
    ]
    if refused:
        rules[11] = {
            "rule": "daily_loss", "ok": False, "severity": "block",
            "text": "the day has lost more than its limit (2.3 %, limit 2 %)",
        }  # fmt: skip
    against = refused or (advised and not ticket.override)
    if against:
        rules[17] = {
            "rule": "one_per_instrument", "ok": False, "severity": "advice",
            "text": "SPX is held already (1, limit 1)",
        }  # fmt: skip
    elif advised:
        rules[17]["text"] = "overridden by hand: SPX is held already (1, limit 1)"
    known = {"v": 1, "contract": f"SPXW 20251120 {ticket.strike}{ticket.right}", "action": ticket.action}
    return json.dumps(
        known
        | {
            "qty": ticket.qty, "kind": ticket.kind, "limit": f"{price}",
            "price_basis": {"bid": "4.10", "ask": "4.20", "mid": "4.15", "last": "4.20"},
            "steps": [["0", "0.05"], ["3", "0.10"]], "cost": f"{cost:.2f}", "fees": "2.60",
            "break_even": [f"{Decimal(ticket.strike or 0) + price:.2f}"],
            "max_loss": f"{cost + Decimal('2.60'):.2f}",
            "greeks": {"delta": 0.421, "gamma": 0.0182, "theta": -2.125, "vega": 46.1},
            "margin": {"initial": f"{cost:.2f}", "maintenance": "0.00"}, "target": "5.20", "stop": "3.20",
            "stop_rests": rests,
            "verdict": "refused" if against else "approved", "rules": rules, "problems": [],
        }
    )  # fmt: skip


class Counterpart:
    """The engine's side of a hand's orders: it places a token once, and refuses where it is told to."""

    def __init__(self) -> None:
        self.refuses = False
        self.advises = False
        self.placed: dict[str, Ticket] = {}
        self.names_trades = False
        self.keeps = ""
        """Why a working order stays as it is; empty where it is changed."""
        self.unquoted = 0
        """So many times the other side of a trade has no quote yet."""

    def answer(self, command: Command) -> Reply:
        match command:
            case PreviewProposal(qty=qty):
                return Data(preview(Ticket("SPX", "BUY", qty, "C", "5940"), refused=self.refuses, rests=False))
            case PreviewReverse() if self.unquoted:
                self.unquoted -= 1
                return Data('{"v": 1, "verdict": "refused", "problems": ["no sane two-sided quote"]}')
            case PreviewReverse():
                return Data(preview(Ticket("SPX", "BUY", 2, "P", "5940"), refused=self.refuses))
            case DeclineProposal(trade_id=trade_id):
                return Ack(True, f"{trade_id} is declined: nothing is sent")
            case PreviewOrder(ticket=ticket):
                return Data(preview(ticket, refused=self.refuses, advised=self.advises))
            case PlaceOrder(ticket=ticket, token=token):
                self.placed.setdefault(token, ticket)
                number = [*self.placed].index(token) + 1
                return Ack(True, f"order {number} is at the broker", "", "T4" if self.names_trades else "")
            case ModifyOrder() if self.keeps:
                return Ack(False, self.keeps, "RULES")
            case _:
                return Ack(True, "it is on its way")
