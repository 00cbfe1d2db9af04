"""The same laws against the paper exchange's own book, which the engine never reads."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal

from station.domain.orders import OrderState
from station.store.verification.exposure import Exposure
from station.store.verification.fills import Fill, latest, root_of, standing
from station.store.verification.money import open_qty
from station.store.verification.orders import intents_of
from station.store.verification.rows import (
    Books,
    ContractKey,
    Row,
    contract_key,
    is_ours,
    signed,
    total,
)

_TERMINAL = frozenset(state.value for state in OrderState if state.is_terminal)
Tables = dict[str, list[Row]]
Holding = tuple[str, ContractKey]


def executions(books: Books, paper: Tables) -> tuple[int, list[str]]:
    """Every execution of ours at the exchange is in order_fills, alike, and the other way round;
    of one corrected before it was heard of, the correction."""
    lines: list[str] = []
    newest = {root_of(row["exec_id"]) for row in latest(books.lifecycle["order_fills"])}
    fills = {row["exec_id"]: row for row in books.lifecycle["order_fills"]}
    theirs = {row["exec_id"]: row for row in paper["executions"]}
    for exec_id, row in theirs.items():
        if exec_id in fills:
            lines.extend(_unlike(row, fills[exec_id]))
        elif is_ours(row["order_ref"]) and not _outdone(exec_id, newest):
            lines.append(f"execution {exec_id} of {row['order_ref']} at the exchange is not in order_fills")
    for exec_id, row in fills.items():
        if exec_id not in theirs and not row["inferred"]:
            lines.append(f"execution {exec_id} of {row['order_ref']} is not in the exchange's book")
    return len({*theirs, *fills}), lines


def _outdone(exec_id: str, newest: set[tuple[str, int]]) -> bool:
    """Whether a later revision of an execution is booked."""
    root, revision = root_of(exec_id)
    return any(other == root and later > revision for other, later in newest)


def _unlike(theirs: Row, ours: Row) -> list[str]:
    fee = ours["commission"]
    pairs = [
        ("order_ref", ours["order_ref"], theirs["order_ref"]),
        ("account", ours["account"], theirs["account"]),
        ("action", ours["action"], theirs["action"]),
        ("contract", contract_key(ours["contract"]), contract_key(theirs["contract"])),
        ("qty", Decimal(ours["qty"]), Decimal(theirs["qty"])),
        ("price", Decimal(ours["price"]), Decimal(theirs["price"])),
    ]
    if fee is not None:
        pairs.append(("commission", Decimal(fee), Decimal(theirs["commission"])))
    return [
        f"execution {theirs['exec_id']}: {name} is {a} here, {b} at the exchange"
        for name, a, b in pairs
        if a != b
    ]


def intents(books: Books, paper: Tables) -> tuple[int, list[str]]:
    """Every order of ours at the exchange was meant before it was received, and is not over here while it
    still works there."""
    lines: list[str] = []
    meant = intents_of(books)
    ours = {row["order_ref"]: row for row in books.lifecycle["orders"]}
    orders = [row for row in paper["orders"] if is_ours(row["order_ref"])]
    for row in orders:
        ref, intent, known = row["order_ref"], meant.get(row["order_ref"]), ours.get(row["order_ref"])
        if intent is None:
            lines.append(f"order {ref} at the exchange has no intent on the log")
            continue
        if intent.at_ns > row["received_ns"]:
            lines.append(f"order {ref} reached the exchange before its intent (event {intent.seq})")
        ticket = intent.body["ticket"]
        if ticket["action"] != row["action"] or contract_key(ticket["contract"]) != contract_key(
            row["contract"]
        ):
            lines.append(f"order {ref} at the exchange is not the one that was meant")
        if known is not None and known["state"] in _TERMINAL and row["state"] not in _TERMINAL:
            lines.append(f"order {ref} is {known['state']} here but {row['state']} at the exchange")
    return len(orders), lines


def _mine(books: Books, paper: Tables) -> list[Fill]:
    """The exchange's executions that are ours: by reference, or because we booked them."""
    booked = {row["exec_id"]: row["trade_id"] for row in books.lifecycle["order_fills"]}
    return [
        Fill(
            row["exec_id"], row["order_ref"], booked.get(row["exec_id"], ""), row["account"],
            contract_key(row["contract"]), row["action"], Decimal(row["qty"]), Decimal(row["price"]),
            Decimal(row["commission"]), inferred=False,
        )
        for row in latest(paper["executions"])
        if is_ours(row["order_ref"]) or row["exec_id"] in booked
    ]  # fmt: skip


def _foreign(books: Books, paper: Tables) -> dict[Holding, Decimal]:
    """What others hold in the same account, by contract."""
    booked = {row["exec_id"] for row in books.lifecycle["order_fills"]}
    found: defaultdict[Holding, Decimal] = defaultdict(Decimal)
    for row in latest(paper["executions"]):
        if not is_ours(row["order_ref"]) and row["exec_id"] not in booked:
            found[row["account"], contract_key(row["contract"])] += signed(row["action"], Decimal(row["qty"]))
    return found


