"""Positions, cash and wealth: the same story told by fills, trades and the diary."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal

from station.store.verification.fills import Fill, standing
from station.store.verification.rows import Books, ContractKey, Row, contract_key, total

_ZERO = Decimal(0)
_CLOSED = ("CLOSED", "WEALTH_UPDATED")
_HOLDING = ("BUY_FILLED", "SELL_SUBMITTED", "SELL_FILLED")


def positions(books: Books) -> tuple[int, list[str]]:
    """Per account and contract: bought minus sold by the fills, with what was adopted and settled, is what the
    trades hold open."""
    by_fills: defaultdict[tuple[str, ContractKey], Decimal] = defaultdict(Decimal)
    by_trades: defaultdict[tuple[str, ContractKey], Decimal] = defaultdict(Decimal)
    contracts: dict[str, tuple[str, ContractKey]] = {}
    for row in books.lifecycle["trades"]:
        if row["contract"] is not None:
            contracts[row["id"]] = key = (row["account"], contract_key(row["contract"]))
            by_trades[key] += open_qty(row)
    for fill in standing(books):
        by_fills[fill.account, fill.contract] += fill.change
    for said in books.said("trade.adopted", "trade.settled"):
        if key := contracts.get(said.trade_id):
            qty = Decimal(said.body["qty"])
            by_fills[key] += qty if said.type == "trade.adopted" else -qty
    keys = sorted({*by_fills, *by_trades})
    lines = [
        f"{account} {contract}: fills say {by_fills[account, contract]}, "
        f"trades say {by_trades[account, contract]}"
        for account, contract in keys
        if by_fills[account, contract] != by_trades[account, contract]
    ]
    return len(keys), lines


def open_qty(trade: Row) -> Decimal:
    """What a trade row holds."""
    return Decimal(trade["entry_filled"]) - Decimal(trade["exit_filled"])


def cash(books: Books) -> tuple[int, list[str]]:
    """Per trade and in all: what fills, settlements and fees moved is what the trades account for, as result
    where they are closed and as cost where they are open."""
    lines: list[str] = []
    moved, fees = _by_trade(books, lines)
    booked = realised = _ZERO
    trades = books.lifecycle["trades"]
    for row in trades:
        got, paid = moved.pop(row["id"], _ZERO), fees.pop(row["id"], _ZERO)
        value = Decimal(row["exit_value"]) - Decimal(row["entry_value"])
        if got != value:
            lines.append(f"trade {row['id']}: its fills moved {got}, the trade says {value}")
        if paid != Decimal(row["commission"]):
            lines.append(f"trade {row['id']}: its fees are {paid}, the trade says {row['commission']}")
        booked += got - paid
        net = row["net_pnl"]
        if net is None:
            realised += value - Decimal(row["commission"])
            continue
        realised += Decimal(net)
        if Decimal(net) != got - paid:
            lines.append(f"trade {row['id']}: net_pnl is {net}, cash says {got - paid}")
    for trade_id in sorted({*moved, *fees}):
        lines.append(f"fills belong to trade {trade_id or '(none)'}, which does not exist")
    if booked != realised:
        lines.append(f"in all the fills moved {booked}, trades account for {realised}")
    return len(trades), lines


def _by_trade(books: Books, lines: list[str]) -> tuple[dict[str, Decimal], dict[str, Decimal]]:
    """Dollars moved and fees owed by trade, from fills; `lines` gets fees that two places tell differently."""
    moved: defaultdict[str, Decimal] = defaultdict(Decimal)
    fees: defaultdict[str, Decimal] = defaultdict(Decimal)
    executions = {said.body["exec_id"]: said for said in books.said("order.execution")}
    reported = {said.body["exec_id"]: Decimal(said.body["amount"]) for said in books.said("order.commission")}
    for fill in standing(books):
        said = executions.get(fill.exec_id)
        owner = said.trade_id if said is not None else fill.trade_id
        moved[owner] += fill.cash
        if fill.commission != reported.get(fill.exec_id):
            lines.append(
                f"execution {fill.exec_id}: order_fills has the fee {fill.commission}, "
                f"the log {reported.get(fill.exec_id)}"
            )
        if fill.commission is not None:
            fees[owner] += fill.commission
        elif said is not None:
            fees[owner] += _provisional(fill, said.body)
    for said in books.said("trade.adopted"):
        contract = contract_key(said.body["contract"])
        cost = Decimal(said.body["qty"]) * Decimal(said.body["price"])
        moved[said.trade_id] -= cost * contract.multiplier
    for said in books.said("trade.settled"):
        value = Decimal(said.body["qty"]) * Decimal(said.body["price"])
        moved[said.trade_id] += value * said.body["multiplier"]
    return moved, fees


def _provisional(fill: Fill, body: Row) -> Decimal:
    """The assumed fee of what is left of an execution."""
    whole, fee = Decimal(body["qty"]), Decimal(body["provisional_fee"])
    return fee if fill.qty == whole else fee * fill.qty / whole


def wealth(books: Books) -> tuple[int, list[str]]:
    """One diary row for every trade at WEALTH_UPDATED, with its result; capital is start plus the diary."""
    lines: list[str] = []
    trades = {row["id"]: row for row in books.lifecycle["trades"]}
    diary: dict[str, Row] = {}
    recorded = {said.trade_id for said in books.said("trade.wealth_updated")}
    for row in books.wealth["trade_diary"]:
        trade_id = row["trade_id"]
        if trade_id in diary:
            lines.append(f"trade {trade_id} is in the diary twice")
        diary[trade_id] = row
        if not _is_led_again(trades.get(trade_id), recorded):
            lines.extend(_against(row, trades.get(trade_id)))
    for trade_id, trade in trades.items():
        if trade["state"] == "WEALTH_UPDATED" and trade_id not in diary:
            lines.append(f"trade {trade_id} is WEALTH_UPDATED without a diary row")
    states = {row["plan"]: row for row in books.wealth["wealth_state"]}
    for plan in sorted({*states, *(row["plan"] for row in books.wealth["trade_diary"])}):
        rows = [row for row in books.wealth["trade_diary"] if row["plan"] == plan]
        lines.extend(_plan(plan, states.get(plan), total(Decimal(row["net_pnl"]) for row in rows)))
    return len(diary) + len(states), lines


def _is_led_again(trade: Row | None, recorded: set[str]) -> bool:
    """Whether a late fill opened a trade again after its result was recorded: the diary follows later."""
    return trade is not None and trade["state"] in _HOLDING and trade["id"] in recorded


def _against(row: Row, trade: Row | None) -> list[str]:
    trade_id = row["trade_id"]
    if trade is None:
        return [f"the diary has trade {trade_id}, which does not exist"]
    if trade["state"] not in _CLOSED:
        return [f"the diary has trade {trade_id}, which is {trade['state']}"]
    lines: list[str] = []
    if trade["net_pnl"] is None or Decimal(row["net_pnl"]) != Decimal(trade["net_pnl"]):
        lines.append(f"trade {trade_id}: the diary has {row['net_pnl']}, the trade {trade['net_pnl']}")
    if row["cause"] != trade["cause"]:
        lines.append(f"trade {trade_id}: the diary says {row['cause']}, the trade {trade['cause']}")
    return lines


def _plan(plan: str, state: Row | None, results: Decimal) -> list[str]:
    if state is None:
        return [f"plan {plan} has diary rows and no state"]
    lines: list[str] = []
    due = Decimal(state["start_capital"]) + results
    if Decimal(state["capital"]) != due:
        lines.append(f"plan {plan}: capital is {state['capital']}, start plus results is {due}")
    if Decimal(state["pnl_to_date"]) != results:
        lines.append(f"plan {plan}: P&L to date is {state['pnl_to_date']}, the diary adds up to {results}")
    return lines
