"""The account's executions as they are booked: by order, by root and by id, with the fees in the books."""

from __future__ import annotations

from decimal import Decimal

from station.domain.orders import ZERO, Execution, latest_revisions


class Fills:
    """Of each root the revision booked last. `provisional_fee` is a unit's until its own is reported."""

    def __init__(self, provisional_fee: Decimal) -> None:
        self.provisional_fee = provisional_fee
        self._of_order: dict[str, dict[str, Execution]] = {}
        self._by_root: dict[str, Execution] = {}
        self._by_id: dict[str, Execution] = {}

    def put(self, execution: Execution) -> None:
        self._by_root[execution.root_id] = execution
        self._by_id[execution.exec_id] = execution
        self._of_order.setdefault(execution.order_ref, {})[execution.root_id] = execution

    def of_order(self, order_ref: str) -> tuple[Execution, ...]:
        return latest_revisions(tuple(self._of_order.get(order_ref, {}).values()))

    def by_id(self, exec_id: str) -> Execution | None:
        return self._by_id.get(exec_id)

    def by_root(self, root_id: str) -> Execution | None:
        return self._by_root.get(root_id)

    def every(self) -> tuple[Execution, ...]:
        return tuple(self._by_root.values())

    def stand_in_for(self, execution: Execution) -> Execution | None:
        """The execution we inferred for this order while the broker's own was missing (FAULTS 10)."""
        if execution.inferred:
            return None
        booked = self._of_order.get(execution.order_ref, {}).values()
        return next((e for e in booked if e.inferred and e.qty > 0), None)

    def fee_of(self, execution: Execution | None, qty: Decimal) -> Decimal:
        """The fee in the books for `qty` of an execution: the reported one, else the provisional one."""
        if execution is None:
            return ZERO
        return self.provisional_fee * qty if execution.commission is None else execution.commission
