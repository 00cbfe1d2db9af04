"""Orders: meant before they were sent, and never able to sell more than is held."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal

from station.domain.orders import OrderState
from station.store.verification.exposure import Exposure
from station.store.verification.fills import belongs
from station.store.verification.rows import Books, ContractKey, Said, contract_key, is_ours, signed

INTENTS = ("trade.entry_submitted", "trade.exit_submitted")
_FOLLOW = (
    "order.moved",
    "order.reduced",
    "order.execution",
    "order.cancel_requested",
    "trade.exit_modified",
    "trade.entry_modified",
)
_TERMINAL = frozenset(state.value for state in OrderState if state.is_terminal)

Holding = tuple[str, ContractKey]


def intents_of(books: Books) -> dict[str, Said]:
    """The first intent of each reference."""
    found: dict[str, Said] = {}
    for said in books.said(*INTENTS):
        found.setdefault(said.body["ticket"]["order_ref"], said)
    return found


def ref_of(said: Said) -> str:
    """The order an event speaks of."""
    ticket = said.body.get("ticket")
    return ticket["order_ref"] if ticket else said.body.get("order_ref", "")


def intent_first(books: Books) -> tuple[int, list[str]]:
    """Every order of ours has one intent on the log, before anything else that is known of it."""
    lines: list[str] = []
    intents = intents_of(books)
    for said in books.said(*INTENTS):
        ref = ref_of(said)
        if intents[ref].seq != said.seq:
            lines.append(f"order {ref} has two intents: events {intents[ref].seq} and {said.seq}")
    for said in books.said(*_FOLLOW):
        ref = ref_of(said)
        intent = intents.get(ref)
        if is_ours(ref) and (intent is None or intent.seq > said.seq):
            lines.append(f"order {ref}: event {said.seq} ({said.type}) comes before any intent")
    refs = {row["order_ref"]: row for row in books.lifecycle["orders"] if belongs(row)}
    for ref, row in refs.items():
        intent = intents.get(ref)
        if intent is None:
            lines.append(f"order {ref} has no intent on the log")
        elif intent.at_ns > row["created_ns"]:
            lines.append(f"order {ref} was made before its intent (event {intent.seq})")
    return len({*refs, *intents}), lines


class Held:
    """Walks the log: what is open of each holding, and which sells work."""

    def __init__(self) -> None:
        self.open: defaultdict[Holding, Decimal] = defaultdict(Decimal)
        self.sells = Exposure()
        self._actions: dict[str, tuple[str, Holding]] = {}
        self._of_trade: dict[str, Holding] = {}

    def take(self, said: Said) -> Holding | None:
        """Apply an event; the holding whose sells it may have raised, if any."""
        body = said.body
        match said.type:
            case "trade.entry_submitted" | "trade.exit_submitted" | "trade.exit_modified":
                return self._ticket(said)
            case "trade.adopted":
                holding = (body["account"], contract_key(body["contract"]))
                self._of_trade[said.trade_id] = holding
                self.open[holding] += Decimal(body["qty"])
            case "trade.settled":
                self.open[self._of_trade[said.trade_id]] -= Decimal(body["qty"])
            case "order.execution":
                self._execution(said)
            case "order.moved":
                if body["state"] in _TERMINAL:
                    self.sells.end(body["order_ref"])
            case _:
                pass
        return None

    def _ticket(self, said: Said) -> Holding | None:
        ticket = said.body["ticket"]
        ref, holding = ticket["order_ref"], (ticket["account"], contract_key(ticket["contract"]))
        self._actions[ref] = (ticket["action"], holding)
        self._of_trade[said.trade_id] = holding
        modifies = said.type == "trade.exit_modified"
        if ticket["action"] != "SELL" or (modifies and not self.sells.working(ref)):
            return None
        before = self.sells.total(holding)
        self.sells.set(ref, holding, ticket["oca_group"], Decimal(ticket["qty"]))
        return holding if self.sells.total(holding) > before else None

    def _execution(self, said: Said) -> None:
        body = said.body
        ref = body["order_ref"]
        change = Decimal(body["qty"]) - Decimal(body["replaces_qty"])
        foreign = ("BUY" if body["purpose"] == "entry" else "SELL", self._of_trade.get(said.trade_id))
        action, holding = self._actions.get(ref, foreign)
        if holding is not None:
            self.open[holding] += signed(action, change)
        if action == "SELL":
            self.sells.fill(ref, change)


def working_sells(books: Books) -> tuple[int, list[str]]:
    """No sell was ever sent or raised while it, with every other working sell outside its OCA group, could
    sell more than was open; nor could they now. (What the broker takes away while sells work, by a correction
    or a hand, is no act of ours; it must be put right before the end.)"""
    lines: list[str] = []
    held, checked = Held(), 0
    for said in books.said():
        raised = held.take(said)
        if said.type in ("trade.exit_submitted", "trade.exit_modified"):
            checked += 1
        if raised is None:
            continue
        could, has = held.sells.total(raised), max(held.open[raised], Decimal(0))
        if could > has:
            lines.append(
                f"event {said.seq} ({ref_of(said)}): working sells of {raised[1]} could sell {could}, "
                f"{has} is open"
            )
    if not lines:
        for holding in held.open:
            could, has = held.sells.total(holding), max(held.open[holding], Decimal(0))
            if could > has:
                lines.append(f"now: working sells of {holding[1]} could sell {could}, {has} is open")
    return checked, lines
