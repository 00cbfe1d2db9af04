"""What truly filled: order_fills after corrections, and what the log says of each execution."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from station.store.verification.rows import Books, ContractKey, Row, Said, contract_key, is_ours, signed


@dataclass(frozen=True, slots=True)
class Fill:
    """One execution that counts: the latest revision under its root id."""

    exec_id: str
    order_ref: str
    trade_id: str
    account: str
    contract: ContractKey
    action: str
    qty: Decimal
    price: Decimal
    commission: Decimal | None
    inferred: bool

    @property
    def change(self) -> Decimal:
        """Signed quantity."""
        return signed(self.action, self.qty)

    @property
    def cash(self) -> Decimal:
        """Dollars in (sold) or out (bought), before the fee."""
        return -self.change * self.price * self.contract.multiplier


def root_of(exec_id: str) -> tuple[str, int]:
    """The id without its two-digit correction suffix, and the correction's number."""
    head, dot, tail = exec_id.rpartition(".")
    return (head, int(tail)) if dot and len(tail) == 2 and tail.isdigit() else (exec_id, 0)


def latest(rows: Iterable[Row]) -> list[Row]:
    """The rows that stand: the highest correction under each root, in order of first appearance."""
    best: dict[str, Row] = {}
    for row in rows:
        root, revision = root_of(row["exec_id"])
        held = best.get(root)
        if held is None or revision > root_of(held["exec_id"])[1]:
            best[root] = row
    return list(best.values())


def standing(books: Books) -> list[Fill]:
    """Every fill of ours that counts; foreign ones that belong to no trade are none of ours."""
    return [_fill(row) for row in latest(books.lifecycle["order_fills"]) if belongs(row)]


def belongs(row: Row) -> bool:
    """Whether a row is ours: by its trade, or by its reference."""
    return bool(row["trade_id"]) or is_ours(row["order_ref"])


def _fill(row: Row) -> Fill:
    fee = row["commission"]
    return Fill(
        row["exec_id"], row["order_ref"], row["trade_id"], row["account"], contract_key(row["contract"]),
        row["action"], Decimal(row["qty"]), Decimal(row["price"]), None if fee is None else Decimal(fee),
        bool(row["inferred"]),
    )  # fmt: skip


def booked_once(books: Books) -> tuple[int, list[str]]:
    """Each execution is on the log once and in order_fills once, alike; a correction withdraws exactly what
    stood before it."""
    lines: list[str] = []
    rows = {row["exec_id"]: row for row in books.lifecycle["order_fills"]}
    left: dict[str, Decimal] = {}
    events: dict[str, Said] = {}
    for said in books.said("order.execution"):
        exec_id = said.body["exec_id"]
        if exec_id in events:
            lines.append(f"execution {exec_id} is booked twice: events {events[exec_id].seq} and {said.seq}")
            continue
        lines.extend(_withdrawn(said, events, left))
        events[exec_id] = said
        left[exec_id] = Decimal(said.body["qty"])
        if exec_id not in rows:
            lines.append(f"execution {exec_id} is on the log (event {said.seq}) but not in order_fills")
    for exec_id, row in rows.items():
        if exec_id in events:
            lines.extend(_unlike(row, events[exec_id], left[exec_id]))
        elif belongs(row):
            lines.append(f"execution {exec_id} is in order_fills but not on the log")
    return len({*rows, *events}), lines


def _withdrawn(said: Said, before: dict[str, Said], left: dict[str, Decimal]) -> list[str]:
    """Take back what the event replaces: the revision before it, or what was inferred in its place."""
    body = said.body
    root, _ = root_of(body["exec_id"])
    replaced, price = Decimal(body["replaces_qty"]), Decimal(body["replaces_price"])
    same_root = [e for e in before if root_of(e)[0] == root and left[e] > 0]
    inferred = [
        e for e, held in before.items()
        if held.body["inferred"] and held.body["order_ref"] == body["order_ref"] and left[e] > 0
    ]  # fmt: skip
    exec_id, seq = body["exec_id"], said.seq
    if not replaced:
        if same_root:
            return [f"execution {exec_id} (event {seq}) books again what {same_root[-1]} already booked"]
        return []
    source = next(iter(same_root or inferred), None)
    if source is None:
        return [f"execution {exec_id} (event {seq}) withdraws {replaced} that were never booked"]
    stood, stood_price = left[source], Decimal(before[source].body["price"])
    if replaced > stood or price != stood_price or (same_root and replaced != stood):
        return [
            f"execution {exec_id} (event {seq}) withdraws {replaced} at {price}, "
            f"{source} stands at {stood} at {stood_price}"
        ]
    # A row superseded under its own root keeps its quantity; an inferred one shows what is left of it.
    if not same_root:
        left[source] = stood - replaced
    return []


def _unlike(row: Row, said: Said, qty: Decimal) -> list[str]:
    body = said.body
    pairs = (
        ("qty", Decimal(row["qty"]), qty), ("price", Decimal(row["price"]), Decimal(body["price"])),
        ("order_ref", row["order_ref"], body["order_ref"]),
        ("multiplier", contract_key(row["contract"]).multiplier, body["multiplier"]),
        ("inferred", bool(row["inferred"]), body["inferred"]),
    )  # fmt: skip
    return [
        f"execution {row['exec_id']}: order_fills has {name} {kept}, the log (event {said.seq}) {logged}"
        for name, kept, logged in pairs
        if kept != logged
    ]