def positions(books: Books, paper: Tables) -> tuple[int, list[str]]:
    """Per account and contract, the exchange's executions of ours and its settlements leave what our trades
    hold (an adopted position is the exchange's, and none of our executions; what another hand sold of ours is
    an execution of someone else)."""
    theirs: defaultdict[Holding, Decimal] = defaultdict(Decimal)
    ours: defaultdict[Holding, Decimal] = defaultdict(Decimal)
    for fill in _mine(books, paper):
        theirs[fill.account, fill.contract] += fill.change
    foreign = _foreign(books, paper)
    adopted: defaultdict[Holding, Decimal] = defaultdict(Decimal)
    for said in books.said("trade.adopted"):
        adopted[said.body["account"], contract_key(said.body["contract"])] += Decimal(said.body["qty"])
    contracts = {row["id"]: row for row in books.lifecycle["trades"] if row["contract"] is not None}
    for said in books.said("trade.settled"):
        if said.body["cause"] == "external" and (owner := contracts.get(said.trade_id)) is not None:
            adopted[owner["account"], contract_key(owner["contract"])] -= Decimal(said.body["qty"])
    for row in paper["settlements"]:
        key = (row["account"], contract_key(row["contract"]))
        theirs[key] -= Decimal(row["qty"]) - (foreign.get(key, Decimal(0)) - adopted[key])
    for row in books.lifecycle["trades"]:
        if row["contract"] is not None:
            ours[row["account"], contract_key(row["contract"])] += open_qty(row)
    keys = sorted({*theirs, *ours})
    lines = [
        f"{key[0]} {key[1]}: the exchange says {theirs[key] + adopted[key]}, trades say {ours[key]}"
        for key in keys
        if theirs[key] + adopted[key] != ours[key]
    ]
    return len(keys), lines


def cash(books: Books, paper: Tables) -> tuple[int, list[str]]:
    """The exchange's cash is its start plus every execution as last corrected, its fee, and every settlement;
    and our trades account for the same."""
    lines: list[str] = []
    amounts: defaultdict[str, Decimal] = defaultdict(Decimal)
    for row in paper["cash"]:
        amounts[row["kind"]] += Decimal(row["amount"])
    meta = {row["key"]: row["value"] for row in paper["meta"]}
    stands = latest(paper["executions"])
    traded = total(
        -signed(row["action"], Decimal(row["qty"])) * Decimal(row["price"]) * row["multiplier"]
        for row in stands
    )
    fees = total(Decimal(row["commission"]) for row in stands)
    settled = total(Decimal(r["qty"]) * Decimal(r["price"]) * r["multiplier"] for r in paper["settlements"])
    due = {
        "deposit": Decimal(meta.get("start_cash", "0")),
        "trade": traded,
        "commission": -fees,
        "settlement": settled,
    }
    for kind in sorted({*amounts, *due}):
        if amounts[kind] != due.get(kind, Decimal(0)):
            lines.append(
                f"the exchange's cash of kind {kind} is {amounts[kind]}, its book says {due.get(kind, 0)}"
            )
    if not _foreign(books, paper):
        lines.extend(_against_trades(books, traded + settled, fees))
    return len(paper["cash"]), lines


def _against_trades(books: Books, moved: Decimal, fees: Decimal) -> list[str]:
    lines: list[str] = []
    trades = books.lifecycle["trades"]
    adopted = total(
        Decimal(said.body["qty"]) * Decimal(said.body["price"]) * contract_key(said.body["contract"]).multiplier
        for said in books.said("trade.adopted")
    )
    ours = total(Decimal(row["exit_value"]) - Decimal(row["entry_value"]) for row in trades) + adopted
    if ours != moved:
        lines.append(f"our trades moved {ours}, the exchange's cash {moved}")
    paid = total(Decimal(row["commission"]) for row in trades)
    provisional = any(fill.commission is None for fill in standing(books))
    if paid != fees and not provisional:
        lines.append(f"our trades paid fees of {paid}, the exchange took {fees}")
    return lines


def never_oversold(books: Books, paper: Tables) -> tuple[int, list[str]]:
    """At no execution did what we hold of a contract go under zero."""
    held: defaultdict[Holding, Decimal] = defaultdict(Decimal)
    lines: list[str] = []
    for said in books.said("trade.adopted"):
        held[said.body["account"], contract_key(said.body["contract"])] += Decimal(said.body["qty"])
    mine = _mine(books, paper)
    for fill in mine:
        key = (fill.account, fill.contract)
        held[key] += fill.change
        if held[key] < 0 and fill.change < 0:
            lines.append(f"execution {fill.exec_id} sold {fill.contract} down to {held[key]}")
    return len(mine), lines


def working_exits(_books: Books, paper: Tables) -> tuple[int, list[str]]:
    """At no event of ours did the exchange hold working exits that could sell more than was open."""
    orders = {row["order_ref"]: row for row in paper["orders"]}
    held: defaultdict[Holding, Decimal] = defaultdict(Decimal)
    sells, filled, sizes = Exposure(), defaultdict[str, Decimal](Decimal), dict[str, Decimal]()
    lines: list[str] = []
    for event in paper["order_events"]:
        ref = event["order_ref"]
        order = orders.get(ref)
        if order is None:
            lines.append(f"order event {event['seq']} is of {ref}, which is not among the orders")
            continue
        key = (order["account"], contract_key(order["contract"]))
        before, qty = sells.total(key), Decimal(event["qty"])
        change = Decimal(event["filled"]) - filled[ref]
        filled[ref] += change
        held[key] += signed(order["action"], change)
        if order["action"] == "SELL" and order["purpose"] != "entry":
            sells.fill(ref, change)
            if event["state"] in _TERMINAL:
                sells.end(ref)
            elif sizes.get(ref) != qty or not sells.working(ref):
                sells.set(ref, key, order["oca_group"], qty)
            sizes[ref] = qty
        could, has = sells.total(key), max(held[key], Decimal(0))
        if could > before and could > has and is_ours(ref):
            lines.append(
                f"order event {event['seq']} ({ref}): working exits of {key[1]} could sell {could}, "
                f"{has} is open"
            )
    return len(paper["order_events"]), lines
