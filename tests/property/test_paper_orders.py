"""Whatever a busy script asks of it, the exchange keeps its laws."""

from __future__ import annotations

import json
import tempfile
from collections import defaultdict
from decimal import Decimal
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from station.domain.broker import OrderStatus
from station.domain.orders import LEGAL, OrderState
from tests.unit.paper_harness import Alone, alone
from tests.unit.paper_script import books, script, tape

TAPE = tape()


def played(seed: int) -> tuple[Alone, dict[str, list[tuple[object, ...]]]]:
    with tempfile.TemporaryDirectory() as folder:
        run = alone(Path(folder), script(TAPE, seed), 250, tape=TAPE)
        return run, books(Path(folder))


@settings(max_examples=6)
@given(st.integers(0, 10_000))
def test_groups_never_overfill_cash_adds_up_and_states_move_legally(seed: int) -> None:
    run, rows = played(seed)
    filled: defaultdict[str, Decimal] = defaultdict(Decimal)
    held: defaultdict[str, Decimal] = defaultdict(Decimal)
    cash = Decimal(1_000_000)
    for _, _, ref, _, contract, action, qty, price, multiplier, fee, _ in rows["executions"]:
        sign = 1 if action == "BUY" else -1
        filled[str(ref)] += Decimal(str(qty))
        held[str(contract)] += sign * Decimal(str(qty))
        cash -= sign * Decimal(str(qty)) * Decimal(str(price)) * int(str(multiplier)) + Decimal(str(fee))
    for number in range(14):
        assert filled[f"T{number}"] + filled[f"X{number}"] <= filled[f"E{number}"]
    for row in rows["orders"]:
        assert Decimal(str(row[15])) == filled[str(row[0])] <= Decimal(str(row[6]))
    assert cash == sum((Decimal(str(row[3])) for row in rows["cash"]), Decimal(0))
    assert all(qty >= 0 for qty in held.values())
    named = {json.loads(contract)["con_id"]: qty for contract, qty in held.items() if qty}
    assert named == {c.con_id: h.qty for c, h in run.exchange.floor.register.ledger.holdings.items()}
    _states_are_legal(run)


def _states_are_legal(run: Alone) -> None:
    at: dict[str, OrderState] = {}
    for _, report in run.reports:
        if isinstance(report, OrderStatus):
            before = at.get(report.order_ref, OrderState.PENDING)
            assert report.state is before or report.state in LEGAL[before], (
                report.order_ref,
                before,
                report.state,
            )
            at[report.order_ref] = report.state
